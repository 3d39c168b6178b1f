package dev.darkbloom.agent.service;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.coordinator.LinkEnd;
import dev.darkbloom.agent.coordinator.LinkStatus;
import dev.darkbloom.agent.hardware.Finding;
import dev.darkbloom.agent.hardware.Posture;
import dev.darkbloom.agent.service.control.StatusReport;
import dev.darkbloom.agent.service.doctor.Gates;
import java.util.List;
import java.util.Locale;

/** The coordinator's part of a status report. */
final class CoordinatorReports {
    private CoordinatorReports() {}

    static StatusReport.Coordinator of(CoordinatorParts parts) {
        LinkStatus link = parts.status();
        Gates gates = parts.gates(link);
        return new StatusReport.Coordinator(
                link.address().toString(),
                link.proxy(),
                link.state().word(),
                link.advice(),
                link.since(),
                link.connectedAt(),
                link.lastHeartbeat(),
                link.lastChallenge(),
                link.lastEnd().map(LinkEnd::detail),
                link.nextAttempt(),
                link.attempts(),
                switch (gates.eligible()) {
                    case PASS -> "yes";
                    case FAIL -> "no";
                    case UNKNOWN -> "unknown";
                },
                parts.config().testPosture().isOn(),
                parts.config().backendName(),
                parts.config().privateOnly(),
                parts.isSignedInSecureEnclave() ? "secure enclave" : "software",
                parts.offered(),
                link.traffic().served(),
                link.traffic().failed(),
                link.traffic().cancelled(),
                link.traffic().inFlight(),
                link.traffic().tokens(),
                link.traffic().notOpened(),
                link.traffic().unknownTypes(),
                link.traffic().malformed(),
                link.traffic().recent(),
                parts.downloads().stream().map(fetch -> new StatusReport.Fetch(fetch.buildId(), fetch.state().name().toLowerCase(Locale.ROOT),
                        fetch.bytesDone(), fetch.bytesTotal(), fetch.problem().map(AgentException::getMessage))).toList(),
                gates.list().stream().map(gate -> new StatusReport.Gate(gate.name(), gate.verdict().name().toLowerCase(Locale.ROOT), gate.isRequired(),
                        gate.detail(), gate.remedy(), gate.provenAt())).toList(),
                parts.posture().map(CoordinatorReports::findings).orElse(List.of()));
    }

    private static List<StatusReport.Finding> findings(Posture posture) {
        return List.of(
                finding("sip", posture.sip()),
                finding("secure_boot", posture.secureBoot()),
                finding("authenticated_root", posture.authenticatedRoot()),
                finding("rdma_disabled", posture.rdmaDisabled()),
                finding("hypervisor", posture.hypervisor()),
                finding("debugger_attached", posture.debuggerAttached()),
                finding("anti_debug", posture.antiDebug()),
                finding("core_dumps_disabled", posture.coreDumpsDisabled()),
                finding("environment_scrubbed", posture.environmentScrubbed()),
                finding("runtime_hash", posture.runtimeHash()),
                finding("binary_hash", posture.binaryHash()));
    }

    private static StatusReport.Finding finding(String name, Finding<?> found) {
        return new StatusReport.Finding(name, found.value().map(Object::toString).orElse("unknown"), found.proof(), found.at());
    }
}
