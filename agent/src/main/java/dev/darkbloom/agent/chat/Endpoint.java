package dev.darkbloom.agent.chat;

/** Which kind of request a body is. */
public enum Endpoint {
    CHAT_COMPLETIONS,
    COMPLETIONS,
    RESPONSES,
    EMBEDDINGS,
    TOKENIZE,
    DETOKENIZE,
    APPLY_TEMPLATE
}
