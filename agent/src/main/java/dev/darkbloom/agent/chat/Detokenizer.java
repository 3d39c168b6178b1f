package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.Utf8Assembler;
import dev.darkbloom.agent.llama.Tokenizer.PieceTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Tokens back to text. */
final class Detokenizer {
    private Detokenizer() {}

    /** Returns the text of {@code int32[]} tokens, control tokens spelled out, broken characters replaced. The caller owns it. */
    static Content text(PieceTable pieces, MemorySegment tokens) {
        Content text = Content.confined(tokens.byteSize());
        var assembler = new Utf8Assembler();
        MemorySegment bytes = pieces.bytes();
        for (long at = 0; at < tokens.byteSize(); at += 4) {
            int token = tokens.get(ValueLayout.JAVA_INT_UNALIGNED, at);
            assembler.add(bytes, pieces.offset(token), pieces.length(token), text);
        }
        assembler.flush(text);
        return text;
    }
}
