package dev.darkbloom.agent.models;

/** Checks the vocabulary, as {@code llama_vocab::impl::load} reads and asserts on it. */
final class TokenizerCheck {
    private final GgufModel model;

    TokenizerCheck(GgufModel model) {
        this.model = model;
    }

    void check() {
        model.header();
    }
}
