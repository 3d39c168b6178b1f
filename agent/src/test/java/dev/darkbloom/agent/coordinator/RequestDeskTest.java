package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.chat.Usage;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.ReplayGuard;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.crypto.RequestOpener;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.protocol.CoordinatorMessage.InferenceRequest;
import dev.darkbloom.agent.protocol.MessageDecoder;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is taken and what is refused before any model is asked. */
@Tag("native") // libsodium
@Timeout(60)
class RequestDeskTest {
    private static final int PROMPT_TOKENS = 700;

    private final BoxKeys keys = BoxKeys.generate();
    private final BoxKeys consumer = BoxKeys.generate();
    private final Sent sent = new Sent();
    private final CountDownLatch go = new CountDownLatch(1);
    private final MessageDecoder decoder = new MessageDecoder();
    private final long contents = Content.openCount();
    private double leastMs;
    private RequestDesk desk;

    /** Keeps the frames. */
    private static final class Sent implements Outlet {
        private final List<String> frames = new CopyOnWriteArrayList<>();

        @Override
        public void send(MemorySegment frame, long size) {
            frames.add(new String(frame.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
        }

        @Override
        public boolean awaitRoom(long nanos) {
            return true;
        }

        boolean has(String id, String what) {
            return frames.stream().anyMatch(frame -> frame.contains(id) && frame.contains(what));
        }
    }

    @AfterEach
    void close() {
        go.countDown();
        desk.close();
        keys.close();
        consumer.close();
        await().untilAsserted(() -> assertThat(Content.openCount()).isEqualTo(contents));
    }

    @Test
    void bodiesBeyondTheBoundAreRefusedAsBusyAndTakenAgainLater() {
        open(400_000);
        ask("one", 80_000);
        await().until(() -> sent.has("one", "inference_accepted"));
        ask("two", 80_000);
        await().until(() -> sent.has("two", "inference_accepted"));

        ask("three", 100_000);
        assertThat(sent.has("three", "queue_full")).isTrue();
        assertThat(sent.has("three", "bytes of requests are in flight")).isTrue();
        ask("small", 100);
        await().until(() -> sent.has("small", "inference_accepted"));

        go.countDown();
        await().until(() -> desk.inFlight() == 0);
        ask("four", 100_000);
        await().until(() -> sent.has("four", "inference_complete"));
    }

    @Test
    void whatIsForetoldToBeginTooLateIsRefusedAtOnce() {
        open(1 << 20);
        go.countDown();
        leastMs = 60_000;
        ask("late", 100, ",\"first_content_budget_ms\":30000");
        await().until(() -> sent.has("late", "deadline_unreachable"));
        assertThat(sent.has("late", "\"status_code\":503")).isTrue();
        assertThat(sent.has("late", "admission_timeout")).isTrue();

        ask("patient", 100);
        await().until(() -> sent.has("patient", "inference_complete"));
        leastMs = 10;
        ask("soon", 100, ",\"first_content_budget_ms\":30000");
        await().until(() -> sent.has("soon", "inference_complete"));
        leastMs = 0;
        ask("unknown", 100, ",\"first_content_budget_ms\":30000");
        await().until(() -> sent.has("unknown", "inference_complete"));
        assertThat(desk.failed()).isEqualTo(1);
    }

    private void open(long mostBytes) {
        var limits = new RequestDesk.Limits(100, mostBytes, Duration.ofSeconds(60), Duration.ofSeconds(60));
        desk = new RequestDesk(this::answer, new RequestOpener(keys, new ReplayGuard()), keys.publicKey(), Optional.empty(), limits, NanoClock.SYSTEM,
                (model, tokens) -> model.equals("m") && tokens == PROMPT_TOKENS ? leastMs : 0, () -> { });
    }

    private void answer(RequestId id, Content body, ResponseSink sink) {
        sink.prepared("m", PROMPT_TOKENS);
        try {
            go.await();
        } catch (InterruptedException e) {
            throw new AgentException(ErrorCode.CANCELLED, "interrupted");
        }
        sink.used(new Usage(3, 0, 2, 0, 0, 0));
    }

    private void ask(String id, int bytes) {
        ask(id, bytes, "");
    }

    private void ask(String id, int bytes, String members) {
        try (RequestBox box = consumer.boxWith(keys.publicKey()); Content plain = OffHeap.body("x".repeat(bytes)); Content sealed = Content.confined(64);
                Content text = Content.confined(64)) {
            box.seal(plain.buffer(), 0, plain.length(), sealed);
            Base64Text.encode(sealed.buffer(), 0, sealed.length(), text);
            Content frame = OffHeap.body("{\"type\":\"inference_request\",\"request_id\":\"" + id + "\"" + members
                    + ",\"encrypted_body\":{\"ephemeral_public_key\":\"" + consumer.publicKey() + "\",\"ciphertext\":\"" + OffHeap.text(text) + "\"}}");
            desk.accept((InferenceRequest) decoder.coordinatorMessage(frame.segment()), frame, sent);
        }
    }
}
