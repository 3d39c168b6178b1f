package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/**
 * Reads {@code logit_bias} into pairs outside the heap: OpenAI's object from token ids to numbers, or llama-server's array of pairs. As
 * there, a text instead of an id stands for each of its tokens, and {@code false} bans.
 */
final class LogitBias {
    /** More than any client sends; OpenAI's own limit is 1,024. */
    private static final int MAX_ENTRIES = 16_384;
    /** The longest text of an entry, in bytes of JSON. */
    private static final int MAX_TEXT_BYTES = 1024;

    private final JsonScanner json;
    private final Tokenizer tokenizer;
    private final Content target;

    private LogitBias(JsonScanner json, Tokenizer tokenizer, Content target) {
        this.json = json;
        this.tokenizer = tokenizer;
        this.target = target;
    }

    /**
     * Appends {@code (int32 token, float32 bias)} for each token.
     *
     * @throws AgentException {@code INVALID_REQUEST}; no token id and no text is quoted
     */
    static void write(RequestBody body, Tokenizer tokenizer, Content target) {
        Slice value = body.value("logit_bias");
        if (!value.isEmpty()) {
            new LogitBias(body.json(), tokenizer, target).write(value);
        }
    }

    private void write(Slice value) {
        int entries = 0;
        switch (json.kind(value)) {
            case OBJECT -> {
                for (JsonScanner.Cursor members = json.members(value); members.next(); entries++) {
                    checkCount(entries);
                    if (isNumber(members.key())) {
                        append(keyToken(members.key()), bias(members.value()));
                    } else {
                        appendText(members.key(), bias(members.value()));
                    }
                }
            }
            case ARRAY -> {
                for (JsonScanner.Cursor pairs = json.elements(value); pairs.next(); entries++) {
                    checkCount(entries);
                    if (json.kind(pairs.value()) != Kind.ARRAY || json.count(pairs.value()) != 2) {
                        throw invalid("logit_bias must hold pairs of a token and a number");
                    }
                    appendPair(json.elements(pairs.value()));
                }
            }
            default -> throw invalid("logit_bias must be an object");
        }
    }

    private static void checkCount(int entries) {
        if (entries >= MAX_ENTRIES) {
            throw invalid("logit_bias has more than " + MAX_ENTRIES + " entries");
        }
    }

    private void appendPair(JsonScanner.Cursor pair) {
        pair.next();
        Slice token = pair.value();
        pair.next();
        float bias = bias(pair.value());
        if (json.kind(token) == Kind.STRING) {
            appendText(token, bias);
        } else {
            OptionalLong id = json.kind(token) == Kind.NUMBER ? json.integer(token) : OptionalLong.empty();
            append(id.orElse(-1), bias);
        }
    }

    /** Returns whether a key is an integer, be it one that no token has. */
    private boolean isNumber(Slice key) {
        long from = key.offset() + 1;
        boolean signed = key.length() > 3 && json.text().get(ValueLayout.JAVA_BYTE, from) == '-';
        for (long at = signed ? from + 1 : from; at < key.end() - 1; at++) {
            if (digit(at) < 0) {
                return false;
            }
        }
        return true;
    }

    /** Returns the digit at a place in the text, or -1. */
    private int digit(long at) {
        int digit = json.text().get(ValueLayout.JAVA_BYTE, at) - '0';
        return digit > 9 ? -1 : digit;
    }

    private long keyToken(Slice key) {
        long token = key.length() > 2 ? 0 : -1;
        for (long at = key.offset() + 1; at < key.end() - 1 && token >= 0; at++) {
            int digit = digit(at);
            token = digit < 0 || token > tokenizer.vocabularySize() ? -1 : token * 10 + digit;
        }
        return token;
    }

    private float bias(Slice value) {
        switch (json.kind(value)) {
            case FALSE -> {
                return Float.NEGATIVE_INFINITY;
            }
            case NUMBER -> {
                double number = json.number(value);
                if (number >= -100 && number <= 100) {
                    return (float) number;
                }
            }
            default -> { }
        }
        throw invalid("logit_bias must hold numbers from -100 to 100");
    }

    private void append(long token, float bias) {
        if (token < 0 || token >= tokenizer.vocabularySize()) {
            throw invalid("logit_bias names a token that is not one of the vocabulary's " + tokenizer.vocabularySize());
        }
        target.appendInt((int) token);
        target.appendFloat(bias);
    }

    private void appendText(Slice value, float bias) {
        if (value.length() > MAX_TEXT_BYTES) {
            throw invalid("logit_bias has a text of more than " + MAX_TEXT_BYTES + " bytes");
        }
        try (Content text = Content.confined(value.length())) {
            json.decode(value, text);
            try (PromptTokens tokens = PromptTokens.of(room -> tokenizer.tokenize(text.segment(), false, false, room), text.length())) {
                for (int i = 0; i < tokens.count(); i++) {
                    append(tokens.segment().get(ValueLayout.JAVA_INT_UNALIGNED, i * 4L), bias);
                }
            }
        }
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("logit_bias", message);
    }
}
