package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.FakeBehaviour;
import dev.darkbloom.agent.testing.FakeOpener;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.awaitility.Awaitility;

/** An engine over fakes. Closing it checks that nothing is left open and that nothing was done that llama.cpp would not survive. */
final class Rig implements AutoCloseable {
    static final String MODEL = "m";

    final FakeOpener opener = new FakeOpener();
    final FakeBehaviour behaviour = opener.behaviour(MODEL);
    final MemoryLedger ledger;
    final Engine engine;

    private Rig(EngineSettings settings, NanoClock clock, long budgetBytes) {
        ledger = new MemoryLedger(budgetBytes);
        engine = Engine.open(settings, opener, ledger, clock);
    }

    static EngineSettings settings() {
        return EngineSettings.defaults().withUnloadGrace(Duration.ZERO);
    }

    /** Returns an engine that knows one model. */
    static Rig of(ModelSpec spec) {
        return of(spec, settings(), NanoClock.SYSTEM);
    }

    static Rig of(ModelSpec spec, EngineSettings settings, NanoClock clock) {
        var rig = new Rig(settings, clock, Long.MAX_VALUE);
        rig.engine.register(spec, false);
        return rig;
    }

    /** Returns an engine without models and with so many bytes. */
    static Rig withBytes(long budgetBytes, EngineSettings settings, NanoClock clock) {
        return new Rig(settings, clock, budgetBytes);
    }

    static ModelSpec spec(int contextTokens, int slots) {
        return spec(MODEL, contextTokens, slots, 64, 32, false);
    }

    static ModelSpec spec(String id, int contextTokens, int slots, int batchTokens, int ubatchTokens, boolean embedding) {
        return new ModelSpec(id, List.of(Path.of(id + ".gguf")), contextTokens, slots, KvLayout.STREAMS, (long) contextTokens * slots, 0,
                embedding, "", ComputeSettings.safe(1, batchTokens, ubatchTokens));
    }

    ModelLease acquire() throws InterruptedException {
        return engine.acquire(MODEL);
    }

    ModelStatus status() {
        return status(MODEL);
    }

    ModelStatus status(String id) {
        return engine.models().stream().filter(model -> model.id().equals(id)).findFirst().orElseThrow();
    }

    /** Waits until the model stands before a decode that it may not make. */
    void awaitHeld() {
        until(behaviour::isWaiting);
    }

    /** Lets a held model make one decode and waits until it stands before the next one. */
    void oneStep() {
        long before = behaviour.arrivals();
        behaviour.step();
        until(() -> behaviour.arrivals() > before);
    }

    static void until(java.util.concurrent.Callable<Boolean> condition) {
        Awaitility.await().atMost(Duration.ofSeconds(60)).pollInterval(Duration.ofMillis(1)).until(condition);
    }

    /** Returns a prompt of random tokens. */
    static int[] prompt(long seed, int tokens) {
        return new Random(seed).ints(tokens, 3, 259).toArray();
    }

    /** Returns a prompt that begins with all of another. */
    static int[] extended(int[] beginning, long seed, int more) {
        int[] prompt = java.util.Arrays.copyOf(beginning, beginning.length + more);
        System.arraycopy(prompt(seed, more), 0, prompt, beginning.length, more);
        return prompt;
    }

    @Override
    public void close() {
        opener.release();
        behaviour.release();
        engine.close();
        assertThat(behaviour.violations()).isEmpty();
        assertThat(behaviour.leaks()).isEmpty();
        assertThat(ledger.reservedBytes()).isZero();
    }
}
