package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.bindings.llama_batch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The tokens of one decode call, in arrays of our own that a {@code llama_batch} points at. Every token belongs to one sequence.
 *
 * <p>Lives in the context's arena. What upstream asserts on is checked in {@link #add}.
 */
@Confined("engine-<model>")
final class LlamaBatch {
    private final int capacity;
    private final int maxOutputs;
    private final int sequences;
    private final int vocabularySize;
    private final MemorySegment batch;
    private final MemorySegment tokens;
    private final MemorySegment positions;
    private final MemorySegment sequenceIds;
    private final MemorySegment outputs;
    private int size;
    private int outputCount;

    LlamaBatch(int capacity, int maxOutputs, int sequences, int vocabularySize, Arena arena) {
        this.capacity = capacity;
        this.maxOutputs = maxOutputs;
        this.sequences = sequences;
        this.vocabularySize = vocabularySize;
        tokens = arena.allocate(ValueLayout.JAVA_INT, capacity);
        positions = arena.allocate(ValueLayout.JAVA_INT, capacity);
        sequenceIds = arena.allocate(ValueLayout.JAVA_INT, capacity);
        outputs = arena.allocate(ValueLayout.JAVA_BYTE, capacity);
        MemorySegment counts = arena.allocate(ValueLayout.JAVA_INT, capacity);
        MemorySegment pointers = arena.allocate(ValueLayout.ADDRESS, capacity);
        for (int i = 0; i < capacity; i++) {
            counts.setAtIndex(ValueLayout.JAVA_INT, i, 1);
            pointers.setAtIndex(ValueLayout.ADDRESS, i, sequenceIds.asSlice(4L * i, 4));
        }
        batch = llama_batch.allocate(arena);
        llama_batch.token(batch, tokens);
        llama_batch.embd(batch, MemorySegment.NULL);
        llama_batch.pos(batch, positions);
        llama_batch.n_seq_id(batch, counts);
        llama_batch.seq_id(batch, pointers);
        llama_batch.logits(batch, outputs);
    }

    void clear() {
        size = 0;
        outputCount = 0;
    }

    int size() {
        return size;
    }

    int add(int token, int position, int sequence, boolean output) {
        if (size == capacity) {
            throw new IllegalStateException("the batch holds " + capacity + " tokens");
        }
        if (token < 0 || token >= vocabularySize || position < 0 || sequence < 0 || sequence >= sequences) {
            throw new IllegalStateException("a token, position " + position + " or sequence " + sequence + " is out of range");
        }
        if (output && outputCount == maxOutputs) {
            throw new IllegalStateException("the batch has " + maxOutputs + " outputs");
        }
        int row = size++;
        tokens.setAtIndex(ValueLayout.JAVA_INT, row, token);
        positions.setAtIndex(ValueLayout.JAVA_INT, row, position);
        sequenceIds.setAtIndex(ValueLayout.JAVA_INT, row, sequence);
        outputs.set(ValueLayout.JAVA_BYTE, row, (byte) (output ? 1 : 0));
        if (output) {
            outputCount++;
        }
        return row;
    }

    /** Throws unless {@code row} asked for an output; upstream returns null logits for such a row. */
    void checkOutput(int row) {
        if (row < 0 || row >= size || outputs.get(ValueLayout.JAVA_BYTE, row) == 0) {
            throw new IllegalStateException("row " + row + " has no output");
        }
    }

    /** Returns the {@code llama_batch} with its count set; a view until the next {@link #add}. */
    MemorySegment toNative() {
        llama_batch.n_tokens(batch, size);
        return batch;
    }

    /** Overwrites the token ids, which are content. */
    void zero() {
        tokens.fill((byte) 0);
    }
}
