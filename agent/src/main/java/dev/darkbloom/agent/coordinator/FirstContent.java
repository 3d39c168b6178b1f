package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.engine.FirstTokenTimes;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import java.util.OptionalLong;

/**
 * When a request would have its first token, foretold from what was measured. One estimate serves quotes and the refusal of requests that would
 * come too late.
 *
 * @param loadMs until the model is in memory
 * @param queueMs until there is a slot
 * @param readMs from the slot to the first token: the median of requests about as long, or the prompt at the observed rate
 * @param readP90Ms the same, of nine in ten
 * @param leastReadMs the smaller of those two medians: a prompt whose beginning is cached takes less than its length says
 * @param isKnown whether there was anything to tell from; if not, times but {@code loadMs} are 0
 * @param isMeasured whether times are those of requests about as long
 */
record FirstContent(double loadMs, double queueMs, double readMs, double readP90Ms, double leastReadMs, boolean isKnown, boolean isMeasured) {
    /** How much longer one in ten takes, where only a rate is known. */
    private static final double SLOW = 1.5;
    private static final double NANOS_PER_MILLI = 1e6;

    /** Returns the estimate for a prompt; {@code maxTokens} is what its answer may have. */
    static FirstContent of(ModelStatus model, long promptTokens, long maxTokens) {
        double prefill = model.prefillTokensPerSecond();
        double atRate = prefill > 0 ? promptTokens / prefill * 1000 : 0;
        FirstTokenTimes times = model.health().firstTokenTimes();
        OptionalLong half = times.nanos(promptTokens, 0.5);
        OptionalLong most = times.nanos(promptTokens, 0.9);
        double median = half.isPresent() ? half.getAsLong() / NANOS_PER_MILLI : atRate;
        double slow = most.isPresent() ? most.getAsLong() / NANOS_PER_MILLI : atRate * SLOW;
        boolean isLoaded = model.state() == ModelState.READY;
        double loadLeft = isLoaded ? 0 : model.state() == ModelState.LOADING ? 1 - model.loadProgress() : 1;
        return new FirstContent(loadLeft * model.health().loadMillis(), queueMs(model, promptTokens, maxTokens), median, slow,
                prefill > 0 ? Math.min(median, atRate) : median, prefill > 0 || half.isPresent(), half.isPresent() && isLoaded);
    }

    /** Returns the time until a slot is left for one more request: so many must end, and each is taken to be as long as those before. */
    private static double queueMs(ModelStatus model, long promptTokens, long maxTokens) {
        long free = model.slots() - model.busySlots();
        boolean fits = model.hasKvRoom(promptTokens, maxTokens);
        if (model.waiting() < free && fits || model.busySlots() == 0) {
            return 0;
        }
        double rate = model.health().streamTokensPerSecond();
        if (rate <= 0) {
            return 0; // nothing has been written yet
        }
        long ended = model.finished() + model.failed() + model.cancelled();
        double left = (double) model.load().promisedTokens() / model.busySlots();
        double each = ended > 0 ? Math.min(left, (double) model.generatedTokens() / ended) : left;
        long ends = Math.max(1, model.waiting() + 1 - (fits ? free : 0));
        return ends * each / rate / model.busySlots() * 1000;
    }

    double ttftMs() {
        return loadMs + queueMs + readMs;
    }

    double ttftP90Ms() {
        return loadMs + queueMs + readP90Ms;
    }

    /** Returns the least that the first token takes, in milliseconds; 0 when nothing is known. */
    double leastMs() {
        return loadMs + (isKnown ? queueMs + leastReadMs : 0);
    }
}
