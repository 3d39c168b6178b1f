package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.engine.Generation;

/**
 * What an answer took, all choices together.
 *
 * @param promptTokens tokens of the prompt, template and special tokens included; counted once however many choices it has
 * @param cachedTokens those of them that were not computed again
 * @param completionTokens tokens produced, reasoning and tool calls included, the end-of-generation token not
 * @param reasoningTokens those of them that went into reasoning
 * @param prefillNanos time from the slot to the first token, of the choice that ended last
 * @param decodeNanos time from its first token to its last
 */
public record Usage(int promptTokens, int cachedTokens, int completionTokens, int reasoningTokens, long prefillNanos, long decodeNanos) {
    /** Returns what one answer has taken so far. */
    static Usage of(Choice choice) {
        Generation.Progress progress = choice.generation().progress();
        return new Usage(progress.promptTokens(), progress.cachedTokens(), choice.completionTokens(), choice.reasoningTokens(),
                progress.prefillNanos(), progress.decodeNanos());
    }

    /** Writes {@code "usage":{…},"timings":{…}}. */
    void write(SseWriter json) {
        writeUsage(json);
        json.raw(",");
        writeTimings(json);
    }

    /** Writes {@code "usage":{…}} as OpenAI's API has it. */
    private void writeUsage(SseWriter json) {
        json.raw("\"usage\":{\"prompt_tokens\":").number(promptTokens)
                .raw(",\"completion_tokens\":").number(completionTokens)
                .raw(",\"total_tokens\":").number((long) promptTokens + completionTokens)
                .raw(",\"prompt_tokens_details\":{\"cached_tokens\":").number(cachedTokens)
                .raw("},\"completion_tokens_details\":{\"reasoning_tokens\":").number(reasoningTokens)
                .raw("}}");
    }

    /** Writes {@code "timings":{…}} as llama-server has it (tools/server/README.md, "Timings and context usage"); times in milliseconds. */
    void writeTimings(SseWriter json) {
        int computed = Math.max(0, promptTokens - cachedTokens);
        json.raw("\"timings\":{\"cache_n\":").number(cachedTokens);
        writePhase(json, "prompt", computed, prefillNanos);
        writePhase(json, "predicted", completionTokens, decodeNanos);
        json.raw("}");
    }

    private static void writePhase(SseWriter json, String phase, int tokens, long nanos) {
        double millis = nanos / 1e6;
        json.raw(",\"").raw(phase).raw("_n\":").number(tokens)
                .raw(",\"").raw(phase).raw("_ms\":").fixed(millis, 3)
                .raw(",\"").raw(phase).raw("_per_token_ms\":").fixed(tokens == 0 ? 0 : millis / tokens, 6)
                .raw(",\"").raw(phase).raw("_per_second\":").fixed(nanos == 0 ? 0 : tokens * 1e9 / nanos, 3);
    }
}
