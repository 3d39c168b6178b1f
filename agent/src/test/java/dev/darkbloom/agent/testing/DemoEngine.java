package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ModelSpec;

/** The real engine with the demo model in it: four slots of 2,048 tokens, computed by one thread. */
public final class DemoEngine implements AutoCloseable {
    private final Engine engine;

    private DemoEngine(Engine engine) {
        this.engine = engine;
    }

    public static DemoEngine open() throws InterruptedException {
        Engine engine = Engine.open(EngineSettings.defaults().withMinContextTokens(512), LoadedModels.backend(), new MemoryLedger(4L << 30),
                NanoClock.SYSTEM);
        engine.register(oneThread(LoadedModels.spec("demo", TestModels.demo(), 2048, 4)), false);
        engine.load("demo");
        return new DemoEngine(engine);
    }

    /** On a machine with other work two threads wait for each other at every layer; one is much faster then. */
    private static ModelSpec oneThread(ModelSpec spec) {
        return spec.withCompute(spec.compute().withThreads(1));
    }

    public Engine engine() {
        return engine;
    }

    /** Returns the model's state and counters. */
    public ModelStatus status() {
        return engine.models().getFirst();
    }

    @Override
    public void close() {
        engine.close();
    }
}
