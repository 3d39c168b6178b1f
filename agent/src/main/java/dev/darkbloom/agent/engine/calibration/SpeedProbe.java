package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * Takes the time of settings on a loaded model. A visit opens a context of its own, works in it and closes it: one at a time, so that a visit
 * needs no more memory than the context that the model will be served with, and no threads of another one spin beside it.
 *
 * <p>A few tokens of prompt and a few steps say enough: what is compared is the same work under other settings.
 */
@Confined("model-loader")
final class SpeedProbe {
    private static final int MOST_SEQUENCES = 4;
    private static final int LEAST_PROMPT = 8;
    private static final int MOST_PROMPT = 1024;
    /** A prompt is long enough when it takes so long. */
    private static final long PROMPT_NANOS = 30_000_000;
    /** Steps are repeated for so long, and at most so often. */
    private static final long STEPS_NANOS = 12_000_000;
    private static final int MOST_STEPS = 32;
    /** Tokens that a sequence needs beyond its prompt: two measures of decoding with a first step each. */
    private static final int TAIL = 2 * (MOST_STEPS + 1);

    private final ModelRuntime runtime;
    private final ModelSpec spec;
    private final NanoClock clock;
    private final int sequences;
    private final int longestPrompt;
    private final int[] tokens;
    private final Map<Measure, Long> lastNanos = new EnumMap<>(Measure.class);
    private long openNanos;
    private int promptTokens = LEAST_PROMPT;
    private double prefillNanosPerToken;

    /**
     * @param runtime borrowed
     * @param spec with which it will be served; contexts here have at most as much room
     */
    SpeedProbe(ModelRuntime runtime, ModelSpec spec, NanoClock clock) {
        this.runtime = runtime;
        this.spec = spec;
        this.clock = clock;
        sequences = Math.min(MOST_SEQUENCES, spec.slots());
        longestPrompt = Math.min(Math.min(MOST_PROMPT, spec.compute().batchTokens()), spec.contextTokensPerSequence() - TAIL);
        // Any tokens will do; other ones each time, so that a mixture of experts uses more than one.
        tokens = new Random(20_261_124).ints(MOST_PROMPT, 0, runtime.facts().vocabularySize()).toArray();
    }

    /** Returns whether the context has room for a measurement at all. */
    boolean hasRoom() {
        return longestPrompt >= LEAST_PROMPT;
    }

    /**
     * Finds the prompt that takes long enough to be measured, and reads every weight once meanwhile.
     *
     * @param deadlineNanos after which it is content with what it has
     */
    void fit(ComputeSettings settings, long deadlineNanos) {
        long begun = clock.nanoTime();
        try (TokenDecoder decoder = open(settings, longestPrompt, 1)) {
            openNanos = clock.nanoTime() - begun;
            prefill(decoder, LEAST_PROMPT); // the weights may still be on disk
            long nanos = clock.nanoTime() - begun;
            if (clock.nanoTime() < deadlineNanos) {
                nanos = prefill(decoder, LEAST_PROMPT);
            }
            long oneToken = prefill(decoder, 1);
            lastNanos.put(Measure.DECODE, expectedSteps(oneToken));
            lastNanos.put(Measure.DECODE_SIDE_BY_SIDE, expectedSteps(Math.min(nanos, sequences * oneToken)));
            while (nanos < PROMPT_NANOS && promptTokens < longestPrompt && clock.nanoTime() < deadlineNanos) {
                promptTokens = Math.min(2 * promptTokens, longestPrompt);
                nanos = prefill(decoder, promptTokens);
            }
            lastNanos.put(Measure.PREFILL, nanos);
        }
    }

    /** Returns what {@link #steps} takes where a step takes {@code nanos}. */
    private static long expectedSteps(long nanos) {
        return nanos >= STEPS_NANOS ? nanos : Math.min((MOST_STEPS + 1) * nanos, STEPS_NANOS + 2 * nanos);
    }

    /** Returns the tokens of the prompts that are measured. */
    int promptTokens() {
        return promptTokens;
    }

    /** Returns what a visit will take, in nanoseconds, by what the one before it took. */
    long expectedNanos(Set<Measure> measures) {
        return Math.max(1, openNanos + measures.stream().mapToLong(lastNanos::get).sum());
    }

    /** Returns what a prompt token cost in the last visit that measured prompts, in nanoseconds. */
    double prefillNanosPerToken() {
        return prefillNanosPerToken;
    }

    /**
     * Measures once.
     *
     * @return the geometric mean of nanoseconds per token of a prompt, per step of one sequence and per step of several, of those asked for
     * @throws AgentException when the context cannot be opened or fails
     */
    double visit(ComputeSettings settings, Set<Measure> measures) {
        long begun = clock.nanoTime();
        boolean readsPrompt = measures.contains(Measure.PREFILL);
        int prompt = readsPrompt ? promptTokens : Math.min(promptTokens, LEAST_PROMPT);
        double logarithms = 0;
        try (TokenDecoder decoder = open(settings, prompt, sequences)) {
            prefill(decoder, 1); // wakes the threads and touches the buffers
            openNanos = clock.nanoTime() - begun;
            long nanos = prefill(decoder, prompt);
            if (readsPrompt) {
                lastNanos.put(Measure.PREFILL, nanos);
                prefillNanosPerToken = Math.max(1, (double) nanos / prompt);
                logarithms += Math.log(prefillNanosPerToken);
            }
            for (int sequence = 1; sequence < sequences; sequence++) {
                decoder.copySequence(0, sequence);
            }
            int[] lengths = new int[sequences];
            Arrays.fill(lengths, prompt);
            if (measures.contains(Measure.DECODE)) {
                logarithms += Math.log(steps(decoder, lengths, 1, Measure.DECODE));
            }
            if (measures.contains(Measure.DECODE_SIDE_BY_SIDE)) {
                logarithms += Math.log(steps(decoder, lengths, sequences, Measure.DECODE_SIDE_BY_SIDE));
            }
        }
        return Math.exp(logarithms / measures.size());
    }

    private TokenDecoder open(ComputeSettings settings, int prompt, int count) {
        int room = prompt + TAIL;
        ModelSpec small = spec.inStreams(room, count).withCompute(settings);
        return runtime.openDecoder(spec.kvLayout() == KvLayout.UNIFIED ? small.unified((long) room * count) : small);
    }

    /** Reads a prompt into sequence 0, which is emptied before, and returns how long it took. */
    private long prefill(TokenDecoder decoder, int count) {
        decoder.removeFrom(0, 0);
        decoder.clearBatch();
        for (int i = 0; i < count; i++) {
            decoder.add(tokens[i], i, 0, i == count - 1);
        }
        return decode(decoder);
    }

    /** Returns the median time of a step with a token of each of the first {@code count} sequences. */
    private double steps(TokenDecoder decoder, int[] lengths, int count, Measure measure) {
        long[] nanos = new long[MOST_STEPS];
        int steps = 0;
        // The first step of its kind plans the graph anew. If it takes long, that is lost in it, and one step is all there is time for.
        long all = step(decoder, lengths, count);
        if (all >= STEPS_NANOS) {
            nanos[steps++] = all;
        }
        for (long taken = all; taken < STEPS_NANOS && steps < MOST_STEPS || steps == 0; steps++) {
            nanos[steps] = step(decoder, lengths, count);
            taken += nanos[steps];
            all += nanos[steps];
        }
        lastNanos.put(measure, all);
        Arrays.sort(nanos, 0, steps);
        return Math.max(1, nanos[(steps - 1) / 2]);
    }

    private long step(TokenDecoder decoder, int[] lengths, int count) {
        decoder.clearBatch();
        for (int sequence = 0; sequence < count; sequence++) {
            int position = lengths[sequence]++;
            decoder.add(tokens[(position + 7 * sequence) % tokens.length], position, sequence, true);
        }
        return decode(decoder);
    }

    private long decode(TokenDecoder decoder) {
        long begun = clock.nanoTime();
        int code = decoder.decode();
        if (code != TokenDecoder.DECODED) {
            throw new AgentException(ErrorCode.DECODE_FATAL, "a trial's decode call answered " + code);
        }
        return clock.nanoTime() - begun;
    }
}
