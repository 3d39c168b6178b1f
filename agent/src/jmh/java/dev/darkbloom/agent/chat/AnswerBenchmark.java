package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.OffHeap;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A token through the whole of {@code chat}, from the ring to the event, in a text completion: the sum of the stages that are measured alone
 * elsewhere, but for the chat format's parser. The tokens come from a script, whose share is small.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class AnswerBenchmark {
    private static final int TOKENS = 20_000;

    /** Tokens that wait together when the request's thread looks; they leave as one event. */
    @Param({"1", "4"})
    public int together;

    private ChatFixture fixture;
    private Content body;
    private CountingSink sink;

    @Setup
    public void open() {
        int[] answer = new int[TOKENS];
        Arrays.fill(answer, 'a');
        fixture = new ChatFixture("demo");
        fixture.pool.answers(new Script(answer, together, 0, new Outcome.Finished(FinishReason.LENGTH)));
        body = OffHeap.body("{\"prompt\":\"x\",\"stream\":true}");
        sink = new CountingSink();
    }

    @Benchmark
    @OperationsPerInvocation(TOKENS)
    public long token() {
        fixture.completions.run(Endpoint.COMPLETIONS, new RequestId("r1"), body, sink);
        return sink.bytes;
    }

    @TearDown
    public void close() {
        body.close();
    }
}
