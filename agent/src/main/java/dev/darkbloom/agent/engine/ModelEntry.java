package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.llama.ModelSpec;
import java.util.Optional;
import java.util.OptionalDouble;

/** One registered model and where it stands. Everything that changes is guarded by {@link ModelTable}'s lock, but for {@link #loadProgress}. */
final class ModelEntry {
    final ModelSpec spec;
    final RoomChoice room;

    ModelState state = ModelState.UNLOADED;
    /** The model in memory; null unless it is ready or being unloaded. */
    LoadedModel loaded;
    /** Counts loads, so that a thread that waited for one knows whether it was that one that failed. */
    long loads;
    /** Why the last load failed; null when it did not. */
    AgentException failure;
    /** What {@code status} shows, the last rebuild of a context included; null when there is nothing. */
    String lastError;
    /** What the last load took; 0 before the first. */
    long loadNanos;
    int failuresInARow;
    long retryAtNanos;
    /** Whether the model is on its way out only because another one needs its room; who asks for it then waits instead of being refused. */
    boolean evicted;
    /** Whether it was unregistered; it is never loaded again then. */
    boolean removed;
    /** 0 to 1; written by {@code model-loader}. */
    volatile double loadProgress;

    ModelEntry(ModelSpec spec, RoomChoice room) {
        this.spec = spec;
        this.room = room;
    }

    /** Returns whether the model serves and nobody holds it. */
    boolean isIdle() {
        return state == ModelState.READY && loaded.leases == 0;
    }

    ModelStatus status(int queueLimit, long nowNanos) {
        if (loaded == null) {
            double progress = state == ModelState.LOADING ? loadProgress : 0;
            return new ModelStatus(spec.id(), state, progress, Optional.ofNullable(lastError), spec.slots(), 0, 0, queueLimit,
                    spec.contextTokensPerSequence(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ModelLoad.NONE,
                    ModelHealth.notLoaded(loadNanos / 1_000_000));
        }
        ModelCounters counters = loaded.loop.counters;
        int busy = (int) counters.busySlots.read();
        int waiting = Math.max(0, loaded.loop.admission.taken() - busy);
        return new ModelStatus(spec.id(), state, 1, Optional.ofNullable(lastError), loaded.dimensions.slots(), busy, waiting, queueLimit,
                loaded.dimensions.contextTokens(), counters.usedTokens.read(), counters.promptTokens.read(), counters.cachedTokens.read(),
                counters.generatedTokens.read(), counters.steps.read(), counters.finished.read(), counters.brief.read(), counters.failed.read(),
                counters.cancelled.read(), counters.refused.get(), counters.prefillMilliRate.read() / 1000.0,
                counters.decodeMilliRate.read() / 1000.0, loaded.reservation.need().totalBytes(), load(counters),
                health(counters, nowNanos));
    }

    private ModelHealth health(ModelCounters counters, long nowNanos) {
        return new ModelHealth(loadNanos / 1_000_000, counters.admitted.read(), counters.firstTokens.read(),
                secondsSince(counters.steps, counters.lastStepNanos, nowNanos),
                secondsSince(counters.firstTokens, counters.lastFirstTokenNanos, nowNanos), Math.max(0, counters.queuedTokens.read()),
                counters.peakRunningTokens.read(), counters.streamMilliRate.read() / 1000.0, counters.firstTokenTimes.read());
    }

    private static OptionalDouble secondsSince(ModelCounters.Counter count, ModelCounters.Counter lastNanos, long nowNanos) {
        return count.read() == 0 ? OptionalDouble.empty() : OptionalDouble.of(Math.max(0, nowNanos - lastNanos.read()) / 1e9);
    }

    private ModelLoad load(ModelCounters counters) {
        var need = loaded.reservation.need();
        return new ModelLoad(Math.max(0, counters.runningTokens.read()), Math.max(0, counters.promisedTokens.read()),
                loaded.loop.spec.kvTokens(), need.weightBytes(), need.contextBytes(), need.computeBytes());
    }
}
