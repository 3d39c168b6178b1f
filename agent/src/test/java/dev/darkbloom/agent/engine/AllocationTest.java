package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The engine's thread allocates nothing per token: no garbage, no pauses that grow with the traffic. */
@Timeout(120)
class AllocationTest {
    private static final int WARM_UP = 30_000;
    private static final int MEASURED = 20_000;

    @Test
    void decodingAllocatesNothingOnTheEngineThread() throws Exception {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (var rig = Rig.of(Rig.spec(WARM_UP + MEASURED + 2000, 4)); ModelLease lease = rig.acquire()) {
            long engine = QueueTest.engineThread().threadId();
            List<Thread> readers = new ArrayList<>();
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Caller caller = Caller.of(Rig.prompt(i, 50)).max(WARM_UP + MEASURED + 1000).ring(256).logprobs(2).submit(lease);
                callers.add(caller);
                // Virtual, since waking those is what would allocate.
                readers.add(Thread.ofVirtual().start(() -> read(caller)));
            }

            Rig.until(() -> generated(callers) >= 4L * WARM_UP);
            long tokensBefore = generated(callers);
            long bytesBefore = threads.getThreadAllocatedBytes(engine);
            Rig.until(() -> generated(callers) >= 4L * (WARM_UP + MEASURED));
            long bytes = threads.getThreadAllocatedBytes(engine) - bytesBefore;
            long tokens = generated(callers) - tokensBefore;
            for (int i = 0; i < 4; i++) {
                readers.get(i).join();
                callers.get(i).close();
            }

            assertThat(tokens).isGreaterThan(MEASURED);
            assertThat(bytes).as("bytes for %d tokens", tokens).isZero();
        }
    }

    private static long generated(List<Caller> callers) {
        long tokens = 0;
        for (Caller caller : callers) {
            tokens += caller.generation().progress().generatedTokens();
        }
        return tokens;
    }

    private static void read(Caller caller) {
        try {
            caller.readAll();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
