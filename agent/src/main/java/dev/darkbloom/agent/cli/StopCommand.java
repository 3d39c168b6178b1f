package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.AgentStop;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Ends the running agent. */
@Command(
        name = "stop",
        description = "End the agent: nothing new is taken, what runs is finished.",
        footer = {"", "Exit code: 0 when it has ended, 1 when it has not, 3 when none was running."})
final class StopCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "600",
            description = "How long requests that run may take to finish (default: ${DEFAULT-VALUE}).")
    private int timeoutSeconds;

    @Option(names = "--force", description = "Cancel what runs; end the process if it does not answer.")
    private boolean force;

    StopCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() throws InterruptedException {
        if (timeoutSeconds < 0 || timeoutSeconds > 86_400) {
            throw new ParameterException(spec.commandLine(), "--timeout is 0 to 86400 seconds");
        }
        var err = root.terminal().err();
        var outcome = AgentStop.stop(root.home(), Duration.ofSeconds(timeoutSeconds), force,
                requests -> err.println("waiting for " + requests + (requests == 1 ? " request" : " requests")));
        return switch (outcome) {
            case ENDED -> {
                root.terminal().out().println("stopped");
                yield 0;
            }
            case NOT_RUNNING -> {
                root.terminal().out().println("no agent was running");
                yield StatusAnswer.NOT_RUNNING;
            }
            case STILL_RUNNING -> {
                err.println("the agent has not ended; darkbloom-agent stop --force ends it");
                yield 1;
            }
        };
    }
}
