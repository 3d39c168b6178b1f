package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class ResponseStoreTest {
    private final ManualClock clock = new ManualClock();
    private final AtomicInteger cancels = new AtomicInteger();

    private ResponseStore store(int entries, long bytes) {
        return new ResponseStore(new ResponseStore.Limits(entries, bytes, Duration.ofHours(1)), clock);
    }

    private static MemorySegment text(String text) {
        return MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8));
    }

    private boolean begin(ResponseStore store, String id) {
        return store.begin(id, text("[1]"), 0, text("running"), text("cancelled"), cancels::incrementAndGet);
    }

    private static String object(ResponseStore store, String id) {
        try (Content object = Content.confined(16)) {
            return store.readObject(id, object).isPresent() ? OffHeap.text(object.segment()) : "none";
        }
    }

    @Test
    void whatEndsReplacesWhatRan() {
        try (ResponseStore store = store(4, 1000)) {
            assertThat(begin(store, "a")).isTrue();
            assertThat(object(store, "a")).isEqualTo("running");
            store.end("a", text("done"));
            assertThat(object(store, "a")).isEqualTo("done");
            assertThat(store.cancel("a")).contains(ResponseStore.State.ENDED);
            assertThat(cancels).hasValue(0);
        }
    }

    @Test
    void aCancelledResponseStaysCancelled() {
        try (ResponseStore store = store(4, 1000)) {
            begin(store, "a");
            assertThat(store.cancel("a")).contains(ResponseStore.State.RUNNING);
            store.end("a", text("done"));
            assertThat(object(store, "a")).isEqualTo("cancelled");
            assertThat(store.cancel("a")).contains(ResponseStore.State.CANCELLED);
            assertThat(store.cancel("b")).isEqualTo(Optional.empty());
            assertThat(cancels).hasValue(1);
        }
    }

    @Test
    void theOldestThatDoesNotRunMakesRoom() {
        try (ResponseStore store = store(2, 1000)) {
            begin(store, "a");
            begin(store, "b");
            assertThat(begin(store, "c")).isFalse();
            store.end("b", text("done"));
            assertThat(begin(store, "c")).isTrue();
            assertThat(object(store, "a")).isEqualTo("running");
            assertThat(object(store, "b")).isEqualTo("none");
        }
    }

    @Test
    void bytesAreBounded() {
        try (ResponseStore store = store(100, 60)) {
            for (int i = 0; i < 20; i++) {
                assertThat(begin(store, "r" + i)).isTrue();
                store.end("r" + i, text("done"));
                assertThat(store.bytes()).isLessThanOrEqualTo(60);
            }
            assertThat(store.size()).isPositive();
            assertThat(object(store, "r19")).isEqualTo("done");
            try (ResponseStore small = store(1, 3)) {
                assertThat(begin(small, "x")).isFalse();
            }
        }
    }

    @Test
    void expiryDeletionAndCloseFreeTheMemory() {
        long before = Content.openCount();
        ResponseStore store = store(8, 1000);
        begin(store, "a");
        store.end("a", text("done"));
        clock.advance(Duration.ofMinutes(30));
        begin(store, "b");
        clock.advance(Duration.ofMinutes(31));
        Awaitility.await().until(() -> store.size() == 1);
        assertThat(object(store, "a")).isEqualTo("none");
        begin(store, "c");
        assertThat(store.delete("c")).isTrue();
        assertThat(store.delete("c")).isFalse();
        assertThat(cancels).hasValue(1);
        store.close();
        assertThat(cancels).hasValue(2);
        assertThat(begin(store, "d")).isFalse();
        assertThat(Content.openCount()).isEqualTo(before);
    }

    @Test
    void closeWaitsForWhatRuns() {
        ResponseStore store = store(8, 1000);
        var cancelled = new CountDownLatch(1);
        var ended = new AtomicInteger();
        store.begin("a", text("[]"), 0, text("running"), text("cancelled"), cancelled::countDown);
        store.run("run", () -> {
            try {
                cancelled.await();
                ended.incrementAndGet();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        store.close();
        assertThat(ended).hasValue(1);
    }
}
