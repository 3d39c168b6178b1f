package dev.darkbloom.agent;

import dev.darkbloom.agent.cli.PlainQuestions;
import java.util.Arrays;
import java.util.List;

/**
 * Runs several command lines in one process, one after the other: {@code status --then local --then stop}. The Java runtime writes a cache
 * of what one process has loaded, and the short verbs share such a cache; {@code packaging/make-aot-cache} has it made by this class.
 */
public final class Rehearsal {
    private static final String SEPARATOR = "--then";

    private Rehearsal() {}

    /** Ends the process with the first exit code that is not 0, otherwise with 0. */
    public static void main(String[] args) {
        List<String> words = Arrays.asList(args);
        int exitCode = 0;
        while (exitCode == 0 && !words.isEmpty()) {
            int end = words.indexOf(SEPARATOR);
            List<String> line = end < 0 ? words : words.subList(0, end);
            words = end < 0 ? List.of() : words.subList(end + 1, words.size());
            exitCode = PlainQuestions.run(line.toArray(String[]::new));
        }
        System.exit(exitCode);
    }
}
