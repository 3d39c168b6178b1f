package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_chat_info;
import dev.darkbloom.agent.bindings.dbs_slice;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** One request's {@code dbs_chat}. Owned by the request; a shared arena, because the request's thread may be any carrier. */
final class LlamaChatFormat implements ChatFormat {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment handle;
    private final LlamaVocab vocab;
    private final long ruleBytes;

    /** Takes {@code raw}; {@code ruleBytes} is the size of what its grammar was made from. */
    LlamaChatFormat(MemorySegment raw, LlamaVocab vocab, long ruleBytes) {
        this.ruleBytes = ruleBytes;
        this.handle = raw.reinterpret(arena, llama_h::dbs_chat_free);
        this.vocab = vocab;
    }

    @Override
    public MemorySegment prompt() {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment slice = dbs_slice.allocate(scratch);
            llama_h.dbs_chat_prompt(handle, slice);
            return Shim.view(slice, arena);
        }
    }

    @Override
    public int tokenize(MemorySegment tokens) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment count = scratch.allocate(ValueLayout.JAVA_INT);
            MemorySegment borrowedTokens = LongCalls.borrowed(tokens);
            MemorySegment borrowedCount = LongCalls.borrowed(count);
            int status = LongCalls.run(prompt().byteSize(), () -> llama_h.dbs_chat_tokenize(
                    handle, vocab.handle(), borrowedTokens, LlamaVocab.capacity(tokens), borrowedCount));
            return LlamaVocab.written(status, count, "tokenizing the prompt");
        }
    }

    @Override
    public Grammar compileGrammar() {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            MemorySegment borrowedOut = LongCalls.borrowed(out);
            int status = LongCalls.run(ruleBytes, () -> llama_h.dbs_chat_grammar(handle, vocab.handle(), borrowedOut));
            Shim.check(status, "grammar of the answer", ErrorCode.INVALID_GRAMMAR);
            MemorySegment grammar = out.get(ValueLayout.ADDRESS, 0);
            return grammar.address() == 0 ? null : new LlamaGrammar(grammar);
        }
    }

    @Override
    public List<MemorySegment> stops() {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment info = dbs_chat_info.allocate(scratch);
            llama_h.dbs_chat_get_info(handle, info);
            int count = dbs_chat_info.n_stops(info);
            var stops = new ArrayList<MemorySegment>(count);
            MemorySegment slice = dbs_slice.allocate(scratch);
            for (int i = 0; i < count; i++) {
                Shim.check(llama_h.dbs_chat_stop(handle, i, slice), "stop string of the format", ErrorCode.INTERNAL);
                stops.add(Shim.view(slice, arena));
            }
            return List.copyOf(stops);
        }
    }

    @Override
    public boolean preserves(int token) {
        return llama_h.dbs_chat_preserves(handle, vocab.handle(), token) == 1;
    }

    @Override
    public ChatParser openParser(boolean parseToolCalls) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            Shim.check(llama_h.dbs_parser_new(handle, parseToolCalls ? 1 : 0, out), "parser of the answer", ErrorCode.INTERNAL);
            return new LlamaChatParser(out.get(ValueLayout.ADDRESS, 0));
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
