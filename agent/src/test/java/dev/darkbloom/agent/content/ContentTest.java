package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.WatchedArenas;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class ContentTest {
    @Test
    void growingKeepsTheBytesAndZeroesEveryOldPlace() {
        var arenas = new WatchedArenas();
        var content = new Content(16, arenas);
        var expected = new StringBuilder();

        for (int i = 0; i < 200; i++) {
            content.append(OffHeap.utf8("piece " + i + ";"));
            expected.append("piece ").append(i).append(';');
        }

        assertThat(OffHeap.text(content)).isEqualTo(expected.toString());
        assertThat(arenas.opened()).isGreaterThan(5);
        assertThat(arenas.open()).isEqualTo(1);
        assertThat(arenas.leftovers()).isZero();
        content.close();
        assertThat(arenas.open()).isZero();
        assertThat(arenas.leftovers()).isZero();
    }

    @Test
    void closingZeroesAlsoWhatWasTruncatedOrDropped() {
        var arenas = new WatchedArenas();
        var content = new Content(64, arenas);
        content.append(OffHeap.utf8("a long secret text"));
        content.dropFirst(2);
        content.truncate(4);
        content.clear();

        content.close();

        assertThat(arenas.leftovers()).isZero();
    }

    @Test
    void dropFirstMovesTheRestToTheFront() {
        try (Content content = OffHeap.body("abcdef")) {
            content.dropFirst(2);
            content.append(OffHeap.utf8("gh"));

            assertThat(OffHeap.text(content)).isEqualTo("cdefgh");
        }
    }

    @Test
    void numbersAreAppendedInNativeOrder() {
        try (Content content = Content.confined(4)) {
            content.appendInt(7);
            content.appendFloat(0.5f);

            assertThat(content.segment().get(ValueLayout.JAVA_INT_UNALIGNED, 0)).isEqualTo(7);
            assertThat(content.segment().get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4)).isEqualTo(0.5f);
        }
    }

    @Test
    void useAfterCloseFailsInJava() {
        Content content = OffHeap.body("text");
        MemorySegment view = content.segment();
        content.close();

        assertThatThrownBy(() -> view.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> content.append(OffHeap.utf8("x"))).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> content.append(OffHeap.utf8("x".repeat(1000)))).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void secondCloseDoesNothing() {
        Content content = OffHeap.body("text");
        content.close();
        content.close();
    }

    @Test
    void sharedContentMayBeReadAndClosedByAnotherThread() throws InterruptedException {
        Content content = OffHeap.body("text");
        var seen = new AtomicReference<String>();
        Thread.ofVirtual().start(() -> {
            seen.set(OffHeap.text(content));
            content.close();
        }).join();

        assertThat(seen.get()).isEqualTo("text");
    }

    @Test
    void confinedContentRefusesAnotherThreadAndStaysOpen() throws InterruptedException {
        try (Content content = Content.confined(16)) {
            content.append(OffHeap.utf8("text"));
            var failure = new AtomicReference<Throwable>();
            Thread.ofVirtual().start(() -> {
                try {
                    content.close();
                } catch (Throwable t) {
                    failure.set(t);
                }
            }).join();

            assertThat(failure.get()).isInstanceOf(WrongThreadException.class);
            assertThat(OffHeap.text(content)).isEqualTo("text");
        }
    }

    @Test
    void sliceBeyondTheBytesWrittenIsRefused() {
        try (Content content = OffHeap.body("abc")) {
            assertThat(OffHeap.text(content.segment(new Slice(1, 2)))).isEqualTo("bc");
            assertThatThrownBy(() -> content.segment(new Slice(1, 3))).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void printsItsSizeOnly() {
        try (Content content = OffHeap.body("canary")) {
            assertThat(content).hasToString("Content[bytes=6]");
        }
    }
}
