package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.ChatParser;
import java.lang.foreign.MemorySegment;

/** Reads {@code <think>…</think>} and {@code <call NAME>ARGUMENTS</call>}; everything else is content. Holds back what may be a tag. */
final class FakeChatParser implements ChatParser {
    private enum State { CONTENT, REASONING, ARGUMENTS }

    private final boolean reasoning;
    private final boolean calls;
    private final Runnable onClose;
    private String pending = "";
    private State state = State.CONTENT;
    private int callCount;

    FakeChatParser(boolean reasoning, boolean calls, Runnable onClose) {
        this.reasoning = reasoning;
        this.calls = calls;
        this.onClose = onClose;
    }

    @Override
    public boolean feed(MemorySegment text, boolean last, Sink sink) {
        pending += OffHeap.text(text);
        while (true) {
            int tag = pending.indexOf('<');
            if (tag < 0) {
                hand(pending, sink);
                pending = "";
                break;
            }
            hand(pending.substring(0, tag), sink);
            pending = pending.substring(tag);
            int end = pending.indexOf('>');
            if (end < 0) {
                break;
            }
            String name = pending.substring(1, end);
            if (!enter(name, sink)) {
                hand(pending.substring(0, end + 1), sink);
            }
            pending = pending.substring(end + 1);
        }
        boolean whole = state != State.ARGUMENTS && pending.isEmpty();
        if (last && !pending.isEmpty()) {
            hand(pending, sink);
            pending = "";
        }
        return !last || whole;
    }

    private boolean enter(String tag, Sink sink) {
        if (reasoning && tag.equals("think")) {
            state = State.REASONING;
        } else if (reasoning && tag.equals("/think") || calls && tag.equals("/call")) {
            state = State.CONTENT;
        } else if (calls && tag.startsWith("call ")) {
            state = State.ARGUMENTS;
            sink.toolCall(callCount, OffHeap.utf8("call_" + callCount), OffHeap.utf8(tag.substring(5)));
            callCount++;
        } else {
            return false;
        }
        return true;
    }

    private void hand(String text, Sink sink) {
        if (text.isEmpty()) {
            return;
        }
        switch (state) {
            case CONTENT -> sink.content(OffHeap.utf8(text));
            case REASONING -> sink.reasoning(OffHeap.utf8(text));
            case ARGUMENTS -> sink.toolArguments(callCount - 1, OffHeap.utf8(text));
        }
    }

    @Override
    public void close() {
        onClose.run();
    }
}
