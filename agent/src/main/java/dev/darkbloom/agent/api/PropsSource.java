package dev.darkbloom.agent.api;

import java.util.Map;
import java.util.Optional;

/** The properties of the served model, for {@code GET /props}. Called on a request's virtual thread; may block. */
@FunctionalInterface
public interface PropsSource {
    /** Has no properties. */
    PropsSource NONE = _ -> Optional.empty();

    /** Returns the properties of a model, or of the default one where none is named; empty for an unknown model. */
    Optional<Props> props(Optional<String> modelId);

    /**
     * What llama-server v0.4.0 shows at {@code /props}, as far as it holds here.
     *
     * @param modelAlias the model's id
     * @param modelFile name of its file, without folders
     * @param totalSlots requests that run at once
     * @param contextTokens tokens of one slot
     * @param sampling the defaults, by llama-server's names ({@code temperature}, {@code top_k}, …)
     * @param chatTemplate the Jinja source; the model author's, not a request's
     * @param bosToken text of the token that begins a text; empty where there is none
     * @param eosToken text of the token that ends one
     * @param buildInfo version of the agent and of llama.cpp
     */
    record Props(
            String modelAlias,
            String modelFile,
            int totalSlots,
            int contextTokens,
            Map<String, Object> sampling,
            String chatTemplate,
            String bosToken,
            String eosToken,
            String buildInfo) {}
}
