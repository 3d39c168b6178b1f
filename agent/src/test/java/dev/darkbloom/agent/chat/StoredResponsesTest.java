package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How long responses are kept, and how many. */
@Timeout(60)
class StoredResponsesTest {
    private final long openBefore = Content.openCount();
    private final ManualClock clock = new ManualClock();
    private final StoredResponses stored = new StoredResponses(clock, 3, 1000);

    @AfterEach
    void nothingStaysOpen() {
        stored.close();
        assertThat(Content.openCount()).isEqualTo(openBefore);
    }

    private static MemorySegment text(String json) {
        return OffHeap.utf8(json);
    }

    private void keep(String id, int bytes) {
        stored.begin(id, text("{\"running\":1}"), text("[]"));
        stored.end(id, text("{\"text\":\"" + "x".repeat(bytes) + "\"}"), text("{\"turn\":\"" + id + "\"}"));
    }

    private boolean isKept(String id) {
        try {
            stored.read(id, new RecordingSink());
            return true;
        } catch (AgentException e) {
            assertThat(e.code()).isEqualTo(ErrorCode.NOT_FOUND);
            return false;
        }
    }

    @Test
    void theOldestGoesWhenThereAreTooMany() {
        keep("a", 10);
        keep("b", 10);
        keep("c", 10);
        keep("d", 10);

        assertThat(stored.size()).isEqualTo(3);
        assertThat(isKept("a")).isFalse();
        assertThat(isKept("d")).isTrue();
    }

    @Test
    void theOldestGoesWhenTheyAreTooLarge() {
        keep("a", 400);
        keep("b", 400);
        keep("c", 400);

        assertThat(isKept("a")).isFalse();
        assertThat(isKept("c")).isTrue();
    }

    @Test
    void afterAnHourAResponseIsGone() {
        keep("a", 10);
        clock.advanceNanos(Duration.ofMinutes(30).toNanos());
        keep("b", 10);
        clock.advanceNanos(Duration.ofMinutes(31).toNanos());

        assertThat(isKept("b")).isTrue();
        assertThat(stored.size()).isEqualTo(1);
        assertThat(Content.openCount()).isEqualTo(openBefore + stored.contents());
    }

    @Test
    void aConversationGoesOnOnlyFromAnAnswer() {
        stored.begin("a", text("{}"), text("[]"));
        try (SseWriter out = SseWriter.allocate(64)) {
            AgentException early = catchThrowableOfType(AgentException.class, () -> stored.appendTurns("a", out));
            assertThat(early.code()).isEqualTo(ErrorCode.PREVIOUS_RESPONSE_NOT_FOUND);
            stored.end("a", text("{}"), text("{\"turn\":1}"));
            stored.appendTurns("a", out);
            assertThat(OffHeap.text(out.segment())).isEqualTo("{\"turn\":1}");
        }
    }

    @Test
    void aCancelWaitsForTheEndAndAnswersWithIt() throws Exception {
        stored.begin("a", text("{\"status\":\"in_progress\"}"), text("[]"));
        var asked = new CompletableFuture<Void>();
        stored.running("a", () -> asked.complete(null));
        var sink = new RecordingSink();
        CompletableFuture<Void> cancelled = CompletableFuture.runAsync(() -> {
            try {
                stored.cancel("a", sink);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        asked.get();
        stored.end("a", text("{\"status\":\"cancelled\"}"), text("{}"));
        cancelled.get();

        assertThat(sink.json().path("status").textValue()).isEqualTo("cancelled");
    }

    @Test
    void whatIsCancelledBeforeItCanBeIsCancelledThen() throws Exception {
        stored.begin("a", text("{}"), text("[]"));
        var cancelled = new AtomicBoolean();
        CompletableFuture<Void> asking = CompletableFuture.runAsync(() -> {
            try {
                stored.cancel("a", new RecordingSink());
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        org.awaitility.Awaitility.await().until(() -> stored.isCancelled("a"));
        stored.running("a", () -> {
            cancelled.set(true);
            stored.end("a", text("{}"), text("{}"));
        });
        asking.get();

        assertThat(cancelled).isTrue();
    }

    @Test
    void whatHasEndedCannotBeCancelled() {
        keep("a", 10);

        AgentException refusal = catchThrowableOfType(AgentException.class, () -> stored.cancel("a", new RecordingSink()));

        assertThat(refusal.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void deletingEndsWhatRuns() {
        stored.begin("a", text("{}"), text("[]"));
        var cancelled = new AtomicBoolean();
        stored.running("a", () -> cancelled.set(true));

        stored.delete("a", new RecordingSink());
        stored.end("a", text("{}"), text("{}"));

        assertThat(cancelled).isTrue();
        assertThat(stored.size()).isZero();
    }

    @Test
    void nothingIsKeptAfterTheEnd() {
        keep("a", 10);
        stored.close();

        assertThat(catchThrowableOfType(AgentException.class, () -> stored.begin("b", text("{}"), text("[]"))).code()).isEqualTo(ErrorCode.DRAINING);
    }
}
