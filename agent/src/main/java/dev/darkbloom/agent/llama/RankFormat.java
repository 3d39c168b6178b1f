package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How a model of pooling type {@code rank} reads a query and a document as one input, as llama-server does it
 * ({@code format_prompt_rerank}): by a template of the model's own, or as {@code begin query between document end}.
 *
 * @param template text with {@link #QUERY} and {@link #DOCUMENT} in it; without one the tokens count
 * @param begin tokens before the query
 * @param between tokens between query and document
 * @param end tokens after the document
 */
public record RankFormat(Optional<String> template, List<Integer> begin, List<Integer> between, List<Integer> end) {
    /** Stands in a template for the query. */
    public static final String QUERY = "{query}";
    /** Stands in a template for the document. */
    public static final String DOCUMENT = "{document}";

    /** {@code LLAMA_TOKEN_NULL} in {@code llama.h}. */
    private static final int NO_TOKEN = -1;

    public RankFormat {
        begin = List.copyOf(begin);
        between = List.copyOf(between);
        end = List.copyOf(end);
    }

    /** Reads the format of a loaded model. */
    static RankFormat of(MemorySegment model, MemorySegment vocabulary) {
        int separator = llama_h.llama_vocab_sep(vocabulary);
        int end = llama_h.llama_vocab_eos(vocabulary);
        Optional<Integer> ending = token(llama_h.llama_vocab_get_add_eos(vocabulary), end == NO_TOKEN ? separator : end);
        List<Integer> between = new ArrayList<>();
        ending.ifPresent(between::add);
        token(llama_h.llama_vocab_get_add_sep(vocabulary), separator).ifPresent(between::add);
        return new RankFormat(template(model),
                token(llama_h.llama_vocab_get_add_bos(vocabulary), llama_h.llama_vocab_bos(vocabulary)).stream().toList(),
                between,
                ending.stream().toList());
    }

    /** A vocabulary may ask for a token that it does not have. */
    private static Optional<Integer> token(boolean wanted, int token) {
        return wanted && token != NO_TOKEN ? Optional.of(token) : Optional.empty();
    }

    private static Optional<String> template(MemorySegment model) {
        try (var scratch = Arena.ofConfined()) {
            MemorySegment text = llama_h.llama_model_chat_template(model, scratch.allocateFrom("rerank"));
            return text.address() == 0 ? Optional.empty() : Optional.of(text.getString(0));
        }
    }
}
