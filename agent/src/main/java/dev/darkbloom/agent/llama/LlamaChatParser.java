package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_delta;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** One answer's {@code dbs_parser}. Owned by the request, closed before its format. */
final class LlamaChatParser implements ChatParser {
    private static final int REASONING = llama_h.DBS_DELTA_REASONING();
    private static final int CONTENT = llama_h.DBS_DELTA_CONTENT();
    private static final int TOOL_BEGIN = llama_h.DBS_DELTA_TOOL_BEGIN();
    private static final int TOOL_ARGUMENTS = llama_h.DBS_DELTA_TOOL_ARGUMENTS();

    private final Arena arena = Arena.ofShared();
    private final MemorySegment handle;
    private final MemorySegment deltas = arena.allocate(ValueLayout.ADDRESS);
    /** Whether all that can follow is content; then nobody has to read it. */
    private boolean plain;
    private final MemorySegment count = arena.allocate(ValueLayout.JAVA_LONG);

    /** Takes {@code raw}. */
    LlamaChatParser(MemorySegment raw) {
        this.handle = raw.reinterpret(arena, llama_h::dbs_parser_free);
        this.plain = llama_h.dbs_parser_is_plain(handle) == 1;
    }

    @Override
    public boolean feed(MemorySegment text, boolean last, Sink sink) {
        if (plain) {
            sink.content(text);
            return true;
        }
        int status = llama_h.dbs_parser_feed(handle, text, text.byteSize(), last ? 1 : 0, deltas, count);
        boolean accepted = status != llama_h.DBS_NO_PARSE();
        if (accepted) {
            Shim.check(status, "reading the answer", ErrorCode.GENERATION_FAILED);
        }
        long n = count.get(ValueLayout.JAVA_LONG, 0);
        if (n > 0) {
            MemorySegment rows = deltas.get(ValueLayout.ADDRESS, 0).reinterpret(n * dbs_delta.sizeof());
            for (long i = 0; i < n; i++) {
                pass(dbs_delta.asSlice(rows, i), sink);
            }
        }
        plain = llama_h.dbs_parser_is_plain(handle) == 1;
        return accepted;
    }

    private void pass(MemorySegment delta, Sink sink) {
        int kind = dbs_delta.kind(delta);
        MemorySegment text = Shim.view(dbs_delta.text(delta), arena);
        int tool = dbs_delta.tool_index(delta);
        if (kind == REASONING) {
            sink.reasoning(text);
        } else if (kind == CONTENT) {
            sink.content(text);
        } else if (kind == TOOL_BEGIN) {
            sink.toolCall(tool, Shim.view(dbs_delta.extra(delta), arena), text);
        } else if (kind == TOOL_ARGUMENTS) {
            sink.toolArguments(tool, text);
        } else {
            throw new IllegalStateException("delta of kind " + kind);
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
