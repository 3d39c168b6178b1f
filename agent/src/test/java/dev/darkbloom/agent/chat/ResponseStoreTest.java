package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
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
        return store.begin(id, text("[1]"), 0, text("running"), text("cancelled"), cancels::incrementAndGet, false);
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
        beginWithEvents(store, "c");
        event(store, "c", "one");
        assertThat(store.delete("c")).isTrue();
        assertThat(store.delete("c")).isFalse();
        assertThat(cancels).hasValue(1);
        beginWithEvents(store, "e");
        event(store, "e", "x".repeat(300)); // more than is kept
        store.close();
        assertThat(cancels).hasValue(3);
        assertThat(begin(store, "d")).isFalse();
        assertThat(Content.openCount()).isEqualTo(before);
    }

    @Test
    void closeWaitsForWhatRuns() {
        ResponseStore store = store(8, 1000);
        var cancelled = new CountDownLatch(1);
        var ended = new AtomicInteger();
        store.begin("a", text("[]"), 0, text("running"), text("cancelled"), cancelled::countDown, false);
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

    private void beginWithEvents(ResponseStore store, String id) {
        assertThat(store.begin(id, text("[1]"), 0, text("running"), text("cancelled"), cancels::incrementAndGet, true)).isTrue();
    }

    private static void event(ResponseStore store, String id, String event) {
        MemorySegment bytes = text(event);
        store.addEvent(id, bytes, bytes.byteSize());
    }

    /** Reads from an event on without waiting: the events with a bar behind each, and a full stop where there will be no more. */
    private static String events(ResponseStore store, String id, int from) {
        try (Content target = Content.confined(16)) {
            var read = store.readEvents(id, from, 0, () -> false, target);
            if (read.isEmpty()) {
                return "none";
            }
            var told = new StringBuilder();
            int at = 0;
            for (int size : read.get().sizes()) {
                told.append(OffHeap.text(target.segment().asSlice(at, size))).append('|');
                at += size;
            }
            return told.append(read.get().last() ? "." : "").toString();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void eventsAreReadAgainFromAnyOn() {
        try (ResponseStore store = store(4, 1000)) {
            beginWithEvents(store, "a");
            begin(store, "b");
            assertThat(events(store, "a", 0)).isEmpty();
            event(store, "a", "one");
            event(store, "a", "two!");
            assertThat(events(store, "a", 0)).isEqualTo("one|two!|");
            assertThat(events(store, "a", 1)).isEqualTo("two!|");
            store.end("a", text("done"));
            event(store, "a", "three");
            store.endEvents("a");
            event(store, "a", "too late");
            assertThat(events(store, "a", 2)).isEqualTo("three|.");
            assertThat(events(store, "a", 7)).isEqualTo(".");
            assertThat(store.keepsEvents("a")).contains(true);
            assertThat(store.keepsEvents("b")).contains(false);
            assertThat(store.keepsEvents("c")).isEmpty();
            assertThat(events(store, "b", 0)).isEqualTo("none");
        }
    }

    @Test
    void eventsAreBoundedByAQuarterOfTheStore() {
        try (ResponseStore store = store(4, 400)) {
            beginWithEvents(store, "a");
            event(store, "a", "x".repeat(80));
            long before = store.bytes();
            assertThat(store.keepsEvents("a")).contains(true);
            event(store, "a", "x".repeat(20));
            assertThat(store.keepsEvents("a")).contains(false);
            assertThat(store.bytes()).isEqualTo(before - 84);
            event(store, "a", "x");
            assertThat(events(store, "a", 0)).isEqualTo("none");
            store.end("a", text("done"));
            store.endEvents("a");
            assertThat(object(store, "a")).isEqualTo("done");
        }
    }

    @Test
    void eventsHaveOlderResponsesMakeRoomButNotTheirOwn() {
        try (ResponseStore store = store(4, 160)) {
            begin(store, "a");
            store.end("a", text("x".repeat(100)));
            beginWithEvents(store, "b");
            event(store, "b", "x".repeat(30));
            assertThat(object(store, "a")).isEqualTo("none");
            store.end("b", text("x".repeat(120)));
            assertThat(events(store, "b", 0)).isEqualTo("x".repeat(30) + "|");
            event(store, "b", "x");
            assertThat(events(store, "b", 0)).isEqualTo("none");
            assertThat(object(store, "b")).isEqualTo("x".repeat(120));
        }
    }

    @Test
    void whoWaitsForEventsIsWokenByEachAndByTheEnd() throws InterruptedException {
        ResponseStore store = store(4, 1000);
        for (Runnable news : List.<Runnable>of(() -> event(store, "a", "one"), () -> store.endEvents("a"), () -> store.delete("a"))) {
            beginWithEvents(store, "a");
            var seen = new AtomicReference<String>();
            Thread reader = Thread.ofVirtual().start(() -> {
                try (Content target = Content.confined(16)) {
                    seen.set(store.readEvents("a", 0, Long.MAX_VALUE, () -> false, target)
                            .map(batch -> batch.sizes().length + "" + batch.last()).orElse("none"));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            Awaitility.await().until(() -> reader.getState() == Thread.State.TIMED_WAITING || reader.getState() == Thread.State.WAITING);
            news.run();
            reader.join();
            assertThat(seen.get()).isIn("1false", "0true", "none");
            store.delete("a");
        }
        store.close();
    }
}
