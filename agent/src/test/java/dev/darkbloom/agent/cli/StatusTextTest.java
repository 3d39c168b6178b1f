package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class StatusTextTest {
    private static final StatusReport.Compute COMPUTE = new StatusReport.Compute(4, 0, "auto", 512, 0, "waiting",
            Optional.of("mains power (the machine runs on its battery at 83 %)"), Optional.empty(), 0, 0);

    @Test
    void aCoordinatorsLinesSayWhetherWorkCanComeAndWhatStopsIt() {
        var coordinator = new StatusReport.Coordinator("wss://c.example/ws/provider", Optional.empty(), "connected", "nothing to do",
                Instant.parse("2026-11-24T08:00:00Z"), Optional.of(Instant.parse("2026-11-24T08:00:01Z")), Optional.empty(), Optional.empty(),
                Optional.of("closed with 1000 goodbye"), Optional.empty(), 0, "no", true, "llama.cpp", false, "software", List.of("org/m"), 12, 1, 2, 3,
                400, 5, 6, 7, List.of("r-1"),
                List.of(new StatusReport.Fetch("org/n", "fetching", 3 << 20, 12 << 20, Optional.empty()),
                        new StatusReport.Fetch("org/x", "failed", 0, 0, Optional.of("the catalogue has no manifest of org/x"))),
                List.of(new StatusReport.Gate("network", "pass", true, "connected", "", Optional.of(Instant.EPOCH)),
                        new StatusReport.Gate("thermal", "fail", true, "too hot", "let it cool", Optional.empty())),
                List.of(new StatusReport.Finding("sip", "unknown", "no csrutil", Instant.EPOCH)));

        var text = CoordinatorText.lines(coordinator).stream().map(line -> line.label() + "|" + line.text()).toList();

        assertThat(text).containsExactly(
                "coordinator|wss://c.example/ws/provider  connected  (nothing to do)",
                "work|test posture: cannot come: thermal: too hot  (let it cool)",
                "|test posture: an eligible Mac's protections are claimed, not measured",
                "|offered: org/m",
                "|signing key: software, a file that whoever administers this machine can copy",
                "|served 12 requests, 400 tokens; 3 in flight, 1 failed, 2 cancelled",
                "|build org/n: 3.0 MiB of 12 MiB are here",
                "|build org/x: not fetched: the catalogue has no manifest of org/x");
        assertThat(CoordinatorText.gate(coordinator.gates().getLast())).isEqualTo("FAIL  thermal      too hot\n                   → let it cool");
    }

    @Test
    void theStateComesFirstThenEverythingElse() {
        var report = new StatusReport(
                "ready", "nothing to do", "local", 4711, "0.1.0", "v0.4.0", "25", "mac-arm64", Instant.EPOCH, 3720,
                Optional.of(new StatusReport.Endpoint("http://127.0.0.1:8000/v1", "127.0.0.1", 8000, true, false)),
                Optional.empty(),
                List.of(
                        new StatusReport.Model("demo", "ready", 1, Optional.empty(), 8, 2, 1, 64, 2048, 300, 1000, 400, 5000, 20, 1, 2, 3,
                                1234.5, 45.67, 4L << 20, Optional.of(COMPUTE)),
                        new StatusReport.Model("slow", "loading", 0.42, Optional.empty(), 8, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Optional.empty()),
                        new StatusReport.Model("big", "failed", 0, Optional.of("needs 9 bytes; 3 of 8 are free"),
                                8, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Optional.empty())),
                new StatusReport.Memory(10L << 30, 4L << 20, 16L << 30, 12L << 30),
                "/h", "/h/agent.toml", "/h/logs/agent.log");

        assertThat(StatusText.of(report)).isEqualToNormalizingNewlines("""
                state      ready  (nothing to do)
                mode       local: answers this machine's own clients, no coordinator is connected
                endpoint   http://127.0.0.1:8000/v1  (key: darkbloom-agent local)
                model      demo  ready  2 of 8 slots busy, 1 waiting; 2,048 tokens of context each
                           reads 1,235 tokens/s, writes 45.7 tokens/s; 20 answered, 1 failed, 2 cancelled, 3 refused
                           computes with 4 threads, flash attention auto, ubatch 512; not measured yet: waits for mains power (the machine \
                runs on its battery at 83 %)
                model      slow  loading 42 %
                model      big  failed
                           last error: needs 9 bytes; 3 of 8 are free
                memory     models hold 4.0 MiB of 10 GiB; the machine has 16 GiB, 12 GiB available
                agent      0.1.0, llama.cpp v0.4.0, Java 25, mac-arm64; process 4711, up 1 h 2 min
                log        /h/logs/agent.log""");
    }
}
