package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** What {@code status} and {@code doctor} say of a coordinator. */
final class CoordinatorText {
    private CoordinatorText() {}

    /** One line and its label, which is empty in all but the first of several. */
    record Line(String label, String text) {}

    static List<Line> lines(StatusReport.Coordinator coordinator) {
        var lines = new ArrayList<Line>();
        lines.add(new Line("coordinator", coordinator.url() + "  " + coordinator.state() + "  (" + coordinator.advice() + ")"
                + coordinator.proxy().map(proxy -> "  through " + proxy).orElse("")));
        if (coordinator.connectedAt().isEmpty()) {
            coordinator.lastEnd().ifPresent(end -> lines.add(new Line("", "last: " + end + coordinator.nextAttemptAt()
                    .map(at -> "; tries again in " + Units.time(positive(Duration.between(Instant.now(), at)))).orElse(""))));
        }
        lines.add(new Line("work", (coordinator.isTestPosture() ? "test posture: " : "") + work(coordinator)));
        if (coordinator.isTestPosture()) {
            lines.add(new Line("", "test posture: an eligible Mac's protections are claimed, not measured"));
        }
        coordinator.gates().stream().filter(gate -> !gate.isRequired() && gate.verdict().equals("fail")).forEach(gate -> lines.add(new Line("",
                gate.name() + ": " + gate.detail() + (gate.remedy().isEmpty() ? "" : "  (" + gate.remedy() + ")"))));
        lines.add(new Line("", "offered: " + String.join(", ", coordinator.offered()) + (coordinator.privateOnly() ? "; to their owner only" : "")));
        switch (coordinator.signingKey()) {
            case "software" -> lines.add(new Line("", "signing key: software, a file that whoever administers this machine can copy"));
            case "secure enclave" -> lines.add(new Line("", "signing key: in the Secure Enclave"));
            default -> { } // an older agent does not say
        }
        lines.add(new Line("", "served " + Units.count(coordinator.served()) + " requests, " + Units.count(coordinator.tokens()) + " tokens; "
                + Units.count(coordinator.inFlight()) + " in flight, " + Units.count(coordinator.failed()) + " failed, "
                + Units.count(coordinator.cancelled()) + " cancelled"));
        coordinator.fetches().forEach(fetch -> lines.add(new Line("", fetch(fetch))));
        return lines;
    }

    private static String fetch(StatusReport.Fetch fetch) {
        return "build " + fetch.build() + ": " + switch (fetch.state()) {
            case "fetching" -> fetch.bytesTotal() == 0 ? "begins" : Units.bytes(fetch.bytesDone()) + " of " + Units.bytes(fetch.bytesTotal()) + " are here";
            case "done" -> "fetched";
            case "failed" -> "not fetched: " + fetch.problem().orElse("");
            default -> fetch.state();
        };
    }

    private static Duration positive(Duration duration) {
        return duration.isNegative() ? Duration.ZERO : duration;
    }

    private static String work(StatusReport.Coordinator coordinator) {
        return switch (coordinator.eligible()) {
            case "yes" -> "can come: every gate is open";
            case "no" -> coordinator.gates().stream().filter(gate -> gate.isRequired() && gate.verdict().equals("fail")).findFirst()
                    .map(gate -> "cannot come: " + gate.name() + ": " + gate.detail() + (gate.remedy().isEmpty() ? "" : "  (" + gate.remedy() + ")"))
                    .orElse("cannot come");
            default -> "may come; not known: " + String.join(", ", coordinator.gates().stream()
                    .filter(gate -> gate.isRequired() && gate.verdict().equals("unknown")).map(StatusReport.Gate::name).toList())
                    + "  (darkbloom-agent doctor)";
        };
    }

    /** Returns a gate as {@code doctor} lists it. */
    static String gate(StatusReport.Gate gate) {
        String mark = switch (gate.verdict()) {
            case "pass" -> "ok   ";
            case "fail" -> gate.isRequired() ? "FAIL " : "warn ";
            default -> "?    ";
        };
        String remedy = gate.remedy().isEmpty() ? "" : "\n" + " ".repeat(19) + "→ " + gate.remedy();
        return String.format("%s %-12s %s", mark, gate.name(), gate.detail()) + remedy;
    }
}
