package dev.darkbloom.agent.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What {@code node --test} reported in the Test Anything Protocol, version 13.
 *
 * @param cases the tests of the outermost level; a suite counts as one
 * @param exitCode of the process
 * @param text all that was printed
 */
public record TapReport(List<Case> cases, int exitCode, String text) {
    /** {@code [not] ok NUMBER - NAME [# DIRECTIVE]}; an escaped {@code #} belongs to the name. */
    private static final Pattern POINT = Pattern.compile("(not )?ok \\d+ - (.*?)(?: (?<!\\\\)# (SKIP|TODO)\\b ?(.*))?");

    /**
     * One test.
     *
     * @param skipped why it did not run; empty if it ran
     * @param diagnosis the YAML block that follows it
     */
    public record Case(String name, boolean passed, String skipped, String diagnosis) {}

    /** Reads what a process printed. */
    public static TapReport read(String text, int exitCode) {
        List<Case> cases = new ArrayList<>();
        List<String> lines = text.lines().toList();
        for (int i = 0; i < lines.size(); i++) {
            Matcher point = POINT.matcher(lines.get(i));
            if (point.matches()) {
                var diagnosis = new StringBuilder();
                for (int at = i + 1; at < lines.size() && lines.get(at).startsWith("  "); at++) {
                    diagnosis.append(lines.get(at)).append('\n');
                }
                boolean skipped = "SKIP".equals(point.group(3));
                cases.add(new Case(point.group(2).replace("\\#", "#"), point.group(1) == null,
                        skipped ? point.group(4).isEmpty() ? "skipped" : point.group(4) : "", diagnosis.toString()));
            }
        }
        return new TapReport(List.copyOf(cases), exitCode, text);
    }

    /** Returns whether the exit code says what the tests say, and there are tests; anything else is a program that broke. */
    public boolean isWhole() {
        return !cases.isEmpty() && (exitCode == 0) == cases.stream().allMatch(Case::passed);
    }
}
