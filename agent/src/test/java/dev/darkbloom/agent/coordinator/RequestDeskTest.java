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
import dev.darkbloom.agent.protocol.EncryptedPayload;
import dev.darkbloom.agent.protocol.MessageDecoder;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
    private final ManualClock clock = new ManualClock();
    private final Semaphore turn = new Semaphore(0);
    private final Semaphore taken = new Semaphore(0);
    private final AtomicInteger loads = new AtomicInteger();
    private double leastMs;
    private double loadMs;
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

    @Test
    void whatItsModelsLoadMakesTooLateIsRefusedBeforeTheLoad() {
        open(1 << 20);
        loadMs = 60_000;

        ask("cold", 100, ",\"first_content_budget_ms\":30000");

        await().until(() -> sent.has("cold", "deadline_unreachable"));
        assertThat(loads).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"9223372036855", "9223372036854775807"})
    void aBudgetWithoutEndIsNone(String budget) {
        open(1 << 20);
        go.countDown();
        leastMs = 10;

        ask("patient", 100, ",\"first_content_budget_ms\":" + budget);

        await().until(() -> desk.inFlight() == 0);
        assertThat(sent.has("patient", "inference_complete")).isTrue();
    }

    @Test
    void aBodyForWhichThereIsNoMemoryIsAFailureThatHoldsNothing() {
        open(Long.MAX_VALUE);
        var unbelievable = new EncryptedPayload(consumer.publicKey(), MemorySegment.NULL.reinterpret(1L << 61));
        Content frame = OffHeap.body("{}");

        desk.accept(new InferenceRequest(new RequestId("large"), Optional.of(unbelievable), Optional.empty(), OptionalLong.empty(), Optional.empty()),
                frame, sent);

        await().until(() -> desk.inFlight() == 0);
        assertThat(sent.has("large", "\"status_code\":500")).isTrue();
        assertThat(desk.failed()).isEqualTo(1);
        assertThat(Content.openCount()).isEqualTo(contents);
    }

    @Test
    void anAnswerThatFlowsIsNotCutHoweverLongItTakes() throws InterruptedException {
        var chunk = OffHeap.utf8("data: {}");
        openByTheClock((_, _, sink) -> stepwise(10, () -> sink.event(chunk)));

        ask("long", 100);
        passInSteps(10, Duration.ofMillis(200)); // of 300

        await().until(() -> sent.has("long", "inference_complete"));
        assertThat(desk.failed()).isZero();
    }

    @Test
    void tokensThatMakeNoChunkAreProgressToo() throws InterruptedException {
        openByTheClock((_, _, sink) -> stepwise(10, sink::progressed));

        ask("thinking", 100);
        passInSteps(10, Duration.ofMillis(200));

        await().until(() -> sent.has("thinking", "inference_complete"));
        assertThat(desk.failed()).isZero();
    }

    @Test
    void anAnswerThatStopsFlowingIsCut() throws InterruptedException {
        openByTheClock((_, _, sink) -> stepwise(3, sink::progressed));

        ask("stuck", 100);
        passInSteps(2, Duration.ofMillis(200));
        clock.advance(Duration.ofMillis(301));
        desk.check();

        await().until(() -> sent.has("stuck", "decode_stall"));
    }

    /** Does {@code step} so often, each time the test says. */
    private void stepwise(int times, Runnable step) {
        for (int i = 0; i < times; i++) {
            try {
                turn.acquire();
            } catch (InterruptedException e) {
                throw new AgentException(ErrorCode.CANCELLED, "interrupted");
            }
            step.run();
            taken.release();
        }
    }

    private void passInSteps(int times, Duration each) throws InterruptedException {
        for (int i = 0; i < times; i++) {
            clock.advance(each);
            desk.check();
            turn.release();
            assertThat(taken.tryAcquire(20, TimeUnit.SECONDS)).as("step %d was taken", i).isTrue();
        }
    }

    private void openByTheClock(Answerer answerer) {
        var limits = new RequestDesk.Limits(100, Duration.ofMillis(300), Duration.ofMillis(300));
        desk = new RequestDesk(answerer, new RequestOpener(keys, new ReplayGuard()), keys.publicKey(), Optional.empty(), limits, clock, (_, _) -> 0,
                () -> { });
    }

    private void open(long mostBytes) {
        var limits = new RequestDesk.Limits(100, mostBytes, Duration.ofSeconds(60), Duration.ofSeconds(60));
        desk = new RequestDesk(this::answer, new RequestOpener(keys, new ReplayGuard()), keys.publicKey(), Optional.empty(), limits, NanoClock.SYSTEM,
                (model, tokens) -> !model.equals("m") ? 0 : tokens == PROMPT_TOKENS ? leastMs : loadMs, () -> { });
    }

    private void answer(RequestId id, Content body, ResponseSink sink) {
        sink.chosen("m");
        loads.incrementAndGet();
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
