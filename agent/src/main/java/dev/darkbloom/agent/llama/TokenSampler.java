package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;

/**
 * One request's sampler chain. Made and told its prompt by the request's thread, then handed to the decoder's; used by one thread at a time and
 * closed before its model.
 */
public interface TokenSampler extends AutoCloseable {
    /** Tells the chain the prompt, for penalties and DRY. {@code tokens} is {@code int32[]}, borrowed. */
    void acceptPrompt(MemorySegment tokens);

    @Override
    void close();
}
