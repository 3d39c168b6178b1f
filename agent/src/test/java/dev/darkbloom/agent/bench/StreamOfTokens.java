package dev.darkbloom.agent.bench;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.TokenRing;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.SamplerSettings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** One prompt that is answered again and again, greedily and past the end of generation. Belongs to the measuring thread. */
final class StreamOfTokens implements AutoCloseable {
    private static final long LONG_NANOS = 1_000_000_000;
    private static final long SHORT_NANOS = 50_000;
    private static final SamplerSettings ENDLESS = new SamplerSettings(0f, 0f, 1f, 0, 1f, 0f, 1f, -1f, 0f, 0.1f, 0, 1f, 0f, 0f, 0f, 1.75f, 2, 0, 0,
            5f, 0.1f, -1f, 0.9f, -1, 0, true, List.of(), MemorySegment.NULL, null);

    private final ModelLease lease;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment prompt;
    private final int promptTokens;
    private final int predict;
    private TokenRing ring;
    private Generation generation;
    private Thread reader; // null when nobody reads meanwhile

    StreamOfTokens(ModelLease lease, String text, int predict) {
        this.lease = lease;
        this.predict = predict;
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        prompt = arena.allocate(ValueLayout.JAVA_INT, utf8.length + 8);
        try (var scratch = Arena.ofConfined()) {
            promptTokens = lease.tokenizer().tokenize(scratch.allocateFrom(ValueLayout.JAVA_BYTE, utf8), true, true, prompt);
        }
        if (promptTokens < 1) {
            throw new IllegalArgumentException("a prompt does not tokenize");
        }
    }

    /** Submits the prompt. */
    void begin(boolean withReader) {
        ring = TokenRing.allocate(predict, 0);
        generation = lease.submit(new GenerationRequest(new RequestId("bench"), prompt, promptTokens, predict, ENDLESS, null, -1, Long.MAX_VALUE, ring));
        reader = withReader ? Thread.ofVirtual().start(this::readAll) : null;
    }

    /** Waits until prefill is over. */
    void awaitFirst() throws InterruptedException {
        while (generation.progress().generatedTokens() == 0 && !generation.isFinished()) {
            if (reader == null) {
                generation.await(LONG_NANOS);
            } else {
                LockSupport.parkNanos(SHORT_NANOS); // a generation is awaited by one thread, which is the reader's
            }
        }
    }

    int generated() {
        return generation.progress().generatedTokens();
    }

    boolean isFinished() {
        return generation.isFinished();
    }

    /** Waits for the rest of the answer. */
    void end() throws InterruptedException {
        if (reader == null) {
            readAll();
        } else {
            reader.join();
        }
        Generation.Outcome outcome = generation.outcome().orElseThrow();
        if (!(outcome instanceof Generation.Outcome.Finished(Generation.FinishReason reason)) || reason != Generation.FinishReason.LENGTH) {
            throw new IllegalStateException("an answer ended as " + outcome);
        }
        ring.close();
        ring = null;
    }

    private void readAll() {
        try {
            while (!generation.isFinished()) {
                generation.await(LONG_NANOS);
                while (ring.size() > 0) {
                    ring.advance();
                }
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
