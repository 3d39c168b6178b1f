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
    void theStateComesFirstThenEverythingElse() {
        var report = new StatusReport(
                "ready", "nothing to do", "local", 4711, "0.1.0", "v0.4.0", "25", "mac-arm64", Instant.EPOCH, 3720,
                Optional.of(new StatusReport.Endpoint("http://127.0.0.1:8000/v1", "127.0.0.1", 8000, true, false)),
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
