package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.llama.TokenSampler;
import dev.darkbloom.agent.testing.FakeOpener;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
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
 * A token through the engine's loop over a decoder that computes next to nothing: planning, committing, handing out, waking. The decoder's own
 * share is the baseline. Decides whether the loop or the library is what a step waits for.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class StepBenchmark {
    private static final int TOKENS = 20_000;
    private static final int WHOLE = 16 * TOKENS;
    private static final int CONTEXT = 1 << 14;
    private static final int TOKEN = 5;

    /** Requests that are answered together; the engine has 16 slots. */
    @Param({"1", "16"})
    public int streams;

    /** Whether a virtual thread waits for each answer's tokens, or nobody reads before the end. */
    @Param({"none", "await"})
    public String readers;

    private Rig rig;
    private ModelLease lease;
    private TokenDecoder decoder;
    private TokenSampler sampler;
    private int position;

    @Setup
    public void open() throws InterruptedException {
        rig = Rig.of(Rig.spec(WHOLE + 100, 16));
        lease = rig.acquire();
        ModelRuntime model = new FakeOpener().open(Rig.spec(CONTEXT, 16), _ -> true);
        decoder = model.openDecoder();
        sampler = model.newSampler(SamplerSettings.greedy(), null, CONTEXT);
        sampler.acceptPrompt(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_INT, TOKEN)); // the decoder compares it with what it holds
    }

    /** {@value #WHOLE} tokens by all streams together. */
    @Benchmark
    @OperationsPerInvocation(WHOLE)
    public void token() throws Exception {
        int each = WHOLE / streams;
        List<Caller> callers = new ArrayList<>();
        for (int i = 0; i < streams; i++) {
            callers.add(Caller.of(Rig.prompt(i, 8)).max(each).ring(readers.equals("none") ? each : 256).submit(lease));
        }
        List<Thread> threads = new ArrayList<>();
        for (Caller caller : callers) {
            threads.add(Thread.ofVirtual().start(() -> read(caller)));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        callers.forEach(Caller::close);
    }

    private void read(Caller caller) {
        try {
            if (readers.equals("none")) {
                caller.read(1);
                while (!caller.generation().isFinished()) {
                    Thread.sleep(1); // whoever awaited it would be woken, which is what this measures without
                }
            } else {
                caller.readAll();
            }
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** What the decoder takes for one step of all streams; to be divided by them. */
    @Benchmark
    public int decoderAlone() {
        decoder.clearBatch();
        for (int sequence = 0; sequence < streams; sequence++) {
            decoder.add(TOKEN, position, sequence, true);
        }
        decoder.decode();
        int sum = 0;
        for (int row = 0; row < streams; row++) {
            sum += decoder.sample(sampler, row);
        }
        if (++position == CONTEXT) {
            position = 0;
            for (int sequence = 0; sequence < streams; sequence++) {
                decoder.removeFrom(sequence, 0);
            }
        }
        return sum;
    }

    @TearDown
    public void close() {
        sampler.close();
        decoder.close();
        lease.close();
        rig.close();
    }
}
