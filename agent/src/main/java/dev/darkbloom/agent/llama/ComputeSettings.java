package dev.darkbloom.agent.llama;

/**
 * How a context computes: what is worth measuring on each machine, and changes no answer beyond the kernels' rounding.
 *
 * @param threads threads for decode and prefill, the calling one counted; 1 to 512
 * @param poll how eagerly threads wait for the next decode call before they sleep, 0 to 100; at 0 they sleep at once
 * @param batchTokens most tokens in one decode call ({@code n_batch}); positive
 * @param ubatchTokens most tokens the backend computes at once ({@code n_ubatch}); positive, at most {@code batchTokens}
 * @param prefillNanosPerToken what a prompt token was seen to cost, by which the first prompts are cut into steps; 0 when nobody knows
 * @param flashAttention whether to use flash attention
 */
public record ComputeSettings(
        int threads, int poll, int batchTokens, int ubatchTokens, long prefillNanosPerToken, FlashAttention flashAttention) {

    /** When the backend computes attention without storing the score matrix; {@code llama_flash_attn_type}. */
    public enum FlashAttention { AUTO, OFF, ON }

    private static final int MOST_THREADS = 512; // GGML_MAX_N_THREADS

    public ComputeSettings {
        if (threads < 1 || threads > MOST_THREADS || poll < 0 || poll > 100 || prefillNanosPerToken < 0) {
            throw new IllegalArgumentException("threads " + threads + ", poll " + poll + ", " + prefillNanosPerToken + " ns for a token");
        }
        if (ubatchTokens < 1 || batchTokens < ubatchTokens) {
            throw new IllegalArgumentException("batch of " + batchTokens + " tokens, ubatch of " + ubatchTokens);
        }
    }

    /** Returns settings that nobody has measured: threads that sleep when there is nothing to do, attention as llama.cpp decides. */
    public static ComputeSettings safe(int threads, int batchTokens, int ubatchTokens) {
        return new ComputeSettings(threads, 0, batchTokens, ubatchTokens, 0, FlashAttention.AUTO);
    }

    public ComputeSettings withThreads(int count) {
        return new ComputeSettings(count, poll, batchTokens, ubatchTokens, prefillNanosPerToken, flashAttention);
    }

    public ComputeSettings withPoll(int eagerness) {
        return new ComputeSettings(threads, eagerness, batchTokens, ubatchTokens, prefillNanosPerToken, flashAttention);
    }

    public ComputeSettings withUbatchTokens(int tokens) {
        return new ComputeSettings(threads, poll, Math.max(batchTokens, tokens), tokens, prefillNanosPerToken, flashAttention);
    }

    public ComputeSettings withPrefillNanosPerToken(long nanos) {
        return new ComputeSettings(threads, poll, batchTokens, ubatchTokens, nanos, flashAttention);
    }

    public ComputeSettings withFlashAttention(FlashAttention use) {
        return new ComputeSettings(threads, poll, batchTokens, ubatchTokens, prefillNanosPerToken, use);
    }
}
