package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/**
 * Reads {@code logit_bias} into pairs outside the heap: OpenAI's object from token ids to numbers, or llama-server's array of pairs, where
 * {@code false} bans a token.
 */
final class LogitBias {
    /** More than any client sends; OpenAI's own limit is 1,024. */
    private static final int MAX_ENTRIES = 16_384;

    private LogitBias() {}

    /**
     * Appends {@code (int32 token, float32 bias)} for each entry.
     *
     * @throws AgentException {@code INVALID_REQUEST}; no token id is quoted
     */
    static void write(RequestBody body, int vocabularySize, Content target) {
        Slice value = body.value("logit_bias");
        if (value.isEmpty()) {
            return;
        }
        JsonScanner json = body.json();
        int entries = 0;
        switch (json.kind(value)) {
            case OBJECT -> {
                for (JsonScanner.Cursor members = json.members(value); members.next(); entries++) {
                    append(json, keyToken(json, members.key(), vocabularySize), members.value(), vocabularySize, target);
                    checkCount(entries);
                }
            }
            case ARRAY -> {
                for (JsonScanner.Cursor pairs = json.elements(value); pairs.next(); entries++) {
                    if (json.kind(pairs.value()) != Kind.ARRAY || json.count(pairs.value()) != 2) {
                        throw invalid("logit_bias must hold pairs of a token id and a number");
                    }
                    JsonScanner.Cursor pair = json.elements(pairs.value());
                    pair.next();
                    OptionalLong token = json.kind(pair.value()) == Kind.NUMBER ? json.integer(pair.value()) : OptionalLong.empty();
                    pair.next();
                    append(json, token.orElse(-1), pair.value(), vocabularySize, target);
                    checkCount(entries);
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

    private static long keyToken(JsonScanner json, Slice key, int vocabularySize) {
        long token = key.length() > 2 ? 0 : -1;
        for (long at = key.offset() + 1; at < key.end() - 1 && token >= 0; at++) {
            int digit = json.text().get(ValueLayout.JAVA_BYTE, at) - '0';
            token = digit < 0 || digit > 9 || token > vocabularySize ? -1 : token * 10 + digit;
        }
        return token;
    }

    private static void append(JsonScanner json, long token, Slice value, int vocabularySize, Content target) {
        if (token < 0 || token >= vocabularySize) {
            throw invalid("logit_bias names a token that is not one of the vocabulary's " + vocabularySize);
        }
        float bias = switch (json.kind(value)) {
            case FALSE -> Float.NEGATIVE_INFINITY;
            case NUMBER -> {
                double number = json.number(value);
                if (!(number >= -100 && number <= 100)) {
                    throw invalid("logit_bias must hold numbers from -100 to 100");
                }
                yield (float) number;
            }
            default -> throw invalid("logit_bias must hold numbers from -100 to 100");
        };
        target.appendInt((int) token);
        target.appendFloat(bias);
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("logit_bias", message);
    }
}
