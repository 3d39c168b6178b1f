package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.service.AgentState;
import dev.darkbloom.agent.service.control.ControlClient;
import java.io.PrintWriter;

/** Asks the running agent how it stands and prints the answer. Knows nothing of picocli, see {@link PlainQuestions}. */
final class StatusAnswer {
    static final int NOT_RUNNING = 3;

    private StatusAnswer() {}

    /** Returns the exit code: 0 when an agent is running in {@code home}, {@link #NOT_RUNNING} when none is. */
    static int print(AgentHome home, PrintWriter out, boolean json) {
        var connected = ControlClient.connect(home);
        if (connected.isEmpty()) {
            out.println(json
                    ? "{\"state\":\"stopped\"}"
                    : StatusText.stateLine(AgentState.STOPPED.word(), AgentState.STOPPED.advice()));
            return NOT_RUNNING;
        }
        try (var client = connected.get()) {
            var report = client.status();
            out.println(json ? report.toJson() : StatusText.of(report));
            return 0;
        }
    }
}
