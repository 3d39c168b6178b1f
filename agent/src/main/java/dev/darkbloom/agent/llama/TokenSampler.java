package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;

/** One request's sampler chain. Belongs to the decoder's thread; closed before the decoder. */
public interface TokenSampler extends AutoCloseable {
    /** Tells the chain the prompt, for penalties and DRY. {@code tokens} is {@code int32[]}, borrowed. */
    void acceptPrompt(MemorySegment tokens);

    @Override
    void close();
}
