package dev.darkbloom.agent.service.calibration;

import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import java.time.Instant;
import java.util.Set;

/**
 * A calibration that succeeded, as it is kept.
 *
 * @param measuredAt when
 * @param speedup as in {@link Outcome.Chosen}, as are the two behind it
 */
record CalibrationRecord(
        CalibrationKey key,
        Instant measuredAt,
        int threads,
        int poll,
        FlashAttention flashAttention,
        int ubatchTokens,
        long prefillNanosPerToken,
        double speedup,
        double spread,
        Set<Choice> measured) {

    CalibrationRecord {
        measured = Set.copyOf(measured);
    }

    static CalibrationRecord of(CalibrationKey key, Instant measuredAt, Outcome.Chosen chosen) {
        ComputeSettings settings = chosen.settings();
        return new CalibrationRecord(key, measuredAt, settings.threads(), settings.poll(), settings.flashAttention(), settings.ubatchTokens(),
                settings.prefillNanosPerToken(), chosen.speedup(), chosen.spread(), chosen.measured());
    }

    /**
     * Returns {@code safe} with what was found.
     *
     * @throws IllegalArgumentException when it is not within {@link ComputeSettings}' ranges
     */
    ComputeSettings appliedTo(ComputeSettings safe) {
        return safe.withThreads(threads).withPoll(poll).withFlashAttention(flashAttention).withUbatchTokens(ubatchTokens)
                .withPrefillNanosPerToken(prefillNanosPerToken);
    }
}
