package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Says what went wrong: one line, what mends it, and a stack trace only when asked for with {@code -v}. */
final class Failures implements IParameterExceptionHandler, IExecutionExceptionHandler {
    private final DarkbloomAgent root;

    Failures(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public int handleParseException(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        err.println(DarkbloomAgent.NAME + ": " + firstLine(e.getMessage()));
        if (e instanceof UnmatchedArgumentException unmatched && !unmatched.getSuggestions().isEmpty()) {
            err.println("did you mean " + String.join(" or ", unmatched.getSuggestions()) + "?");
        }
        err.println("see: " + command.getCommandSpec().qualifiedName() + " --help");
        if (root.isVerbose()) {
            e.printStackTrace(err);
        }
        return CommandLine.ExitCode.USAGE;
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
        PrintWriter err = command.getErr();
        int exitCode = switch (e) {
            case AgentException known -> {
                err.println(DarkbloomAgent.NAME + ": " + known.getMessage());
                String remedy = known.code().remedy();
                // A wrong setting's message says where it stands and what it may be.
                if (known.code() != ErrorCode.CONFIG_INVALID && !known.getMessage().contains(remedy)) {
                    err.println("to mend it: " + remedy);
                }
                yield known.code().exitCode();
            }
            case UncheckedIOException io -> {
                err.println(DarkbloomAgent.NAME + ": " + io.getMessage() + ": " + io.getCause().getMessage());
                yield CommandLine.ExitCode.SOFTWARE;
            }
            default -> {
                err.println(DarkbloomAgent.NAME + ": " + e);
                if (!root.isVerbose()) {
                    err.println("this is a fault of the agent; the same command with -v shows where");
                }
                yield CommandLine.ExitCode.SOFTWARE;
            }
        };
        if (root.isVerbose()) {
            e.printStackTrace(err);
        }
        return exitCode;
    }

    private static String firstLine(String message) {
        return message == null ? "wrong usage" : message.lines().findFirst().orElse("wrong usage");
    }
}
