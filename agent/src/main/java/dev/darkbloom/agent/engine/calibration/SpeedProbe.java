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
 * Takes the time of settings on a loaded model, in a context of its own. The context is kept from one visit to the next while the settings
 * differ in their threads only, and is closed before another one is opened: so a visit needs no more memory than the context that the
 * model will be served with, and no threads of another one spin beside it.
 *
 * <p>A few tokens of prompt and a few steps say enough: what is compared is the same work under other settings.
 */
@Confined("model-loader")
final class SpeedProbe implements AutoCloseable {
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
    private final int[] lengths; // of each sequence in the open context
    private final Map<Measure, Long> lastNanos = new EnumMap<>(Measure.class);
    private TokenDecoder decoder; // null while no context is open
    private ComputeSettings opened; // with which it computes
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
        lengths = new int[sequences];
        int room = (int) Math.min(spec.contextTokensPerSequence(), spec.kvTokens() / sequences) - TAIL;
        longestPrompt = Math.min(Math.min(MOST_PROMPT, spec.compute().batchTokens()), room);
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
        open(settings, longestPrompt, 1);
        try {
            openNanos = clock.nanoTime() - begun;
            prefill(LEAST_PROMPT); // the weights may still be on disk
            long nanos = clock.nanoTime() - begun;
            if (clock.nanoTime() < deadlineNanos) {
                nanos = prefill(LEAST_PROMPT);
            }
            long oneToken = prefill(1);
            lastNanos.put(Measure.DECODE, expectedSteps(oneToken));
            lastNanos.put(Measure.DECODE_SIDE_BY_SIDE, expectedSteps(Math.min(nanos, sequences * oneToken)));
            while (nanos < PROMPT_NANOS && promptTokens < longestPrompt && clock.nanoTime() < deadlineNanos) {
                promptTokens = Math.min(2 * promptTokens, longestPrompt);
                nanos = prefill(promptTokens);
            }
            lastNanos.put(Measure.PREFILL, nanos);
            openNanos += nanos;
        } finally {
            close(); // visits need less room for a prompt, and more sequences
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

    /**
     * Returns what a round of visits will take, in nanoseconds, by what was seen last. One goes forth and the next one back, so each begins in
     * the context that the one before it ended in.
     */
    long expectedNanos(Choice choice, int candidates) {
        long measureNanos = choice.measures.stream().mapToLong(lastNanos::get).sum();
        return Math.max(1, candidates * measureNanos + (choice.needsContext ? (candidates - 1) * openNanos : 0));
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
        try {
            computeWith(settings);
            double logarithms = 0;
            if (measures.contains(Measure.PREFILL)) {
                long nanos = prefill(promptTokens);
                lastNanos.put(Measure.PREFILL, nanos);
                prefillNanosPerToken = Math.max(1, (double) nanos / promptTokens);
                logarithms += Math.log(prefillNanosPerToken);
            } else if (lengths[0] + TAIL > decoder.contextTokensPerSequence()) {
                prefill(Math.min(promptTokens, LEAST_PROMPT));
            }
            if (measures.contains(Measure.DECODE)) {
                logarithms += Math.log(steps(1, Measure.DECODE));
            }
            if (measures.contains(Measure.DECODE_SIDE_BY_SIDE)) {
                shareWithOthers();
                logarithms += Math.log(steps(sequences, Measure.DECODE_SIDE_BY_SIDE));
            }
            return Math.exp(logarithms / measures.size());
        } catch (RuntimeException | Error e) {
            close(); // a context that has failed is of no use
            throw e;
        }
    }

    /** Has the open context compute with {@code settings}, or opens one that does and reads a prompt, which touches its buffers. */
    private void computeWith(ComputeSettings settings) {
        boolean isOpen = decoder != null && opened.withThreads(settings.threads()).withPoll(settings.poll()).equals(settings);
        if (isOpen && !opened.equals(settings)) {
            decoder.replaceThreads(settings.threads(), settings.poll());
            opened = settings;
        } else if (!isOpen) {
            long begun = clock.nanoTime();
            close();
            open(settings, promptTokens, sequences);
            prefill(promptTokens);
            openNanos = clock.nanoTime() - begun;
        }
    }

    private void open(ComputeSettings settings, int prompt, int count) {
        int room = prompt + TAIL;
        ModelSpec small = spec.inStreams(room, count).withCompute(settings);
        decoder = runtime.openCold(spec.kvLayout() == KvLayout.UNIFIED ? small.unified((long) room * count) : small);
        opened = settings;
        Arrays.fill(lengths, 0);
    }

    /** Reads a prompt into sequence 0, the others are empty afterwards; returns how long it took. */
    private long prefill(int count) {
        for (int sequence = 0; sequence < decoder.sequences(); sequence++) {
            decoder.removeFrom(sequence, 0);
            lengths[sequence] = 0;
        }
        decoder.clearBatch();
        for (int i = 0; i < count; i++) {
            decoder.add(tokens[i], i, 0, i == count - 1);
        }
        lengths[0] = count;
        return decode();
    }

    /** Has the sequences that are empty go on from where sequence 0 is. */
    private void shareWithOthers() {
        for (int sequence = 1; sequence < sequences; sequence++) {
            if (lengths[sequence] == 0) {
                decoder.copySequence(0, sequence);
                lengths[sequence] = lengths[0];
            }
        }
    }

    /** Returns the median time of a step with a token of each of the first {@code count} sequences. */
    private double steps(int count, Measure measure) {
        long[] nanos = new long[MOST_STEPS];
        int steps = 0;
        // The first step of its kind plans the graph anew. If it takes long, that is lost in it, and one step is all there is time for.
        long all = step(count);
        if (all >= STEPS_NANOS) {
            nanos[steps++] = all;
        }
        for (long taken = all; taken < STEPS_NANOS && steps < MOST_STEPS || steps == 0; steps++) {
            nanos[steps] = step(count);
            taken += nanos[steps];
            all += nanos[steps];
        }
        lastNanos.put(measure, all);
        Arrays.sort(nanos, 0, steps);
        return Math.max(1, nanos[(steps - 1) / 2]);
    }

    private long step(int count) {
        decoder.clearBatch();
        for (int sequence = 0; sequence < count; sequence++) {
            int position = lengths[sequence]++;
            decoder.add(tokens[(position + 7 * sequence) % tokens.length], position, sequence, true);
        }
        return decode();
    }

    private long decode() {
        long begun = clock.nanoTime();
        int code = decoder.decode();
        if (code != TokenDecoder.DECODED) {
            throw new AgentException(ErrorCode.DECODE_FATAL, "a trial's decode call answered " + code);
        }
        return clock.nanoTime() - begun;
    }

    /** Closes the context that is open, if one is; the next visit opens another one. */
    @Override
    public void close() {
        if (decoder != null) {
            decoder.close();
            decoder = null;
        }
    }
}
