package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Duration;
import java.time.ZoneId;

/** A status report as people read it: the state first, then what to do, then the rest. */
final class StatusText {
    private static final String LABEL = "%-10s %s";

    private StatusText() {}

    static String of(StatusReport report) {
        var lines = new StringBuilder();
        line(lines, stateLine(report.state(), report.advice()));
        if (report.mode().equals("local")) {
            line(lines, labelled("mode", "local: answers this machine's own clients, no coordinator is connected"));
        }
        report.endpoint().ifPresent(endpoint -> line(lines, labelled("endpoint", endpoint(endpoint))));
        report.coordinator().ifPresent(coordinator -> CoordinatorText.lines(coordinator).forEach(
                text -> line(lines, labelled(text.label(), text.text()))));
        report.models().forEach(model -> model(lines, model));
        line(lines, labelled("memory", memory(report.memory())));
        line(lines, labelled("agent", report.version() + ", llama.cpp " + report.llamaCpp() + ", Java " + report.java() + ", "
                + report.platform() + "; process " + report.pid() + ", up " + Units.time(Duration.ofSeconds(report.uptimeSeconds()))));
        line(lines, labelled("log", report.logFile()));
        return lines.toString().stripTrailing();
    }

    static String stateLine(String state, String advice) {
        return labelled("state", state + "  (" + advice + ")");
    }

    private static String endpoint(StatusReport.Endpoint endpoint) {
        return endpoint.baseUrl()
                + (endpoint.requiresKey() ? "  (key: darkbloom-agent local)" : "  (no key)")
                + (endpoint.isReachableFromOutside() ? "  reachable from outside, without TLS" : "");
    }

    private static void model(StringBuilder lines, StatusReport.Model model) {
        String state = model.state().equals("loading") ? "loading " + Math.round(100 * model.loadProgress()) + " %" : model.state();
        var facts = new StringBuilder(model.id()).append("  ").append(state);
        if (model.state().equals("ready") || model.state().equals("draining")) {
            facts.append("  ").append(model.busySlots()).append(" of ").append(model.slots()).append(" slots busy, ")
                    .append(model.waiting()).append(" waiting; ")
                    .append(Units.count(model.contextTokens())).append(" tokens of context each");
        }
        line(lines, labelled("model", facts.toString()));
        if (model.prefillTokensPerSecond() > 0 || model.decodeTokensPerSecond() > 0) {
            line(lines, labelled("", "reads " + Units.rate(model.prefillTokensPerSecond()) + " tokens/s, writes "
                    + Units.rate(model.decodeTokensPerSecond()) + " tokens/s; " + Units.count(model.finishedRequests()) + " answered, "
                    + Units.count(model.failedRequests()) + " failed, " + Units.count(model.cancelledRequests()) + " cancelled, "
                    + Units.count(model.refusedRequests()) + " refused"));
        }
        model.compute().filter(_ -> model.state().equals("ready") || model.state().equals("draining"))
                .ifPresent(compute -> line(lines, labelled("", ComputeText.of(compute, ZoneId.systemDefault()))));
        model.lastError().ifPresent(error -> line(lines, labelled("", "last error: " + error)));
    }

    private static String memory(StatusReport.Memory memory) {
        return "models hold " + Units.bytes(memory.reservedBytes()) + " of " + Units.bytes(memory.budgetBytes()) + "; the machine has "
                + Units.bytes(memory.physicalBytes()) + ", " + Units.bytes(memory.availableBytes()) + " available";
    }

    private static String labelled(String label, String text) {
        return String.format(LABEL, label, text);
    }

    private static void line(StringBuilder lines, String line) {
        lines.append(line).append(System.lineSeparator());
    }
}
