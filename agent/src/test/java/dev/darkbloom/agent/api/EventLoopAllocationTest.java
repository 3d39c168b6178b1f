package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.time.InstantSource;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a token costs on the heap from the ring to the socket, where each is an event and a write of its own. */
@Timeout(120)
class EventLoopAllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @Test
    void aTokenThatIsWrittenByItselfCostsNoMoreThanAnObjectOrTwo() {
        var pool = new FakeModelPool(new ManualClock(), "demo");
        var completions = new Completions(pool, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
        try (var server = TestServer.open(completions::run); RawConnection connection = server.connect()) {
            long loop = loopThread();
            for (int warm = 0; warm < 4; warm++) {
                allocated(pool, connection, loop, 20_000);
            }
            long few = allocated(pool, connection, loop, 10_000);
            long many = allocated(pool, connection, loop, 60_000);

            assertThat((many - few) / 50_000).isLessThanOrEqualTo(64);
        }
    }

    private static long allocated(FakeModelPool pool, RawConnection connection, long loop, int tokens) {
        int[] answer = new int[tokens];
        Arrays.fill(answer, 'a');
        pool.answers(new Script(answer, 1, 0, new Outcome.Finished(FinishReason.LENGTH)));
        long before = THREADS.getThreadAllocatedBytes(loop);
        connection.send(RawConnection.post("/v1/completions", "{\"prompt\":\"x\",\"stream\":true}"));
        connection.readHead();
        int chunks = 0;
        while (!connection.readChunk().isEmpty()) {
            chunks++;
        }
        assertThat(chunks).as("writes").isGreaterThan(tokens / 2);
        return THREADS.getThreadAllocatedBytes(loop) - before;
    }

    private static long loopThread() {
        for (ThreadInfo info : THREADS.getThreadInfo(THREADS.getAllThreadIds())) {
            if (info != null && info.getThreadName().startsWith("api-io")) {
                return info.getThreadId();
            }
        }
        throw new AssertionError("no event loop");
    }
}
