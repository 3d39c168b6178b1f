package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;

/**
 * What a request says about the form of its answer.
 *
 * @param stream events instead of a document
 * @param includeUsage whether a stream ends with an event that has usage and no choices
 * @param choices answers per prompt, at least 1
 * @param maxTokens most tokens of one answer, at least 1; {@link Integer#MAX_VALUE} when the request does not say
 * @param topLogprobs -1 for no log-probabilities, otherwise how many alternatives
 * @param timesEvents whether every event of a stream carries the times so far
 * @param reusesCache whether what is kept of earlier prompts is made use of
 * @param pingNanos silence after which a stream gets a comment; {@link Long#MAX_VALUE} for none
 */
record AnswerSettings(boolean stream, boolean includeUsage, int choices, int maxTokens, int topLogprobs, boolean timesEvents, boolean reusesCache,
        long pingNanos) {
    private static final int MAX_TOP_LOGPROBS = 20;

    /** First positive one wins; of the negative ones only llama.cpp's -1 ("no limit") is allowed, for its own name. */
    private static final List<String> TOKEN_LIMITS = List.of("max_tokens", "max_completion_tokens", "max_output_tokens");

    /**
     * Reads the members that all text endpoints share.
     *
     * @param chat whether {@code logprobs} is a switch with {@code top_logprobs} beside it; otherwise it is the number itself
     */
    static AnswerSettings read(RequestBody body, CompletionsSettings settings, boolean chat) {
        Slice options = body.value("stream_options", Kind.OBJECT);
        boolean stream = body.flag("stream", false);
        return new AnswerSettings(
                stream,
                stream && !options.isEmpty() && includeUsage(body, options),
                choices(body, settings.maxChoices()),
                maxTokens(body),
                chat ? chatLogprobs(body) : textLogprobs(body),
                body.flag("timings_per_token", false) && stream,
                body.flag("cache_prompt", true),
                pingNanos(body, settings.pingInterval()));
    }

    /** As the other; of a request that a coordinator passed on, which settles one answer. */
    static AnswerSettings read(RequestBody body, RequestContext context, boolean chat) {
        AnswerSettings form = read(body, context.settings(), chat);
        if (context.isRelayed() && form.choices() > 1) {
            throw RequestBody.invalid("n", "n above 1 is not answered through a coordinator");
        }
        return form;
    }

    private static boolean includeUsage(RequestBody body, Slice options) {
        Slice value = body.json().member(options, "include_usage");
        if (value.isEmpty()) {
            return false;
        }
        return switch (body.json().kind(value)) {
            case TRUE -> true;
            case FALSE, NULL -> false;
            default -> throw RequestBody.invalid("stream_options", "stream_options.include_usage must be a boolean");
        };
    }

    private static int choices(RequestBody body, int most) {
        return body.integer("n", 1, most, body.integer("n_cmpl", 1, most, 1));
    }

    private static int maxTokens(RequestBody body) {
        int limit = 0;
        for (String name : TOKEN_LIMITS) {
            int value = tokenLimit(body, name, 0);
            limit = limit > 0 ? limit : value;
        }
        int predict = tokenLimit(body, "n_predict", -1);
        if (limit == 0 && body.has("n_predict") && predict == 0) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "n_predict", "n_predict 0, a prompt without an answer, is not supported");
        }
        limit = limit > 0 ? limit : predict;
        return limit > 0 ? limit : Integer.MAX_VALUE;
    }

    /** A limit beyond the range of {@code int} is no limit. */
    private static int tokenLimit(RequestBody body, String name, int least) {
        Slice value = body.value(name, Kind.NUMBER);
        if (value.isEmpty()) {
            return 0;
        }
        OptionalLong number = body.json().integer(value);
        if (number.isEmpty() || number.getAsLong() < least) {
            throw RequestBody.invalid(name, name + " must be an integer of at least " + least);
        }
        return (int) Math.min(number.getAsLong(), Integer.MAX_VALUE);
    }

    private static int chatLogprobs(RequestBody body) {
        int probabilities = body.integer("n_probs", 0, MAX_TOP_LOGPROBS, 0);
        int top = body.integer("top_logprobs", 0, MAX_TOP_LOGPROBS, probabilities);
        boolean wanted = body.flag("logprobs", probabilities > 0);
        if (body.has("top_logprobs") && !wanted) {
            throw RequestBody.invalid("top_logprobs", "top_logprobs needs logprobs to be true");
        }
        return wanted ? top : -1;
    }

    private static int textLogprobs(RequestBody body) {
        int probabilities = body.integer("n_probs", 0, MAX_TOP_LOGPROBS, 0);
        return body.integer("logprobs", 0, MAX_TOP_LOGPROBS, probabilities > 0 ? probabilities : -1);
    }

    private static long pingNanos(RequestBody body, Duration configured) {
        int seconds = body.integer("sse_ping_interval", -1, Integer.MAX_VALUE, 0);
        if (seconds > 0) {
            return seconds * 1_000_000_000L;
        }
        return seconds < 0 || configured.isZero() ? Long.MAX_VALUE : configured.toNanos();
    }
}
