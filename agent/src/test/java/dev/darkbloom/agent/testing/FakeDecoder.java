package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.base.ThreadOwner;
import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.llama.TokenSampler;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashSet;

/**
 * A context that keeps a running hash of each sequence instead of a KV cache.
 *
 * <p>It refuses what llama.cpp would abort on or silently get wrong: gaps in positions, batches that are too large, rows that did not ask for
 * logits, calls from another thread or after a fatal error. It forgets what the model's kind of memory forgets, and an answer that needed
 * what was forgotten comes out different. Like the real one it allocates nothing per step.
 */
public final class FakeDecoder implements TokenDecoder {
    /** Mixed into a sequence that goes on after something it needs was forgotten. */
    private static final long SPOILT = 0x5DEECE66DL;

    private ModelSpec spec; // with other threads when they were replaced
    private final FakeBehaviour behaviour;
    private final MemoryKind kind;
    private final ThreadOwner owner = new ThreadOwner();

    private final int[][] tokens;
    private final long[][] hashes;
    private final long[][] cells; // where each token lies
    private long nextCell;
    private final int[] length;
    private final int[] first;
    private final int[] pending;
    private final boolean[] inBatch;

    private final int[] rowToken;
    private final int[] rowPosition;
    private final int[] rowSequence;
    private final boolean[] rowLogits;
    private final boolean[] rowUsed;
    private final int[] passCounts;
    private int rows;
    private boolean decoded;
    private boolean lost;
    private boolean closed;

    FakeDecoder(ModelSpec spec, FakeBehaviour behaviour) {
        this.spec = spec;
        this.behaviour = behaviour;
        kind = behaviour.memoryKind;
        int context = spec.contextTokensPerSequence();
        tokens = new int[spec.slots()][context];
        hashes = new long[spec.slots()][context];
        cells = new long[spec.slots()][context];
        length = new int[spec.slots()];
        first = new int[spec.slots()];
        pending = new int[spec.slots()];
        inBatch = new boolean[spec.slots()];
        rowToken = new int[spec.compute().batchTokens()];
        rowPosition = new int[spec.compute().batchTokens()];
        rowSequence = new int[spec.compute().batchTokens()];
        rowLogits = new boolean[spec.compute().batchTokens()];
        rowUsed = new boolean[spec.compute().batchTokens()];
        passCounts = new int[spec.slots()];
        behaviour.openDecoders.incrementAndGet();
        behaviour.decodersOpened.incrementAndGet();
    }

    @Override
    public int contextTokensPerSequence() {
        return spec.contextTokensPerSequence();
    }

    @Override
    public int sequences() {
        return spec.slots();
    }

    @Override
    public int batchTokens() {
        return spec.compute().batchTokens();
    }

    @Override
    public int ubatchTokens() {
        return spec.compute().ubatchTokens();
    }

    @Override
    public MemoryKind memoryKind() {
        return kind;
    }

    @Override
    public int threads() {
        return spec.compute().threads();
    }

    @Override
    public void computeWith(int threads) {
        behaviour.check(threads >= 1 && threads <= spec.compute().threads(), "more or fewer threads than there are");
    }

    @Override
    public void replaceThreads(int count, int poll) {
        checkUsable();
        behaviour.check(count >= 1 && poll >= 0, "threads were replaced by none");
        spec = spec.withCompute(spec.compute().withThreads(count).withPoll(poll));
    }

    @Override
    public long cpuNanos() {
        return 0;
    }

    @Override
    public void clearBatch() {
        checkUsable();
        rows = 0;
        decoded = false;
        Arrays.fill(pending, 0);
        if (kind == MemoryKind.NONE) {
            Arrays.fill(length, 0);
        }
    }

    @Override
    public int batchSize() {
        return rows;
    }

    @Override
    public int add(int token, int position, int sequence, boolean wantLogits) {
        checkUsable();
        behaviour.check(!decoded, "a token was added to a batch that has run");
        behaviour.check(rows < spec.compute().batchTokens(), "a batch holds more than batchTokens");
        behaviour.check(!spec.embedding() || rows < spec.compute().ubatchTokens(), "an encoder's batch holds more than ubatchTokens");
        behaviour.check(token >= 0 && token < FakeVocabulary.SIZE, "a token is not in the vocabulary");
        behaviour.check(sequence >= 0 && sequence < spec.slots(), "a sequence is out of range");
        behaviour.check(position == length[sequence] + pending[sequence], "positions of a sequence have a gap or an overlap");
        behaviour.check(position < spec.contextTokensPerSequence(), "a sequence is longer than the context");
        rowToken[rows] = token;
        rowPosition[rows] = position;
        rowSequence[rows] = sequence;
        rowLogits[rows] = wantLogits;
        pending[sequence]++;
        return rows++;
    }

    @Override
    public int decode() {
        checkUsable();
        behaviour.check(rows > 0, "an empty batch was decoded");
        behaviour.check(!decoded, "a batch was decoded twice");
        behaviour.passGate();
        behaviour.decodes.incrementAndGet();
        int code = behaviour.takeCode();
        if (code == NO_KV_ROOM || code == DECODED && behaviour.kvCells < Long.MAX_VALUE && usedCells() + rows > behaviour.kvCells) {
            return NO_KV_ROOM;
        }
        if (code < 0) {
            lost = true;
            return code;
        }
        int run = code == ABORTED ? rows / 2 : rows;
        remember(run);
        count(run);
        if (behaviour.clock != null) {
            behaviour.clock.advanceNanos(behaviour.stepCost.nanos(spec.compute(), run));
        }
        Arrays.fill(pending, 0);
        decoded = code == DECODED;
        return code;
    }

    /** Tokens in the cache; a unified one holds what sequences share once. */
    private long usedCells() {
        var used = new HashSet<Long>();
        for (int sequence = 0; sequence < length.length; sequence++) {
            for (int position = 0; position < length[sequence]; position++) {
                used.add(cells[sequence][position]);
            }
        }
        return used.size();
    }

    private void remember(int run) {
        for (int row = 0; row < run; row++) {
            int sequence = rowSequence[row];
            int position = rowPosition[row];
            tokens[sequence][position] = rowToken[row];
            long before = position == 0 ? FakeModel.SEED : hashes[sequence][position - 1];
            hashes[sequence][position] = FakeModel.mix(before, rowToken[row]);
            cells[sequence][position] = nextCell++;
            length[sequence] = position + 1;
        }
        if (kind == MemoryKind.SLIDING_WINDOW) {
            for (int sequence = 0; sequence < length.length; sequence++) {
                first[sequence] = Math.max(first[sequence], length[sequence] - behaviour.windowTokens);
            }
        }
    }

    private void count(int run) {
        behaviour.decodedTokens.addAndGet(run);
        Arrays.fill(inBatch, false);
        int sequences = 0;
        long mask = 0;
        for (int row = 0; row < run; row++) {
            mask |= 1L << rowSequence[row];
            if (!inBatch[rowSequence[row]]) {
                inBatch[rowSequence[row]] = true;
                sequences++;
            }
            if (rowLogits[row]) {
                behaviour.logitRows.incrementAndGet();
            }
        }
        behaviour.lastBatch.set(mask);
        behaviour.lastPasses.set(passes(run));
        if (run > behaviour.largestBatch.get()) {
            behaviour.largestBatch.set(run);
        }
        if (sequences > behaviour.mostSequencesInBatch.get()) {
            behaviour.mostSequencesInBatch.set(sequences);
        }
    }

    /**
     * Splits a batch as {@code llama_batch_allocr::split_equal} does where only sequences with numbers that follow each other go together, with as
     * many tokens of each.
     */
    private int passes(int run) {
        Arrays.fill(rowUsed, false);
        int passes = 0;
        for (int left = run; left > 0; passes++) {
            Arrays.fill(passCounts, 0);
            int first = -1;
            int last = -1;
            for (int row = 0; row < run; row++) {
                if (!rowUsed[row] && (first < 0 || rowSequence[row] == last + 1)) {
                    first = first < 0 ? rowSequence[row] : first;
                    last = rowSequence[row];
                }
            }
            for (int row = 0; row < run; row++) {
                if (!rowUsed[row] && rowSequence[row] >= first && rowSequence[row] <= last) {
                    passCounts[rowSequence[row]]++;
                }
            }
            int each = run;
            for (int sequence = first; sequence <= last; sequence++) {
                each = Math.min(each, passCounts[sequence]);
            }
            for (int sequence = first; sequence <= last; sequence++) {
                int taken = 0;
                for (int row = 0; row < run && taken < each; row++) {
                    if (!rowUsed[row] && rowSequence[row] == sequence) {
                        rowUsed[row] = true;
                        taken++;
                        left--;
                    }
                }
            }
        }
        return passes;
    }

    @Override
    public int sample(TokenSampler sampler, int row) {
        checkUsable();
        checkRow(row);
        if (behaviour.sampleFailure != null) {
            throw behaviour.sampleFailure;
        }
        var fake = (FakeSampler) sampler;
        behaviour.check(!fake.isClosed(), "a closed sampler was asked for a token");
        int sequence = rowSequence[row];
        if (!fake.compared) {
            compareWithPrompt(fake, sequence);
        }
        if (fake.allowedTokens-- == 0) {
            return -1;
        }
        return FakeModel.pick(hashes[sequence][rowPosition[row]], behaviour.endOneIn);
    }

    private void compareWithPrompt(FakeSampler sampler, int sequence) {
        sampler.compared = true;
        behaviour.check(sampler.promptTokens > 0, "a sampler was not told its prompt");
        behaviour.check(sampler.promptTokens <= length[sequence], "a token was sampled before its prompt was in memory");
        long hash = FakeModel.SEED;
        for (int i = 0; i < sampler.promptTokens; i++) {
            hash = FakeModel.mix(hash, tokens[sequence][i]);
        }
        behaviour.check(hash == sampler.promptHash, "a sequence holds another prompt than its sampler was told");
    }

    @Override
    public void logprobs(int row, int token, int top, MemorySegment target, long offset) {
        checkUsable();
        checkRow(row);
        target.set(ValueLayout.JAVA_FLOAT, offset, -0.5f);
        for (int i = 0; i < top; i++) {
            target.set(ValueLayout.JAVA_INT, offset + 4 + 8L * i, i == 0 ? token : FakeVocabulary.FIRST_BYTE + i);
            target.set(ValueLayout.JAVA_FLOAT, offset + 8 + 8L * i, -0.5f - i);
        }
    }

    private void checkRow(int row) {
        behaviour.check(decoded, "logits were read without a decode");
        behaviour.check(row >= 0 && row < rows && rowLogits[row], "logits were read of a row that did not ask for them");
    }

    @Override
    public boolean removeFrom(int sequence, int position) {
        checkUsable();
        if (position >= length[sequence]) {
            return true;
        }
        if (position == 0) {
            length[sequence] = 0;
            first[sequence] = 0;
            return true;
        }
        return switch (kind) {
            case RECURRENT, HYBRID, NONE -> false;
            case ATTENTION, SLIDING_WINDOW -> {
                length[sequence] = position;
                // Like llama.cpp, a windowed memory lets itself be cut; whether what is left is enough to go on is the caller's business.
                if (first[sequence] > Math.max(0, position - behaviour.windowTokens + 1)) {
                    hashes[sequence][position - 1] ^= SPOILT;
                }
                yield true;
            }
        };
    }

    @Override
    public void copySequence(int source, int target) {
        checkUsable();
        behaviour.check(length[target] == 0, "a sequence was copied over one that is not empty");
        System.arraycopy(tokens[source], 0, tokens[target], 0, length[source]);
        System.arraycopy(hashes[source], 0, hashes[target], 0, length[source]);
        for (int position = 0; position < length[source]; position++) {
            cells[target][position] = spec.kvLayout() == KvLayout.UNIFIED ? cells[source][position] : nextCell++;
        }
        length[target] = length[source];
        first[target] = first[source];
    }

    @Override
    public int firstPosition(int sequence) {
        checkUsable();
        if (behaviour.lookFailure != null) {
            throw behaviour.lookFailure;
        }
        if (length[sequence] == 0) {
            return -1;
        }
        return switch (kind) {
            case ATTENTION, NONE -> 0;
            case SLIDING_WINDOW -> first[sequence];
            case RECURRENT, HYBRID -> length[sequence] - 1;
        };
    }

    @Override
    public int lastPosition(int sequence) {
        checkUsable();
        return length[sequence] - 1;
    }

    @Override
    public void copyEmbedding(int sequence, MemorySegment target) {
        checkUsable();
        behaviour.check(decoded && length[sequence] > 0, "an embedding was read without a decode");
        long hash = hashes[sequence][length[sequence] - 1];
        for (int i = 0; i < FakeModel.EMBEDDING_SIZE; i++) {
            target.setAtIndex(ValueLayout.JAVA_FLOAT, i, FakeModel.embeddingValue(hash, i));
        }
    }

    private void checkUsable() {
        owner.check();
        behaviour.check(!closed, "a closed context was used");
        behaviour.check(!lost, "a context was used after a fatal error");
    }

    @Override
    public void close() {
        owner.check();
        behaviour.check(!closed, "a context was closed twice");
        closed = true;
        behaviour.openDecoders.decrementAndGet();
    }
}
