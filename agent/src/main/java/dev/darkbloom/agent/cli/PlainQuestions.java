package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.service.AgentVersion;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/**
 * The command lines that scripts, installers and people ask again and again: {@code --version}, {@code status} and {@code status --json},
 * with nothing beside them. They need no parser, and picocli would take most of their time: its classes are of a format that Java's
 * ahead-of-time cache does not hold.
 */
public final class PlainQuestions {
    private PlainQuestions() {}

    /** Runs one command line of this process, whichever it is, and returns its exit code. */
    public static int run(String... args) {
        var out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        try {
            switch (String.join(" ", args)) {
                case "--version" -> {
                    for (String line : AgentVersion.current().lines()) {
                        out.println(line);
                    }
                    return 0;
                }
                case "status" -> {
                    return StatusAnswer.print(AgentHome.locate(), out, false);
                }
                case "status --json" -> {
                    return StatusAnswer.print(AgentHome.locate(), out, true);
                }
                default -> { }
            }
        } catch (AgentException _) {
            // The whole command line asks once more and says what is wrong as every verb does.
        }
        return DarkbloomAgent.run(args);
    }
}
