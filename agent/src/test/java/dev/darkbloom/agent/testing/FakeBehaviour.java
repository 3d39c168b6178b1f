package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How a {@link FakeModel} behaves, what it counts, and what was done to it that the real one would not survive. Any thread.
 */
public final class FakeBehaviour {
    private static final int OPEN = 1 << 20;

    volatile MemoryKind memoryKind = MemoryKind.ATTENTION;
    volatile int windowTokens = Integer.MAX_VALUE;
    volatile long kvCells = Long.MAX_VALUE;
    volatile Error lookFailure;
    volatile int endOneIn;
    volatile ManualClock clock;
    volatile StepCost stepCost;
    volatile RuntimeException openFailure;
    volatile RuntimeException decoderFailure;
    volatile RuntimeException sampleFailure;
    volatile Throwable samplerFailure;
    private volatile RuntimeException decodeFailure;
    volatile int trainedContextTokens = 4096;

    private final Queue<Integer> codes = new ConcurrentLinkedQueue<>();
    private final Semaphore decodePermits = new Semaphore(OPEN);
    private final AtomicLong arrivals = new AtomicLong();
    private volatile boolean held;
    private final List<String> violations = new CopyOnWriteArrayList<>();

    final AtomicInteger openModels = new AtomicInteger();
    final AtomicInteger openDecoders = new AtomicInteger();
    final AtomicInteger openSamplers = new AtomicInteger();
    final AtomicInteger openGrammars = new AtomicInteger();
    final AtomicInteger loads = new AtomicInteger();
    final AtomicInteger decodersOpened = new AtomicInteger();
    final AtomicInteger decodersWarmed = new AtomicInteger();
    final AtomicLong decodes = new AtomicLong();
    final AtomicLong decodedTokens = new AtomicLong();
    final AtomicInteger largestBatch = new AtomicInteger();
    final AtomicInteger mostSequencesInBatch = new AtomicInteger();
    final AtomicLong logitRows = new AtomicLong();
    final AtomicLong lastBatch = new AtomicLong();
    final AtomicInteger lastPasses = new AtomicInteger();

    /** Sets how the model remembers. */
    public FakeBehaviour memoryKind(MemoryKind kind) {
        memoryKind = kind;
        return this;
    }

    /** Makes it a sliding-window model whose windowed layers keep this many tokens. */
    public FakeBehaviour window(int tokens) {
        memoryKind = MemoryKind.SLIDING_WINDOW;
        windowTokens = tokens;
        return this;
    }

    /** Has every look at a sequence's first position fail. */
    public void failLook(Error failure) {
        lookFailure = failure;
    }

    /** Sets the KV cells that all sequences share; otherwise there are enough for every sequence to be full. */
    public FakeBehaviour kvCells(long cells) {
        kvCells = cells;
        return this;
    }

    /** Makes about one token in {@code n} an end-of-generation token; 0 for none. */
    public FakeBehaviour endOneIn(int n) {
        endOneIn = n;
        return this;
    }

    /** What a decode call takes. */
    @FunctionalInterface
    public interface StepCost {
        /** Returns nanoseconds for a batch of {@code rows} tokens under {@code settings}. */
        long nanos(ComputeSettings settings, int rows);
    }

    /** Has each token of a batch take time on {@code manual}. */
    public FakeBehaviour cost(ManualClock manual, long nanosPerToken) {
        return cost(manual, (_, rows) -> nanosPerToken * rows);
    }

    /** Has each batch take time on {@code manual}. */
    public FakeBehaviour cost(ManualClock manual, StepCost cost) {
        stepCost = cost;
        clock = manual;
        return this;
    }

    /** Makes the next {@code decode} return {@code code}; several calls queue up. */
    public void nextCode(int code) {
        codes.add(code);
    }

    /** Makes loading fail until told otherwise with null. */
    public void failOpen(RuntimeException failure) {
        openFailure = failure;
    }

    /** Makes opening a context fail until told otherwise with null. */
    public void failDecoder(RuntimeException failure) {
        decoderFailure = failure;
    }

    /** Makes the next decode throw. */
    public void failNextDecode(RuntimeException failure) {
        decodeFailure = failure;
    }

    /** Makes building a sampler fail until told otherwise with null. */
    public void failSampler(Throwable failure) {
        samplerFailure = failure;
    }

    /** Makes sampling fail until told otherwise with null. */
    public void failSample(RuntimeException failure) {
        sampleFailure = failure;
    }

    /** Returns which sequences were in the batch that ran last, a bit for each of the first 64. */
    public long lastBatch() {
        return lastBatch.get();
    }

    /** Returns how many passes over the weights the batch that ran last took, where each sequence has its own stream. */
    public int lastPasses() {
        return lastPasses.get();
    }

    /** Stops the model before its next decode, until {@link #step} or {@link #release}. */
    public void hold() {
        held = true;
        decodePermits.drainPermits();
    }

    /** Lets a held model make one decode. */
    public void step() {
        decodePermits.release();
    }

    /** Lets a held model go on. */
    public void release() {
        held = false;
        decodePermits.release(OPEN);
    }

    /** Returns how often the model has come to a decode, the one it may be standing before included. */
    public long arrivals() {
        return arrivals.get();
    }

    /** Returns whether the model stands before a decode that it may not make. */
    public boolean isWaiting() {
        return decodePermits.hasQueuedThreads();
    }

    void passGate() {
        arrivals.incrementAndGet();
        if (held) {
            decodePermits.acquireUninterruptibly();
        }
    }

    int takeCode() {
        RuntimeException failure = decodeFailure;
        if (failure != null) {
            decodeFailure = null;
            throw failure;
        }
        Integer code = codes.poll();
        return code == null ? 0 : code;
    }

    void violated(String rule) {
        violations.add(rule);
        throw new IllegalStateException(rule);
    }

    void check(boolean holds, String rule) {
        if (!holds) {
            violated(rule);
        }
    }

    /** Returns the rules of llama.cpp that were broken. */
    public List<String> violations() {
        return violations;
    }

    /** Returns models, decoders, samplers and grammars that are open, one word each; empty when nothing is. */
    public String leaks() {
        var found = new StringBuilder();
        note(found, "models", openModels);
        note(found, "decoders", openDecoders);
        note(found, "samplers", openSamplers);
        note(found, "grammars", openGrammars);
        return found.toString();
    }

    private static void note(StringBuilder found, String what, AtomicInteger open) {
        if (open.get() != 0) {
            found.append(what).append('=').append(open.get()).append(' ');
        }
    }

    public int loads() {
        return loads.get();
    }

    public int openModels() {
        return openModels.get();
    }

    public int openDecoders() {
        return openDecoders.get();
    }

    public int decodersOpened() {
        return decodersOpened.get();
    }

    /** Returns how many of the decoders that were opened were to be warm. */
    public int decodersWarmed() {
        return decodersWarmed.get();
    }

    public int openSamplers() {
        return openSamplers.get();
    }

    public int openGrammars() {
        return openGrammars.get();
    }

    public long decodes() {
        return decodes.get();
    }

    /** Returns the tokens of all batches that were run. */
    public long decodedTokens() {
        return decodedTokens.get();
    }

    public int largestBatch() {
        return largestBatch.get();
    }

    public int mostSequencesInBatch() {
        return mostSequencesInBatch.get();
    }

    /** Returns the rows for which logits were asked. */
    public long logitRows() {
        return logitRows.get();
    }
}
