package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.llama.RankFormat;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * One query with one document after the other, as the tokens that a ranking model reads. Owned by the request.
 *
 * <p>Where the model's template is used, the rendered text is tokenized whole, control tokens included, as the model was trained on it. Should
 * the query or the document spell a control token, the pieces are tokenized one by one instead, and theirs without control tokens: what a
 * client wrote cannot end the template's turn.
 */
final class RankInputs implements AutoCloseable {
    private final RankFormat format;
    private final Tokenizer tokenizer;
    private final Content query;
    private final PromptTokens queryTokens;

    /** Takes the query's text. */
    RankInputs(RankFormat format, Tokenizer tokenizer, Content query) {
        this.format = format;
        this.tokenizer = tokenizer;
        this.query = query;
        try {
            this.queryTokens = tokens(query, false);
        } catch (Throwable t) {
            query.close();
            throw t;
        }
    }

    /** Returns the query with a document; the caller owns the result. */
    PromptTokens with(Content document) {
        try (PromptTokens documentTokens = tokens(document, false)) {
            if (format.template().isEmpty()) {
                return join(documentTokens);
            }
            String template = format.template().get();
            boolean plain = !spellsControl(query, queryTokens) && !spellsControl(document, documentTokens);
            return plain ? rendered(template, document) : inPieces(template, documentTokens);
        }
    }

    private PromptTokens tokens(Content text, boolean withControl) {
        return PromptTokens.of(room -> tokenizer.tokenize(text.segment(), false, withControl, room), text.length());
    }

    private boolean spellsControl(Content text, PromptTokens plain) {
        try (PromptTokens parsed = tokens(text, true)) {
            return parsed.segment().mismatch(plain.segment()) >= 0;
        }
    }

    private PromptTokens join(PromptTokens document) {
        Content memory = Content.allocate((queryTokens.count() + document.count() + 8L) * 4);
        append(memory, format.begin());
        memory.append(queryTokens.segment());
        append(memory, format.between());
        memory.append(document.segment());
        append(memory, format.end());
        return PromptTokens.of(memory);
    }

    private static void append(Content memory, List<Integer> tokens) {
        tokens.forEach(memory::appendInt);
    }

    private PromptTokens rendered(String template, Content document) {
        try (Content text = Content.confined(template.length() + query.length() + document.length())) {
            for (Piece piece : pieces(template)) {
                switch (piece.text()) {
                    case RankFormat.QUERY -> text.append(query.segment());
                    case RankFormat.DOCUMENT -> text.append(document.segment());
                    default -> text.append(piece.utf8());
                }
            }
            return tokens(text, true);
        }
    }

    private PromptTokens inPieces(String template, PromptTokens document) {
        Content memory = Content.allocate((template.length() + queryTokens.count() + document.count()) * 4L);
        for (Piece piece : pieces(template)) {
            switch (piece.text()) {
                case RankFormat.QUERY -> memory.append(queryTokens.segment());
                case RankFormat.DOCUMENT -> memory.append(document.segment());
                default -> {
                    try (Content text = Content.confined(piece.text().length() * 3L)) {
                        text.append(piece.utf8());
                        try (PromptTokens own = tokens(text, true)) {
                            memory.append(own.segment());
                        }
                    }
                }
            }
        }
        return PromptTokens.of(memory);
    }

    /** A part of the template: its own text, or one of the two places. */
    private record Piece(String text) {
        MemorySegment utf8() {
            return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static List<Piece> pieces(String template) {
        return List.of(template.split("(?<=\\{query\\}|\\{document\\})|(?=\\{query\\}|\\{document\\})")).stream()
                .filter(text -> !text.isEmpty()).map(Piece::new).toList();
    }

    @Override
    public void close() {
        queryTokens.close();
        query.close();
    }
}
