package dev.darkbloom.agent.service.local;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.hardware.OshiProbe;
import dev.darkbloom.agent.service.control.ControlClient;
import dev.darkbloom.agent.service.control.StatusReport;
import java.util.List;
import java.util.Optional;

/**
 * A benchmark's rows with what one has to know to compare them with others.
 *
 * @param chip of this machine
 * @param platform of the agent, as are the two behind it
 * @param slots of the model, as is the context
 * @param compute how it computes, and why so
 */
public record BenchmarkReport(
        Benchmark.Plan plan, List<Benchmark.Row> rows, String chip, String platform, String version, String llamaCpp, int slots, int contextTokens,
        Optional<StatusReport.Compute> compute) {
    public BenchmarkReport {
        rows = List.copyOf(rows);
    }

    /** Returns the report about the agent of {@code home}, which has just been measured. */
    public static BenchmarkReport of(AgentHome home, Benchmark.Plan plan, List<Benchmark.Row> rows) {
        try (var client = ControlClient.connect(home).orElseThrow(() -> new AgentException(ErrorCode.NOT_RUNNING, "the agent has ended"))) {
            var status = client.status();
            var model = status.models().stream().filter(served -> served.id().equals(plan.model())).findFirst();
            return new BenchmarkReport(plan, rows, new OshiProbe().machine().chip(), status.platform(), status.version(), status.llamaCpp(),
                    model.map(served -> served.slots()).orElse(0), model.map(served -> served.contextTokens()).orElse(0),
                    model.flatMap(StatusReport.Model::compute));
        }
    }

    /** Returns the report as indented JSON; names are stable and carry their unit. */
    public String toJson() {
        return LocalCodec.json(this);
    }
}
