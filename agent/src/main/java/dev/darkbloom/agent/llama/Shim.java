package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_slice;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What every call into the shim has in common: status codes and slices. */
final class Shim {
    private Shim() {}

    /**
     * Throws unless {@code status} is {@code DBS_OK}.
     *
     * @param what the thing that failed, in words and without content
     * @param malformed the code for inputs that the shim could not read (JSON, messages)
     */
    static void check(int status, String what, ErrorCode malformed) {
        if (status == llama_h.DBS_OK()) {
            return;
        }
        throw exception(status, what, malformed);
    }

    static AgentException exception(int status, String what, ErrorCode malformed) {
        if (status == llama_h.DBS_BAD_JSON()) {
            return new AgentException(malformed, what + ": JSON of the wrong form");
        }
        if (status == llama_h.DBS_BAD_MESSAGES()) {
            return new AgentException(malformed, what + ": messages or tools of the wrong form");
        }
        if (status == llama_h.DBS_BAD_TEMPLATE()) {
            return new AgentException(ErrorCode.TEMPLATE_FAILED, what + ": the model's chat template refused the messages");
        }
        if (status == llama_h.DBS_BAD_GRAMMAR()) {
            return new AgentException(ErrorCode.INVALID_GRAMMAR, what + ": the grammar does not parse, or does not allow what the answer is to begin with");
        }
        if (status == llama_h.DBS_BAD_SCHEMA()) {
            return new AgentException(ErrorCode.INVALID_SCHEMA, what + ": the JSON schema cannot be enforced");
        }
        if (status == llama_h.DBS_NO_MEMORY()) {
            return new AgentException(ErrorCode.OUT_OF_MEMORY, what + ": no memory");
        }
        if (status == llama_h.DBS_LOAD_FAILED()) {
            return new AgentException(ErrorCode.MODEL_INVALID, what + ": refused by llama.cpp; its reason is in the log at debug level");
        }
        if (status == llama_h.DBS_INVALID_ARGUMENT()) {
            return new AgentException(ErrorCode.INVALID_REQUEST, what + ": an argument is out of range");
        }
        return new AgentException(ErrorCode.INTERNAL, what + ": shim status " + status);
    }

    /** Writes {@code text} into a {@code dbs_slice}; an empty or NULL segment becomes the empty slice. */
    static void put(MemorySegment slice, MemorySegment text) {
        boolean empty = text == null || text.address() == 0 || text.byteSize() == 0;
        dbs_slice.data(slice, empty ? MemorySegment.NULL : text);
        dbs_slice.size(slice, empty ? 0 : text.byteSize());
    }

    /** Returns a view of the bytes that a {@code dbs_slice} points at, with the lifetime of {@code arena}. */
    static MemorySegment view(MemorySegment slice, Arena arena) {
        long size = dbs_slice.size(slice);
        return size == 0 ? MemorySegment.NULL : dbs_slice.data(slice).reinterpret(size, arena, null);
    }
}
