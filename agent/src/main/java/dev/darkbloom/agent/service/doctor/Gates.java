package dev.darkbloom.agent.service.doctor;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.TestPosture;
import dev.darkbloom.agent.coordinator.LinkState;
import dev.darkbloom.agent.coordinator.LinkStatus;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.hardware.Finding;
import dev.darkbloom.agent.hardware.Posture;
import dev.darkbloom.agent.hardware.SystemMetrics;
import dev.darkbloom.agent.hardware.ThermalState;
import dev.darkbloom.agent.service.doctor.Gate.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The gates between a coordinator's consumers and this machine (provider protocol, 14), as far as the machine can know them.
 *
 * @param list in the order in which they are passed
 */
public record Gates(List<Gate> list) {
    /** The engine name that the coordinator of April 2026 routes to; it tells nobody whom it does not route to. */
    private static final String ROUTED_BACKEND = "inprocess-mlx";
    /** The one of coordinators since May 2026, which send messages of their own to nodes of this name. */
    private static final String LATER_ROUTED_BACKEND = "mlx-swift";
    /** How long an answered challenge counts; coordinators before May 2026 take six minutes, later ones sixteen. */
    private static final Duration CHALLENGE_FRESH = Duration.ofMinutes(6);
    private static final double GIB = 1L << 30;
    /** What coordinators count for a request that names no limit: 8,192 tokens of 400,000 bytes. */
    private static final double REQUEST_GB = 8_192 * 400_000.0 / 1e9;

    public Gates {
        list = List.copyOf(list);
    }

    /**
     * What is looked at.
     *
     * @param offered ids that are offered
     * @param account what is kept of an account
     * @param totalMemoryBytes of the machine, as it is reported
     * @param version as it is registered
     * @param posture as it was last measured
     * @param trustBefore what the coordinator last said it thinks of this machine, on whatever connection
     */
    public record Facts(AgentConfig.Coordinator config, LinkStatus link, List<String> offered, List<ModelStatus> models, long totalMemoryBytes,
            Account account, String version, Optional<Posture> posture, SystemMetrics metrics, Optional<LinkStatus.Trust> trustBefore,
            Instant now) {}

    /** The account that this machine is bound to. */
    public sealed interface Account {
        /** There is a token of this coordinator. */
        record Here() implements Account {}

        /** There is none. */
        record None() implements Account {}

        /** There is one of another coordinator, which is not told to this one. */
        record Elsewhere(String coordinator) implements Account {}

        /** The file cannot be read, or holds something else. */
        record Damaged(String problem) implements Account {}
    }

    /** Judges. */
    public static Gates of(Facts facts) {
        var gates = new ArrayList<Gate>();
        gates.add(network(facts));
        gates.add(login(facts));
        gates.add(claimed(routed(trust(facts), facts), facts));
        gates.add(posture(facts));
        gates.add(claimed(challenge(facts), facts));
        gates.add(routed(Gate.unknown("version", "registered as " + facts.version() + "; coordinators do not tell their minimum"), facts));
        gates.add(routed(backend(facts), facts));
        gates.add(routed(catalogue(facts), facts));
        gates.add(routed(runtime(facts), facts));
        gates.add(memory(facts));
        gates.add(thermal(facts));
        gates.add(Gate.pass("schedule", "no schedule is set", facts.now()));
        gates.add(drain(facts));
        return new Gates(gates);
    }

    /** Returns whether work can come: no where a required gate fails, unknown where one is not known, yes otherwise. */
    public Verdict eligible() {
        if (list.stream().anyMatch(gate -> gate.isRequired() && gate.verdict() == Verdict.FAIL)) {
            return Verdict.FAIL;
        }
        return list.stream().anyMatch(gate -> gate.isRequired() && gate.verdict() == Verdict.UNKNOWN) ? Verdict.UNKNOWN : Verdict.PASS;
    }

    /** Returns the first required gate that fails. */
    public Optional<Gate> firstFailed() {
        return list.stream().filter(gate -> gate.isRequired() && gate.verdict() == Verdict.FAIL).findFirst();
    }

    /** Whatever a coordinator does not tell of itself, it has no objection where it routes requests here. */
    private static Gate routed(Gate gate, Facts facts) {
        Optional<Instant> served = facts.link().state().isOpen() ? facts.link().lastServed() : Optional.empty();
        return gate.verdict() == Verdict.UNKNOWN && served.isPresent()
                ? Gate.pass(gate.name(), gate.detail() + "; but requests come", served.get()) : gate;
    }

    /** Says of what the coordinator makes of a claimed posture that it is one. */
    private static Gate claimed(Gate gate, Facts facts) {
        return facts.config().testPosture().isOn()
                ? new Gate(gate.name(), gate.verdict(), gate.isRequired(), "test posture: " + gate.detail(), gate.remedy(), gate.provenAt()) : gate;
    }

    private static Gate network(Facts facts) {
        LinkStatus link = facts.link();
        if (link.state().isOpen()) {
            Instant at = link.lastHeartbeat().or(link::connectedAt).orElse(link.since());
            return Gate.pass("network", "connected to " + link.address(), at);
        }
        String why = link.lastEnd().map(end -> ": " + end.detail()).orElse("");
        if (link.state() == LinkState.CONNECTING && link.lastEnd().isEmpty()) {
            return Gate.unknown("network", "connecting to " + link.address());
        }
        return Gate.fail("network", link.state().word() + why, link.advice(), link.since());
    }

    private static Gate login(Facts facts) {
        String remedy = "run: darkbloom-agent login";
        return switch (facts.account()) {
            case Account.Here() -> Gate.pass("login", "this machine is bound to an account", facts.now()).optional();
            case Account.None() -> Gate.fail("login",
                    "this machine belongs to no account: nobody is credited, and its owner's requests do not find it", remedy, facts.now()).optional();
            case Account.Elsewhere(String coordinator) -> Gate.fail("login", "logged in at " + coordinator + ", not at " + facts.link().address()
                    + ": nobody is credited here", remedy, facts.now()).optional();
            case Account.Damaged(String problem) -> Gate.fail("login", problem, remedy, facts.now()).optional();
        };
    }

    private static Gate trust(Facts facts) {
        Optional<LinkStatus.Trust> told = facts.link().trust();
        if (told.isPresent()) {
            return trust(told.get().level(), told.get().status(), told.get().reason().orElse(""), told.get().at());
        }
        Optional<LinkStatus.Listing> listed = facts.link().listed();
        if (listed.isPresent() && listed.get().isThere()) {
            return trust(listed.get().trustLevel(), listed.get().status(), "", listed.get().at());
        }
        String before = facts.trustBefore().map(last -> "; last told at " + last.at().truncatedTo(ChronoUnit.SECONDS) + ": level " + last.level() + ", "
                + last.status()).orElse("");
        return Gate.unknown("trust", "the coordinator has not said what it thinks of this machine" + before);
    }

    private static Gate trust(String level, String status, String reason, Instant at) {
        String detail = (level.isEmpty() ? "no level, " : "level " + level + ", ") + status + (reason.isEmpty() ? "" : ": " + reason);
        if (status.equals("untrusted") || status.equals("offline")) {
            return Gate.fail("trust", detail, "reconnect: darkbloom-agent stop, then start; if it comes back, see the log", at);
        }
        // Nothing is above hardware, so every floor is reached; whether a lower level reaches this coordinator's, it does not tell.
        return level.equals("hardware") ? Gate.pass("trust", detail, at)
                : Gate.unknown("trust", detail + "; the coordinator does not tell its floor, and the original's is hardware");
    }

    private static Gate posture(Facts facts) {
        TestPosture claimed = facts.config().testPosture();
        if (claimed.isOn()) {
            List<String> off = TestPosture.FLAGS.stream()
                    .filter(name -> !name.equals("hypervisor_active") && !claimed.flag(name).orElse(true))
                    // Memory that a hypervisor isolates may be open to RDMA.
                    .filter(name -> !name.equals("rdma_disabled") || !claimed.flag("hypervisor_active").orElse(false)).toList();
            return off.isEmpty()
                    ? Gate.pass("posture", "test posture: an eligible Mac's is claimed", facts.now())
                    : Gate.fail("posture", "test posture: claimed to be off: " + String.join(", ", off), "see coordinator.test_posture", facts.now());
        }
        if (facts.posture().isEmpty()) {
            return Gate.unknown("posture", "not measured yet");
        }
        Posture posture = facts.posture().get();
        var missing = new ArrayList<String>();
        Instant at = posture.sip().at();
        add(missing, "System Integrity Protection", posture.sip());
        add(missing, "secure boot", posture.secureBoot());
        add(missing, "RDMA off", posture.rdmaDisabled());
        add(missing, "debuggers denied", posture.antiDebug());
        add(missing, "core dumps off", posture.coreDumpsDisabled());
        add(missing, "environment scrubbed", posture.environmentScrubbed());
        return missing.isEmpty()
                ? Gate.pass("posture", "measured: nobody on this machine can look into the process", at)
                : Gate.fail("posture", "not proved: " + String.join("; ", missing), "see each in: darkbloom-agent status --json", at);
    }

    private static void add(List<String> missing, String name, Finding<Boolean> finding) {
        if (!finding.is(true)) {
            missing.add(name + " (" + finding.proof() + ")");
        }
    }

    private static Gate challenge(Facts facts) {
        Optional<Instant> last = facts.link().lastChallenge();
        if (last.isEmpty()) {
            return Gate.unknown("challenge", "no challenge was answered on this connection yet");
        }
        Duration age = Duration.between(last.get(), facts.now());
        return age.compareTo(CHALLENGE_FRESH) <= 0
                ? Gate.pass("challenge", "answered " + age.toSeconds() + " s ago", last.get())
                : Gate.fail("challenge", "the last one was answered " + age.toMinutes() + " min ago", "nothing: the coordinator asks again", last.get());
    }

    private static Gate backend(Facts facts) {
        String name = facts.config().backendName();
        if (name.equals(facts.link().isLater() ? LATER_ROUTED_BACKEND : ROUTED_BACKEND)) {
            return Gate.pass("backend", "registered as " + name, facts.now());
        }
        return new Gate("backend", Verdict.UNKNOWN, true, "registered as " + name
                + "; the original coordinators route only to one name of their own, " + ROUTED_BACKEND + " in April 2026 and "
                + LATER_ROUTED_BACKEND + " later", "towards a coordinator of your own, set coordinator.backend_name",
                Optional.empty());
    }

    private static Gate catalogue(Facts facts) {
        Optional<LinkStatus.Listing> listed = facts.link().listed();
        if (listed.isEmpty() || !listed.get().isThere()) {
            return Gate.unknown("catalogue", "the coordinator does not say which models it took: " + String.join(", ", facts.offered()));
        }
        List<String> taken = facts.offered().stream().filter(listed.get().models()::contains).toList();
        List<String> dropped = facts.offered().stream().filter(id -> !listed.get().models().contains(id)).toList();
        if (taken.isEmpty()) {
            return Gate.fail("catalogue", "the coordinator's catalogue has none of: " + String.join(", ", dropped),
                    "bind a file to an id that it knows: darkbloom-agent models add FILE --id ID", listed.get().at());
        }
        return Gate.pass("catalogue", "taken: " + String.join(", ", taken)
                + (dropped.isEmpty() ? "" : "; not in the coordinator's catalogue: " + String.join(", ", dropped)), listed.get().at());
    }

    private static Gate runtime(Facts facts) {
        if (!facts.link().mismatches().isEmpty()) {
            return Gate.fail("runtime", "hashes that the coordinator does not accept: "
                    + String.join(", ", facts.link().mismatches().stream().map(one -> one.component()).toList()),
                    "its operator has to admit this release; towards one of your own, set coordinator.runtime_hash", facts.link().since());
        }
        if (facts.link().manifest().isPresent()) {
            LinkStatus.Manifest manifest = facts.link().manifest().get();
            return manifest.isConfigured()
                    ? Gate.pass("runtime", "the coordinator has a manifest and has not objected", manifest.at())
                    : Gate.fail("runtime", "the coordinator has no runtime manifest; it routes to nobody then", "its operator has to configure one",
                            manifest.at());
        }
        return Gate.unknown("runtime", "the coordinator has not objected");
    }

    /**
     * The coordinator's own sum (provider protocol, 0.1, fact 17): weights by its catalogue, unless the model is loaded, and a request's tokens must fit
     * beside what is in use.
     */
    private static Gate memory(Facts facts) {
        List<ModelStatus> offered = facts.models().stream().filter(model -> facts.offered().contains(model.id())).toList();
        Optional<String> error = offered.stream().flatMap(model -> model.lastError().stream()).findFirst();
        if (error.isPresent() && offered.stream().noneMatch(model -> model.state() == ModelState.READY)) {
            return Gate.fail("memory", "no model is loaded: " + error.get(), "free memory, or start with another --model", facts.now());
        }
        double freeGb = (facts.totalMemoryBytes() - offered.stream().mapToLong(model -> model.load().activeBytes()).sum()) / GIB;
        var fitting = new ArrayList<String>();
        var unknown = new ArrayList<String>();
        var tooLarge = new ArrayList<String>();
        for (ModelStatus model : offered) {
            boolean isLoaded = model.state() == ModelState.READY;
            Optional<Double> weightsGb = isLoaded ? Optional.of(0.0) : Optional.ofNullable(facts.link().catalogueGb().get(model.id()));
            if (weightsGb.isEmpty()) {
                unknown.add(model.id());
            } else if (weightsGb.get() + REQUEST_GB <= freeGb) {
                fitting.add(model.id() + (isLoaded ? " (loaded)" : ""));
            } else {
                tooLarge.add(String.format(Locale.ROOT, "%s: %.1f GB of weights and %.1f GB for a request, where %.1f GB are free", model.id(),
                        weightsGb.get(), REQUEST_GB, freeGb));
            }
        }
        if (!fitting.isEmpty()) {
            return Gate.pass("memory", "there is room for " + String.join(", ", fitting), facts.now());
        }
        return unknown.isEmpty() && !tooLarge.isEmpty()
                ? Gate.fail("memory", "the coordinator counts " + String.join("; ", tooLarge),
                        "a model that is loaded counts without its weights: leave backend.startup_preload on", facts.now())
                : Gate.unknown("memory", "no model is loaded; the first request loads one");
    }

    private static Gate thermal(Facts facts) {
        Optional<String> claimed = facts.config().testPosture().text("thermal_state");
        if (claimed.isPresent()) {
            return claimed.get().equals("critical")
                    ? Gate.fail("thermal", "test posture: critical", "see coordinator.test_posture", facts.now())
                    : Gate.pass("thermal", "test posture: " + claimed.get(), facts.now());
        }
        var thermal = facts.metrics().thermal();
        if (thermal.state() == ThermalState.CRITICAL) {
            return Gate.fail("thermal", "the machine is too hot: " + thermal.source(), "let it cool; work comes back by itself",
                    facts.metrics().measuredAt());
        }
        return Gate.pass("thermal", thermal.state() + (thermal.isMeasured() ? "" : ", not measured: " + thermal.source()),
                facts.metrics().measuredAt());
    }

    private static Gate drain(Facts facts) {
        return facts.link().state() == LinkState.DRAINING
                ? Gate.fail("drain", "the agent is stopping", "start it again when it has ended", facts.link().since())
                : Gate.pass("drain", "not draining", facts.now());
    }
}
