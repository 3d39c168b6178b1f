package dev.darkbloom.agent.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Says how the running agent stands. */
@Command(
        name = "status",
        description = "Say how the agent stands: state, endpoint, models, memory.",
        footer = {"", "Exit code: 0 when an agent is running, 3 when none is."})
final class StatusCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Option(names = "--json", description = "As JSON.")
    private boolean json;

    StatusCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() {
        return StatusAnswer.print(root.home(), root.terminal().out(), json);
    }
}
