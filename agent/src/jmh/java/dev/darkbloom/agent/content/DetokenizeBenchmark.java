package dev.darkbloom.agent.content;

import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.Tokenizer.PieceTable;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A token's piece from the table, joined into characters and looked at for stop strings. Tokens of a sentence of the demo's kind. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class DetokenizeBenchmark {
    private static final String SENTENCE = "The agent runs a language model on your own machine, and answers \"in your language\": déjà vu.\n";

    /** Stop strings of the request. */
    @Param({"0", "2"})
    public int stops;

    private final Utf8Assembler assembler = new Utf8Assembler();
    private ModelRuntime runtime;
    private PieceTable pieces;
    private MemorySegment bytes;
    private StopMatcher matcher;
    private Content characters;
    private Content released;
    private int[] tokens;
    private int at;

    @Setup
    public void open() {
        runtime = LoadedModels.demo(1);
        pieces = runtime.tokenizer().pieces();
        bytes = pieces.bytes();
        tokens = LoadedModels.tokens(runtime, SENTENCE);
        matcher = StopMatcher.of(IntStream.range(0, stops).mapToObj(i -> OffHeap.utf8("\n\nStop" + i)).toList());
        characters = Content.confined(256);
        released = Content.confined(256);
    }

    @Benchmark
    public long piece() {
        int token = tokens[at];
        at = at + 1 == tokens.length ? 0 : at + 1;
        assembler.add(bytes, pieces.offset(token), pieces.length(token), characters);
        matcher.add(characters.buffer(), 0, characters.length(), released);
        characters.clear();
        long length = released.length();
        released.clear();
        return length;
    }

    @TearDown
    public void close() {
        characters.close();
        released.close();
        matcher.close();
        runtime.close();
    }
}
