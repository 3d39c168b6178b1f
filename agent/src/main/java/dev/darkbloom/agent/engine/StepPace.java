package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;

/**
 * Watches how fast steps go, and says how many prompt tokens the next one may take so that it ends in time.
 *
 * <p>A running {@code decode()} cannot be interrupted on every backend, so the only way to keep a cancel and the other streams waiting for no
 * longer than the target is not to put more into a step than fits.
 */
@Confined("engine-<model>")
final class StepPace {
    /** Weight of the newest observation. */
    private static final double NEWEST = 0.25;
    /**
     * Beside running streams a step may take so long, or longer by {@link #SLOWED} than they take by themselves, whichever is more, while a prompt
     * is read that does not take longer than {@link #SHORT_PROMPT_NANOS}: short prompts read in crumbs make everybody wait, for a smoothness
     * that nobody sees. Eight prompts of 25 tokens had their first token after 0.75 s at this value, and after 1.05 s at 40 ms (SmolLM2-135M, two
     * cores), while streams took no longer per token.
     */
    private static final long SHORT_PROMPT_STEP_NANOS = 60_000_000;
    private static final long SHORT_PROMPT_NANOS = 200_000_000;
    /** A long prompt makes steps longer by so much in any case, where they are short: nobody sees that, either. */
    private static final long UNSEEN_NANOS = 12_000_000;
    private static final double SLOWED = 0.75;
    /** Prompt tokens of the first step, when nothing is known: little even for a large model on a slow machine. */
    private static final int FIRST_CHUNK = 32;
    /** Fewer prompt tokens in a step than this are not worth the step, even if it comes too late. */
    private static final int SMALLEST_CHUNK = 8;
    /** Beside running streams, which have made the step anyway, these are. */
    private static final int SMALLEST_CHUNK_BESIDE = 2;

    private final long targetNanos;
    private final int ubatchTokens;
    private final int fixedChunk;
    private double nanosPerPrefillToken;
    private double decodeStepNanos;
    private double decodeTokensPerSecond;
    private double streamTokensPerSecond;
    /** Prompt tokens that the last step was allowed. */
    private int asked = SMALLEST_CHUNK;
    private int largestChunk = FIRST_CHUNK / 2;

    /**
     * @param knownNanosPerPrefillToken what calibration saw a prompt token cost, by which the first chunk is sized; 0 when nobody knows
     * @param fixedChunk prompt tokens of every step, whatever it takes; 0 for as many as fit the target
     */
    StepPace(long targetNanos, int ubatchTokens, long knownNanosPerPrefillToken, int fixedChunk) {
        this.targetNanos = targetNanos;
        this.ubatchTokens = ubatchTokens;
        this.fixedChunk = fixedChunk;
        if (knownNanosPerPrefillToken > 0) {
            nanosPerPrefillToken = knownNanosPerPrefillToken;
            // As if half of it had been seen already: the first chunk is what fits.
            largestChunk = (int) Math.clamp(targetNanos / (2 * knownNanosPerPrefillToken) + 1, SMALLEST_CHUNK, Integer.MAX_VALUE / 2);
        }
    }

    StepPace(long targetNanos, int ubatchTokens) {
        this(targetNanos, ubatchTokens, 0, 0);
    }

    /**
     * Returns the prompt tokens for the next step.
     *
     * @param most what the batch has room for
     * @param decoding whether other streams decode in the same step
     * @param shortest tokens that the prompt with the least to read still has
     */
    int chunk(int most, boolean decoding, int shortest) {
        if (fixedChunk > 0) {
            return Math.min(fixedChunk, most);
        }
        double budget = decoding ? budgetBesideStreams(shortest) : targetNanos;
        double fits = nanosPerPrefillToken == 0 ? FIRST_CHUNK : budget / nanosPerPrefillToken;
        // A chunk larger than any measured so far is usually faster per token, and sometimes much slower: double, then look.
        int chunk = (int) Math.clamp(fits, decoding ? SMALLEST_CHUNK_BESIDE : SMALLEST_CHUNK, 2.0 * largestChunk);
        if (chunk > ubatchTokens) {
            chunk -= chunk % ubatchTokens;
        }
        asked = Math.min(chunk, most);
        return asked;
    }

    private double budgetBesideStreams(int shortest) {
        double unseen = isShort(shortest) ? SHORT_PROMPT_STEP_NANOS - decodeStepNanos : UNSEEN_NANOS;
        return Math.min(targetNanos - decodeStepNanos, Math.max(unseen, SLOWED * decodeStepNanos));
    }

    /** Returns whether reading so many tokens is known to be no long matter. */
    boolean isShort(int tokens) {
        return nanosPerPrefillToken > 0 && tokens * nanosPerPrefillToken <= SHORT_PROMPT_NANOS;
    }

    /** Takes note of a step that has run. */
    void observe(int prefillTokens, int decodeTokens, long stepNanos) {
        if (prefillTokens > 0) {
            double share = (double) prefillTokens / (prefillTokens + decodeTokens);
            double nanos = Math.max(stepNanos - (decodeTokens > 0 ? decodeStepNanos : 0), stepNanos * share);
            // The last piece of a prompt may be a token or two, whose cost says nothing about a chunk's.
            if (prefillTokens >= Math.min(SMALLEST_CHUNK, asked) || nanosPerPrefillToken == 0) {
                nanosPerPrefillToken = mix(nanosPerPrefillToken, nanos / prefillTokens);
            }
            largestChunk = Math.max(prefillTokens, largestChunk);
        } else {
            decodeStepNanos = mix(decodeStepNanos, stepNanos);
        }
        if (decodeTokens > 0 && stepNanos > 0) {
            decodeTokensPerSecond = mix(decodeTokensPerSecond, decodeTokens * 1e9 / stepNanos);
            streamTokensPerSecond = mix(streamTokensPerSecond, 1e9 / stepNanos);
        }
    }

    private static double mix(double known, double newest) {
        return known == 0 ? newest : known + NEWEST * (newest - known);
    }

    /** Returns what a prompt token takes, 0 before the first. */
    double prefillNanosPerToken() {
        return nanosPerPrefillToken;
    }

    /** Returns what a step takes in which nothing but answers is written, 0 before the first. */
    double decodeStepNanos() {
        return decodeStepNanos;
    }

    /** Returns prompt tokens per second, 0 before the first. */
    double prefillTokensPerSecond() {
        return nanosPerPrefillToken == 0 ? 0 : 1e9 / nanosPerPrefillToken;
    }

    /** Returns tokens produced per second by each slot that decodes, 0 before the first. */
    double streamTokensPerSecond() {
        return streamTokensPerSecond;
    }

    /** Returns tokens produced per second by all slots together, 0 before the first. */
    double decodeTokensPerSecond() {
        return decodeTokensPerSecond;
    }
}
