package dev.darkbloom.agent.llama;

/**
 * A compiled grammar on its way to a sampler. Owned by the request until {@link ModelRuntime#newSampler} takes it; closing it after that
 * does nothing. One thread at a time.
 */
public interface Grammar extends AutoCloseable {
    @Override
    void close();
}
