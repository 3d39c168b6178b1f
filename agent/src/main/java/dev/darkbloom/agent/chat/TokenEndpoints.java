package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.content.Utf8Assembler;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.Tokenizer;
import dev.darkbloom.agent.llama.Tokenizer.PieceTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Answers {@code /tokenize} and {@code /detokenize} as llama-server does (tools/server/README.md). */
final class TokenEndpoints {
    private final RequestContext context;

    TokenEndpoints(RequestContext context) {
        this.context = context;
    }

    void tokenize(RequestBody body) throws InterruptedException {
        Slice text = body.value("content", Kind.STRING);
        if (text.isEmpty()) {
            throw RequestBody.invalid("content", "content is missing");
        }
        boolean addSpecial = body.flag("add_special", false);
        boolean parseSpecial = body.flag("parse_special", true);
        boolean withPieces = body.flag("with_pieces", false);
        try (Closer closer = new Closer()) {
            ModelLease lease = closer.add(context.acquire(context.modelName(body)));
            Tokenizer tokenizer = lease.tokenizer();
            Content decoded = closer.add(Content.confined(text.length()));
            body.json().decode(text, decoded);
            PromptTokens tokens = closer.add(PromptTokens.of(
                    target -> tokenizer.tokenize(decoded.segment(), addSpecial, parseSpecial, target), decoded.length()));
            SseWriter json = closer.add(SseWriter.allocate(tokens.count() * 8L + 32));
            json.raw("{\"tokens\":[");
            MemorySegment ids = tokens.segment();
            for (int i = 0; i < tokens.count(); i++) {
                int token = ids.get(ValueLayout.JAVA_INT_UNALIGNED, i * 4L);
                json.raw(i == 0 ? "" : ",");
                if (withPieces) {
                    writePiece(json, tokenizer.pieces(), token);
                } else {
                    json.number(token);
                }
            }
            json.raw("]}");
            context.sink().document(json.segment());
        }
    }

    /** Writes the piece as a string where it is valid text, otherwise as an array of bytes. */
    private static void writePiece(SseWriter json, PieceTable pieces, int token) {
        json.raw("{\"id\":").number(token).raw(",\"piece\":");
        MemorySegment bytes = pieces.bytes();
        long start = pieces.offset(token);
        int length = pieces.length(token);
        if (isWhole(bytes, start, length)) {
            json.text(bytes, start, length);
        } else {
            json.raw("[");
            for (int i = 0; i < length; i++) {
                json.raw(i == 0 ? "" : ",").number(bytes.get(ValueLayout.JAVA_BYTE, start + i) & 0xFF);
            }
            json.raw("]");
        }
        json.raw("}");
    }

    private static boolean isWhole(MemorySegment bytes, long start, int length) {
        var assembler = new Utf8Assembler();
        try (Content text = Content.confined(length + 3L)) {
            assembler.add(bytes, start, length, text);
            boolean whole = !assembler.isHolding() && text.length() == length;
            return whole && text.segment().mismatch(bytes.asSlice(start, length)) < 0;
        }
    }

    void detokenize(RequestBody body) throws InterruptedException {
        Slice array = body.value("tokens", Kind.ARRAY);
        if (array.isEmpty()) {
            throw RequestBody.invalid("tokens", "tokens is missing");
        }
        try (Closer closer = new Closer()) {
            ModelLease lease = closer.add(context.acquire(context.modelName(body)));
            Content tokens = closer.add(Content.confined(array.length() * 2));
            TextPrompts.readTokens(body.json(), array, "tokens", lease.tokenizer().vocabularySize(), tokens);
            Content text = closer.add(Detokenizer.text(lease.tokenizer().pieces(), tokens.segment()));
            SseWriter json = closer.add(SseWriter.allocate(text.length() + 32));
            json.raw("{\"content\":").text(text.segment()).raw("}");
            context.sink().document(json.segment());
        }
    }
}
