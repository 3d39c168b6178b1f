package dev.darkbloom.agent.chat;

/** Which kind of request a body is. */
public enum Endpoint {
    CHAT_COMPLETIONS,
    COMPLETIONS,
    MESSAGES,
    COUNT_TOKENS,
    RESPONSES,
    RESPONSES_INPUT_TOKENS,
    EMBEDDINGS,
    RERANK,
    TOKENIZE,
    DETOKENIZE,
    APPLY_TEMPLATE
}
