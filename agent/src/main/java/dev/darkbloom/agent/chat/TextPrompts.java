package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.llama.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.LongConsumer;

/**
 * The prompts of a request without a chat template, as tokens: a text, an array of tokens, or an array of either. Owned by the request.
 */
final class TextPrompts implements AutoCloseable {
    private final Closer closer = new Closer();
    private final List<PromptTokens> prompts = new ArrayList<>();
    private final List<Content> texts = new ArrayList<>();

    private final LongConsumer checkBytes;

    private TextPrompts(LongConsumer checkBytes) {
        this.checkBytes = checkBytes;
    }

    /**
     * Reads a member that holds prompts.
     *
     * @param most most prompts allowed
     * @param keepTexts whether {@link #text} will be asked for
     * @throws AgentException {@code INVALID_REQUEST}
     */
    static TextPrompts read(RequestBody body, String name, Tokenizer tokenizer, int most, boolean keepTexts) {
        return read(body, name, tokenizer, most, keepTexts, _ -> { });
    }

    /** As the other; {@code checkBytes} is told each text's size before it is tokenized, and may refuse it. */
    static TextPrompts read(RequestBody body, String name, Tokenizer tokenizer, int most, boolean keepTexts, LongConsumer checkBytes) {
        var prompts = new TextPrompts(checkBytes);
        try {
            prompts.readAll(body, name, tokenizer, most, keepTexts);
            return prompts;
        } catch (Throwable t) {
            prompts.close();
            throw t;
        }
    }

    private void readAll(RequestBody body, String name, Tokenizer tokenizer, int most, boolean keepTexts) {
        JsonScanner json = body.json();
        Slice value = body.value(name);
        if (value.isEmpty()) {
            throw RequestBody.invalid(name, name + " is missing");
        }
        if (json.kind(value) == Kind.STRING) {
            addText(json, value, name, tokenizer, keepTexts);
            return;
        }
        if (json.kind(value) != Kind.ARRAY) {
            throw RequestBody.invalid(name, name + " must be a string or an array");
        }
        JsonScanner.Cursor elements = json.elements(value);
        if (!elements.next()) {
            throw RequestBody.invalid(name, name + " is empty");
        }
        if (json.kind(elements.value()) == Kind.NUMBER) {
            addTokens(json, value, name, tokenizer, keepTexts);
            return;
        }
        int count = json.count(value);
        if (count > most) {
            throw RequestBody.invalid(name, name + " has " + count + " elements; at most " + most + " are allowed");
        }
        do {
            switch (json.kind(elements.value())) {
                case STRING -> addText(json, elements.value(), name, tokenizer, keepTexts);
                case ARRAY -> addTokens(json, elements.value(), name, tokenizer, keepTexts);
                default -> throw RequestBody.invalid(name, name + " must hold strings, or arrays of tokens");
            }
        } while (elements.next());
    }

    private void addText(JsonScanner json, Slice value, String name, Tokenizer tokenizer, boolean keepTexts) {
        Content text = Content.confined(value.length());
        try {
            json.decode(value, text);
            checkBytes.accept(text.length());
            add(PromptTokens.of(tokens -> tokenizer.tokenize(text.segment(), true, true, tokens), text.length()), name);
            if (keepTexts) {
                texts.add(closer.add(text));
            }
        } finally {
            if (!texts.contains(text)) {
                text.close();
            }
        }
    }

    private void addTokens(JsonScanner json, Slice array, String name, Tokenizer tokenizer, boolean keepTexts) {
        Content memory = Content.allocate(array.length() * 2);
        try {
            readTokens(json, array, name, tokenizer.vocabularySize(), memory);
        } catch (Throwable t) {
            memory.close();
            throw t;
        }
        add(PromptTokens.of(memory), name);
        if (keepTexts) {
            texts.add(closer.add(Detokenizer.text(tokenizer.pieces(), memory.segment())));
        }
    }

    /** Appends the tokens of a JSON array to {@code target}; no token is quoted when one is wrong. */
    static void readTokens(JsonScanner json, Slice array, String name, int vocabularySize, Content target) {
        for (JsonScanner.Cursor elements = json.elements(array); elements.next();) {
            OptionalLong token = json.kind(elements.value()) == Kind.NUMBER ? json.integer(elements.value()) : OptionalLong.empty();
            if (token.isEmpty() || token.getAsLong() < 0 || token.getAsLong() >= vocabularySize) {
                throw RequestBody.invalid(name, name + " must hold token ids from 0 to " + (vocabularySize - 1));
            }
            target.appendInt((int) token.getAsLong());
        }
    }

    private void add(PromptTokens tokens, String name) {
        prompts.add(closer.add(tokens));
        if (tokens.count() == 0) {
            throw RequestBody.invalid(name, name + " has no tokens");
        }
    }

    List<PromptTokens> all() {
        return prompts;
    }

    /** Returns the text of a prompt, kept by {@code keepTexts}. */
    Content text(int prompt) {
        return texts.get(prompt);
    }

    @Override
    public void close() {
        closer.close();
    }
}
