package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.llama.ChatTemplate.ChatInputs;
import dev.darkbloom.agent.llama.ChatTemplate.ToolChoice;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
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

/** A token's text through the parser of the demo's chat format, at the beginning of an answer and far into it. Decides how often it may be asked. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class AnswerParserBenchmark implements ChatParser.Sink {
    private static final int TOKENS = 200;

    /** Tokens that the answer has before the measured ones. */
    @Param({"0", "1800"})
    public int before;

    private final MemorySegment word = OffHeap.utf8(" word");
    private ModelRuntime runtime;
    private ChatFormat format;
    private ChatParser parser;
    private long seen;

    @Setup
    public void open() {
        runtime = LoadedModels.demo(1);
        format = runtime.chatTemplate().apply(new ChatInputs(OffHeap.utf8("[{\"role\":\"user\",\"content\":\"Hi\"}]"), MemorySegment.NULL, MemorySegment.NULL,
                MemorySegment.NULL, MemorySegment.NULL, 0, ToolChoice.AUTO, false, false, true, true, false));
    }

    @Setup(Level.Invocation)
    public void begin() {
        parser = format.openParser(true);
        for (int i = 0; i < before; i++) {
            parser.feed(word, false, this);
        }
    }

    @Benchmark
    @OperationsPerInvocation(TOKENS)
    public long feed() {
        for (int i = 0; i < TOKENS; i++) {
            parser.feed(word, false, this);
        }
        return seen;
    }

    @TearDown(Level.Invocation)
    public void end() {
        parser.close();
    }

    @TearDown
    public void close() {
        format.close();
        runtime.close();
    }

    @Override
    public void reasoning(MemorySegment text) {
        seen += text.byteSize();
    }

    @Override
    public void content(MemorySegment text) {
        seen += text.byteSize();
    }

    @Override
    public void toolCall(int index, MemorySegment id, MemorySegment name) {
        seen++;
    }

    @Override
    public void toolArguments(int index, MemorySegment text) {
        seen += text.byteSize();
    }
}
