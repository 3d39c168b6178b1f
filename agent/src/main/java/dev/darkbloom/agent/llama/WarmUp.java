package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Runs a fresh context once for real, so that the first request is not the one that pays for it: graphs are built, a GPU's kernels are
 * compiled, threads and buffers are made, and weights come from the disk.
 *
 * <p>A few tokens at once and one alone, because backends have other kernels for each. What is computed is thrown away, and the memory is
 * as empty as before: a prompt that follows is computed as on a context that nobody has warmed.
 */
@Confined("engine-<model>")
final class WarmUp {
    /** Enough for the matrix kernels of prefill (Metal takes them from 9 tokens on), and little work for a large model on a CPU. */
    private static final int TOKENS_AT_ONCE = 16;
    /** Any id does, the first is in every vocabulary. */
    private static final int TOKEN = 0;
    private static final int SEQUENCE = 0;

    private WarmUp() {}

    /**
     * Warms {@code decoder} of {@code model}, whose sequences are all empty and stay so.
     *
     * @param embedding whether the context pools its inputs instead of continuing them
     * @throws AgentException {@code DECODE_FATAL} when the context cannot compute
     */
    static void run(ModelRuntime model, TokenDecoder decoder, boolean embedding) {
        int room = Math.min(decoder.ubatchTokens(), decoder.contextTokensPerSequence());
        if (embedding) {
            decode(decoder, 0, Math.min(TOKENS_AT_ONCE, room), true);
        } else {
            int prompt = Math.max(1, Math.min(TOKENS_AT_ONCE, room - 1));
            try (TokenSampler sampler = model.newSampler(SamplerSettings.greedy(), null, decoder.contextTokensPerSequence()); var scratch = Arena.ofConfined()) {
                MemorySegment tokens = scratch.allocate(ValueLayout.JAVA_INT, prompt); // zeros, that is TOKEN
                sampler.acceptPrompt(tokens);
                decoder.sample(sampler, decode(decoder, 0, prompt, false));
                if (prompt < room) {
                    decoder.sample(sampler, decode(decoder, prompt, 1, false));
                }
            }
        }
        decoder.clearBatch();
        decoder.removeFrom(SEQUENCE, 0);
    }

    /** Returns the row of the last token. */
    private static int decode(TokenDecoder decoder, int position, int tokens, boolean everyOutput) {
        decoder.clearBatch();
        int row = -1;
        for (int i = 0; i < tokens; i++) {
            row = decoder.add(TOKEN, position + i, SEQUENCE, everyOutput || i == tokens - 1);
        }
        int code = decoder.decode();
        if (code != TokenDecoder.DECODED) {
            throw new AgentException(ErrorCode.DECODE_FATAL, "a new context cannot compute: llama.cpp answered " + code);
        }
        return row;
    }
}
