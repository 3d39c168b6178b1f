package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The engine's thread allocates nothing per token: no garbage, no pauses that grow with the traffic.
 *
 * <p>Code that is not compiled yet, or compiled anew, may allocate for a moment. So the test reads the bytes once per window of tokens and
 * asks for several clean windows in a row, which a single byte per token would never give.
 */
@Timeout(120)
class AllocationTest {
    private static final int STREAMS = 4;
    private static final int TOKENS_PER_STREAM = 300_000;
    private static final long WINDOW_TOKENS = 10_000;
    private static final int CLEAN_WINDOWS = 4;

    @Test
    void decodingAllocatesNothingOnTheEngineThread() throws Exception {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (var rig = Rig.of(Rig.spec(TOKENS_PER_STREAM + 100, STREAMS)); ModelLease lease = rig.acquire()) {
            long engine = QueueTest.engineThread().threadId();
            List<Caller> callers = new ArrayList<>();
            List<Thread> readers = new ArrayList<>();
            for (int i = 0; i < STREAMS; i++) {
                Caller caller = Caller.of(Rig.prompt(i, 50)).max(TOKENS_PER_STREAM).ring(256).logprobs(2).submit(lease);
                callers.add(caller);
                readers.add(Thread.ofVirtual().start(() -> read(caller))); // waking virtual threads is what would allocate
            }

            List<Long> bytesPerWindow = new ArrayList<>();
            int clean = 0;
            while (clean < CLEAN_WINDOWS && callers.stream().noneMatch(caller -> caller.generation().isFinished())) {
                long before = threads.getThreadAllocatedBytes(engine);
                long target = generated(callers) + WINDOW_TOKENS;
                Rig.until(() -> generated(callers) >= target || callers.getFirst().generation().isFinished());
                long bytes = threads.getThreadAllocatedBytes(engine) - before;
                bytesPerWindow.add(bytes);
                clean = bytes == 0 ? clean + 1 : 0;
            }
            for (int i = 0; i < STREAMS; i++) {
                callers.get(i).generation().cancel();
                readers.get(i).join();
                callers.get(i).close();
            }

            assertThat(clean).as("clean windows at the end of %s", bytesPerWindow).isEqualTo(CLEAN_WINDOWS);
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
