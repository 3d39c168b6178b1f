package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.AgentState;
import dev.darkbloom.agent.service.control.ControlClient;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Says how the running agent stands. */
@Command(
        name = "status",
        description = "Say how the agent stands: state, endpoint, models, memory.",
        footer = {"", "Exit code: 0 when an agent is running, 3 when none is."})
final class StatusCommand implements Callable<Integer> {
    static final int NOT_RUNNING = 3;

    private final DarkbloomAgent root;

    @Option(names = "--json", description = "As JSON.")
    private boolean json;

    StatusCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() {
        var connected = ControlClient.connect(root.home());
        if (connected.isEmpty()) {
            root.terminal().out().println(json
                    ? "{\"state\":\"stopped\"}"
                    : StatusText.stateLine(AgentState.STOPPED.word(), AgentState.STOPPED.advice()));
            return NOT_RUNNING;
        }
        try (var client = connected.get()) {
            var report = client.status();
            root.terminal().out().println(json ? report.toJson() : StatusText.of(report));
            return 0;
        }
    }
}
