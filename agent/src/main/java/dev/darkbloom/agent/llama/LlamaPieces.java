package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_pieces_view;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The shim's table of token texts, read in place. Immutable, any thread, lives as long as the model's arena. */
final class LlamaPieces implements Tokenizer.PieceTable {
    private final MemorySegment offsets;
    private final MemorySegment bytes;
    private final MemorySegment flags;
    private final int count;
    private final int maxLength;

    private LlamaPieces(MemorySegment offsets, MemorySegment bytes, MemorySegment flags, int count, int maxLength) {
        this.offsets = offsets;
        this.bytes = bytes;
        this.flags = flags;
        this.count = count;
        this.maxLength = maxLength;
    }

    static LlamaPieces open(MemorySegment vocabulary, Arena arena) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            Shim.check(llama_h.dbs_pieces_new(vocabulary, out), "table of tokens", ErrorCode.MODEL_INVALID);
            MemorySegment handle = out.get(ValueLayout.ADDRESS, 0).reinterpret(arena, llama_h::dbs_pieces_free);
            MemorySegment view = dbs_pieces_view.allocate(scratch);
            llama_h.dbs_pieces_get(handle, view);
            int count = dbs_pieces_view.n_tokens(view);
            MemorySegment offsets = dbs_pieces_view.offsets(view).reinterpret((count + 1L) * Integer.BYTES, arena, null);
            long size = Integer.toUnsignedLong(offsets.getAtIndex(ValueLayout.JAVA_INT, count));
            return new LlamaPieces(
                    offsets.asReadOnly(),
                    dbs_pieces_view.bytes(view).reinterpret(size, arena, null).asReadOnly(),
                    dbs_pieces_view.flags(view).reinterpret(count, arena, null).asReadOnly(),
                    count,
                    dbs_pieces_view.max_piece(view));
        }
    }

    int count() {
        return count;
    }

    @Override
    public MemorySegment bytes() {
        return bytes;
    }

    @Override
    public long offset(int token) {
        return Integer.toUnsignedLong(offsets.getAtIndex(ValueLayout.JAVA_INT, token));
    }

    @Override
    public int length(int token) {
        return (int) (offset(token + 1) - offset(token));
    }

    @Override
    public boolean isEndOfGeneration(int token) {
        return (flags.get(ValueLayout.JAVA_BYTE, token) & llama_h.DBS_TOKEN_END_OF_GENERATION()) != 0;
    }

    @Override
    public boolean isControl(int token) {
        return (flags.get(ValueLayout.JAVA_BYTE, token) & llama_h.DBS_TOKEN_CONTROL()) != 0;
    }

    @Override
    public int maxLength() {
        return maxLength;
    }
}
