package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What a token costs on the heap between the ring and the sink: the views that a piece of text is handed on in, and nothing else. */
class AnswerAllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @Test
    void anEventOfOneTokenCostsOneView() {
        long perToken = bytesPerToken(1);

        assertThat(perToken).isLessThanOrEqualTo(48);
    }

    @Test
    void tokensThatShareAnEventShareItsCost() {
        assertThat(bytesPerToken(32)).isLessThanOrEqualTo(8);
    }

    private static long bytesPerToken(int perAwait) {
        ChatFixture fixture = new ChatFixture("demo");
        for (int warm = 0; warm < 6; warm++) {
            allocated(fixture, 20_000, perAwait);
        }
        long few = allocated(fixture, 10_000, perAwait);
        long many = allocated(fixture, 60_000, perAwait);
        return (many - few) / 50_000;
    }

    private static long allocated(ChatFixture fixture, int tokens, int perAwait) {
        int[] answer = new int[tokens];
        Arrays.fill(answer, 'a');
        fixture.pool.answers(new Script(answer, perAwait, 0, new Outcome.Finished(FinishReason.LENGTH)));
        try (Content body = OffHeap.body("{\"prompt\":\"x\",\"stream\":true,\"stop\":[\"zz\",\"ab\"]}")) {
            long before = THREADS.getCurrentThreadAllocatedBytes();
            fixture.completions.run(Endpoint.COMPLETIONS, new RequestId("r1"), body, new CountingSink());
            return THREADS.getCurrentThreadAllocatedBytes() - before;
        }
    }
}
