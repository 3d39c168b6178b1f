package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
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

/** From logits to a token. Decides what is worth a path of its own beside llama.cpp's chain, which sorts or copies the whole vocabulary. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
@State(Scope.Thread)
public class SampleBenchmark {
    /** The demo, or a model whose vocabulary is SmolLM2's size. */
    @Param({"demo", "vocabulary49152"})
    public String model;

    /** Greedy, or the agent's defaults: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05. */
    @Param({"greedy", "defaults"})
    public String chain;

    private Path file;
    private ModelRuntime runtime;
    private TokenDecoder decoder;
    private TokenSampler sampler;
    private int row;

    @Setup
    public void open() throws IOException {
        file = Files.createTempFile("sample", ".gguf");
        runtime = LoadedModels.load(LoadedModels.spec("bench",
                model.equals("demo") ? TestModels.demo() : TinyModels.llamaOf(7, 1, 64, 4, 2, 128, 49_152).write(file), 256, 1));
        decoder = runtime.openDecoder();
        row = decoder.add(LoadedModels.tokens(runtime, "Hello")[0], 0, 0, true);
        decoder.decode();
        sampler = runtime.newSampler(chain.equals("greedy") ? SamplerSettings.greedy() : defaults(), null, 256);
    }

    private static SamplerSettings defaults() {
        return new SamplerSettings(0.8f, 0f, 1f, 40, 0.95f, 0.05f, 1f, -1f, 0f, 0.1f, 0, 1f, 0f, 0f, 0f, 1.75f, 2, 0, 0, 5f, 0.1f, -1f, 0.9f, 1, 0,
                false, List.of(), MemorySegment.NULL, null);
    }

    @Benchmark
    public int sample() {
        return decoder.sample(sampler, row);
    }

    @TearDown
    public void close() throws IOException {
        sampler.close();
        decoder.close();
        runtime.close();
        Files.delete(file);
    }
}
