package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What both forms of an answer of Anthropic's Messages API share: the answer's pieces become content blocks, one after the other, each of one
 * kind. White space that no text follows makes no block.
 */
abstract class MessagesShape implements AnswerShape {
    private final Content blank; // white space that may still become the beginning of a text block
    private final int stopStrings;
    private final boolean showsThinking;
    private Block open = Block.NONE;
    private int blocks;

    /** Kinds of block, as the API has them. */
    enum Block { NONE, THINKING, TEXT, TOOL_USE }

    /**
     * Borrows {@code memory}.
     *
     * @param stopStrings how many stop strings the request has
     * @param showsThinking whether thoughts are told; otherwise their blocks are empty
     */
    MessagesShape(ContentArena memory, int stopStrings, boolean showsThinking) {
        blank = memory.content(16);
        this.stopStrings = stopStrings;
        this.showsThinking = showsThinking;
    }

    /** A block of text or thinking begins; {@code index} counts all blocks from 0. */
    abstract void beginBlock(Block kind, int index);

    /** A tool use begins. */
    abstract void beginToolUse(int index, MemorySegment id, MemorySegment name);

    /** The open block goes on. */
    abstract void goOn(Block kind, int index, MemorySegment text);

    /** The open block ends. */
    abstract void endBlock(Block kind, int index);

    @Override
    public final void reasoning(Choice choice, MemorySegment text) {
        blank.clear();
        turnTo(Block.THINKING);
        if (showsThinking) {
            goOn(open, blocks - 1, text);
        }
    }

    @Override
    public final void content(Choice choice, MemorySegment text) {
        if (open != Block.TEXT) {
            if (isBlank(text)) {
                blank.append(text);
                return;
            }
            turnTo(Block.TEXT);
            if (blank.length() > 0) {
                goOn(open, blocks - 1, blank.segment());
                blank.clear();
            }
        }
        goOn(open, blocks - 1, text);
    }

    @Override
    public final void toolCall(Choice choice, int index, MemorySegment id, MemorySegment name) {
        blank.clear();
        endOpenBlock();
        open = Block.TOOL_USE;
        beginToolUse(blocks++, id, name);
    }

    @Override
    public final void toolArguments(Choice choice, int index, MemorySegment text) {
        goOn(open, blocks - 1, text);
    }

    private void turnTo(Block kind) {
        if (open != kind) {
            endOpenBlock();
            open = kind;
            beginBlock(kind, blocks++);
        }
    }

    /** Ends the open block, if there is one. */
    final void endOpenBlock() {
        if (open != Block.NONE) {
            endBlock(open, blocks - 1);
            open = Block.NONE;
        }
    }

    private static boolean isBlank(MemorySegment text) {
        for (long i = 0; i < text.byteSize(); i++) {
            byte b = text.get(ValueLayout.JAVA_BYTE, i);
            if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
                return false;
            }
        }
        return true;
    }

    /** Writes {@code "stop_reason":…,"stop_sequence":…} of a choice that has ended. */
    final void writeStop(SseWriter json, Choice choice) {
        int stop = choice.foundStop();
        boolean own = stop >= 0 && stop < stopStrings;
        json.raw("\"stop_reason\":\"").raw(own ? "stop_sequence" : reason(choice.finishReason())).raw("\",\"stop_sequence\":");
        if (own) {
            json.text(choice.stopString(stop));
        } else {
            json.raw("null");
        }
    }

    private static String reason(FinishReason reason) {
        return switch (reason) {
            case STOP -> "end_turn";
            case LENGTH -> "max_tokens";
            case TOOL_CALLS -> "tool_use";
        };
    }

    /** Writes {@code "usage":{…}}. Tokens that were in memory already count as read from a cache; nothing is ever paid for writing to it. */
    static void writeUsage(SseWriter json, int promptTokens, int cachedTokens, int outputTokens) {
        json.raw("\"usage\":{\"input_tokens\":").number(promptTokens - cachedTokens)
                .raw(",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":").number(cachedTokens)
                .raw(",\"output_tokens\":").number(outputTokens).raw("}");
    }

    /** Writes the beginning of the message object, up to its content. */
    static void writeHead(SseWriter json, ResponseHead head) {
        json.raw("{\"id\":").setting(head.id()).raw(",\"type\":\"message\",\"role\":\"assistant\",\"model\":").setting(head.model())
                .raw(",\"content\":[");
    }

    @Override
    public void close() {
        blank.close();
    }
}
