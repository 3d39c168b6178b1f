package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.control.ControlClient;
import dev.darkbloom.agent.service.control.StatusReport;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists each gate between a coordinator's consumers and this machine. */
@Command(
        name = "doctor",
        description = "Say whether this machine can get work now, and if not which gate stops it.",
        footer = {
            "",
            "ok: proved. FAIL: stops all work. warn: does not stop it. ?: not known; work may come or not.",
            "Exit code: 0 when no gate fails, 4 when one does, 3 when no agent is running."
        })
final class DoctorCommand implements Callable<Integer> {
    private static final int PROBLEMS = 4;

    private final DarkbloomAgent root;

    @Option(names = "--json", description = "As JSON: the coordinator's part of status --json.")
    private boolean json;

    DoctorCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() {
        var connected = ControlClient.connect(root.home());
        if (connected.isEmpty()) {
            root.terminal().err().println("darkbloom-agent: no agent is running; start it: darkbloom-agent start");
            return StatusAnswer.NOT_RUNNING;
        }
        StatusReport report;
        try (var client = connected.get()) {
            report = client.status();
        }
        var out = root.terminal().out();
        if (report.coordinator().isEmpty()) {
            out.println(json ? "{}" : "the agent answers this machine's own clients only; there is no coordinator whose gates could be closed");
            return 0;
        }
        StatusReport.Coordinator coordinator = report.coordinator().get();
        if (json) {
            out.println(coordinator.toJson());
        } else {
            coordinator.gates().forEach(gate -> out.println(CoordinatorText.gate(gate)));
            out.println();
            CoordinatorText.lines(coordinator).forEach(line -> out.println(String.format("%-11s %s", line.label(), line.text())));
        }
        out.flush();
        return coordinator.gates().stream().anyMatch(gate -> gate.isRequired() && gate.verdict().equals("fail")) ? PROBLEMS : 0;
    }
}
