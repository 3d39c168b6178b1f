package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.content.Utf8Assembler;
import dev.darkbloom.agent.llama.Tokenizer.PieceTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Writes log-probabilities as the two OpenAI APIs have them. Belongs to the request's thread. */
final class LogprobJson implements AutoCloseable {
    /** OpenAI's value for a token that cannot happen; JSON has no minus infinity. */
    private static final float IMPOSSIBLE = -9999f;

    private final Content scratch;
    private final Utf8Assembler assembler = new Utf8Assembler();

    LogprobJson(ContentArena memory) {
        scratch = memory.content(64);
    }

    /** Writes {@code {"content":[…]}} of the chat API for the visible entries and forgets them. */
    void writeChat(SseWriter json, LogprobBuffer buffer, PieceTable pieces) {
        json.raw("{\"content\":");
        writeTokens(json, buffer, pieces);
        json.raw("}");
    }

    /** Writes the array of the visible entries, as the chat API and the Responses API have it, and forgets them. */
    void writeTokens(SseWriter json, LogprobBuffer buffer, PieceTable pieces) {
        json.raw("[");
        for (int i = 0; i < buffer.visible(); i++) {
            json.raw(i == 0 ? "" : ",");
            writeToken(json, pieces, buffer.token(i), buffer.logprob(i));
            json.raw(",\"top_logprobs\":[");
            for (int t = 0; t < buffer.top(); t++) {
                json.raw(t == 0 ? "" : ",");
                writeToken(json, pieces, buffer.topToken(i, t), buffer.topLogprob(i, t));
                json.raw("}");
            }
            json.raw("]}");
        }
        json.raw("]");
        buffer.dropVisible();
    }

    /** Writes an object without its closing bracket. */
    private void writeToken(SseWriter json, PieceTable pieces, int token, float logprob) {
        json.raw("{\"id\":").number(token).raw(",\"token\":");
        writeText(json, pieces, token);
        json.raw(",\"bytes\":[");
        MemorySegment bytes = pieces.bytes();
        long start = pieces.offset(token);
        for (int i = 0; i < pieces.length(token); i++) {
            json.raw(i == 0 ? "" : ",").number(bytes.get(ValueLayout.JAVA_BYTE, start + i) & 0xFF);
        }
        json.raw("],\"logprob\":").number(finite(logprob));
    }

    /**
     * Writes the four parallel arrays of the completions API for the visible entries and forgets them.
     *
     * @param textOffset where the first entry's text begins, in characters
     * @return where the text after the last entry begins
     */
    long writeText(SseWriter json, LogprobBuffer buffer, PieceTable pieces, long textOffset) {
        json.raw("{\"tokens\":[");
        for (int i = 0; i < buffer.visible(); i++) {
            json.raw(i == 0 ? "" : ",");
            writeText(json, pieces, buffer.token(i));
        }
        json.raw("],\"token_logprobs\":[");
        for (int i = 0; i < buffer.visible(); i++) {
            json.raw(i == 0 ? "" : ",").number(finite(buffer.logprob(i)));
        }
        json.raw("],\"top_logprobs\":[");
        for (int i = 0; i < buffer.visible(); i++) {
            json.raw(i == 0 ? "{" : ",{");
            for (int t = 0; t < buffer.top(); t++) {
                json.raw(t == 0 ? "" : ",");
                writeText(json, pieces, buffer.topToken(i, t));
                json.raw(":").number(finite(buffer.topLogprob(i, t)));
            }
            json.raw("}");
        }
        json.raw("],\"text_offset\":[");
        long offset = textOffset;
        for (int i = 0; i < buffer.visible(); i++) {
            json.raw(i == 0 ? "" : ",").number(offset);
            offset += characters(pieces, buffer.token(i));
        }
        json.raw("]}");
        buffer.dropVisible();
        return offset;
    }

    /** Writes a token's text as a JSON string; parts of characters become U+FFFD. */
    private void writeText(SseWriter json, PieceTable pieces, int token) {
        scratch.clear();
        assembler.add(pieces.bytes(), pieces.offset(token), pieces.length(token), scratch);
        assembler.flush(scratch);
        json.text(scratch.buffer(), 0, scratch.length());
    }

    /** Counts the characters that begin in a token. */
    static long characters(PieceTable pieces, int token) {
        return characters(pieces.bytes(), pieces.offset(token), pieces.length(token));
    }

    /** Counts the characters that begin in a text. */
    static long characters(MemorySegment text, long offset, long size) {
        long count = 0;
        for (long at = offset; at < offset + size; at++) {
            if ((text.get(ValueLayout.JAVA_BYTE, at) & 0xC0) != 0x80) {
                count++;
            }
        }
        return count;
    }

    private static float finite(float logprob) {
        return logprob > IMPOSSIBLE ? logprob : IMPOSSIBLE; // also what is not a number
    }

    @Override
    public void close() {
        scratch.close();
    }
}
