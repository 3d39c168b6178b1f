package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One event of a streamed chat completion, from a piece of text to the bytes of its data line. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class ChunkBenchmark {
    private final MemorySegment text = OffHeap.utf8(" \"word\"");
    private final CountingSink sink = new CountingSink();
    private ContentArena memory;
    private ChunkEvents events;

    @Setup
    public void open() {
        var head = new ResponseHead("chatcmpl-0123456789abcdef", 1_790_000_000L, "bloom-demo", "llama.cpp-v0.4.0");
        memory = new ContentArena();
        events = new ChunkEvents(memory, head, "chat.completion.chunk", sink, true, false);
    }

    @Benchmark
    public long event() {
        events.begin(0).raw("\"delta\":{").raw("\"content\":").text(text).raw("}").raw(",\"finish_reason\":null}]");
        events.send();
        return sink.bytes;
    }

    @TearDown
    public void close() {
        events.close();
        memory.close();
    }
}
