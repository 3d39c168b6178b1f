package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StopMatcherTest {
    @Test
    void textBeforeAStopStringIsReleasedAndTheRestIsNot() {
        assertThat(run(List.of("END"), "some text END more", 1)).isEqualTo("some text |stop 0");
    }

    @Test
    void aStopStringThatDoesNotHappenIsReleasedWhole() {
        assertThat(run(List.of("END"), "some EN", 1)).isEqualTo("some EN|none");
    }

    @Test
    void onlyWhatMayBeginAStopStringIsHeld() {
        try (StopMatcher matcher = StopMatcher.of(List.of(OffHeap.utf8("\n\nUser:"))); Content out = Content.confined(16)) {
            matcher.add(OffHeap.utf8("answer\n"), 0, 7, out);
            assertThat(OffHeap.text(out)).isEqualTo("answer");
            assertThat(matcher.heldBytes()).isEqualTo(1);

            matcher.add(OffHeap.utf8("more"), 0, 4, out);
            assertThat(OffHeap.text(out)).isEqualTo("answer\nmore");
            assertThat(matcher.heldBytes()).isZero();
        }
    }

    @Test
    void theStopStringThatIsCompleteFirstWins() {
        assertThat(run(List.of("abcdef", "cd"), "xxabcdefxx", 3)).isEqualTo("xxab|stop 1");
    }

    @Test
    void ofStopStringsThatEndTogetherTheLongestWins() {
        assertThat(run(List.of("d", "bcd"), "abcde", 2)).isEqualTo("a|stop 1");
    }

    @Test
    void theStopStringThatWasFoundCanBeRead() {
        try (StopMatcher matcher = StopMatcher.of(List.of(OffHeap.utf8("one"), OffHeap.utf8("zwölf"))); Content out = Content.confined(16)) {
            MemorySegment text = OffHeap.utf8("elf, zwölf, on");
            matcher.add(text, 0, text.byteSize(), out);

            assertThat(OffHeap.text(matcher.string(matcher.found()))).isEqualTo("zwölf");
            assertThat(OffHeap.text(matcher.string(0))).isEqualTo("one");
        }
    }

    @Test
    void overlappingBeginningsAreFound() {
        assertThat(run(List.of("aab"), "aaaab", 1)).isEqualTo("aa|stop 0");
        assertThat(run(List.of("ababac"), "abababac", 1)).isEqualTo("ab|stop 0");
    }

    @Test
    void withoutStopStringsTextPassesThrough() {
        assertThat(run(List.of(), "anything", 3)).isEqualTo("anything|none");
    }

    @Test
    void anySplitGivesWhatASearchOfTheWholeTextGives() {
        var random = new Random(7);
        for (int round = 0; round < 20_000; round++) {
            List<String> stops = IntStream.range(0, random.nextInt(4)).mapToObj(_ -> word(random, 1 + random.nextInt(4))).toList();
            String text = word(random, random.nextInt(20));

            assertThat(run(stops, text, 1 + random.nextInt(5))).as("%s in %s", stops, text).isEqualTo(search(stops, text));
        }
    }

    @Test
    void aHundredThousandBytesAgainstTheWorstStopStringsCostLittle() {
        List<MemorySegment> stops = Collections.nCopies(StopMatcher.MAX_STRINGS, OffHeap.utf8("a".repeat(1000) + "b"));
        MemorySegment text = OffHeap.utf8("a".repeat(100_000));
        long begun = System.nanoTime();
        try (StopMatcher matcher = StopMatcher.of(stops); Content out = Content.confined(16)) {
            for (int i = 0; i < 100_000; i++) {
                matcher.add(text, i, 1, out);
            }
            assertThat(out.length()).isEqualTo(100_000 - 1000);
        }
        assertThat(System.nanoTime() - begun).isLessThan(10_000_000_000L);
    }

    @Test
    void tooManyStopStringsAreRefused() {
        assertThatThrownBy(() -> StopMatcher.of(Collections.nCopies(65, OffHeap.utf8("x")))).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> StopMatcher.of(List.of(OffHeap.utf8("")))).isInstanceOf(IllegalArgumentException.class);
    }

    private static String word(Random random, int length) {
        var word = new StringBuilder();
        for (int i = 0; i < length; i++) {
            word.append("abé".charAt(random.nextInt(3)));
        }
        return word.toString();
    }

    private static String run(List<String> stops, String text, int pieceCharacters) {
        try (StopMatcher matcher = StopMatcher.of(stops.stream().map(OffHeap::utf8).toList()); Content out = Content.confined(16)) {
            for (int at = 0; at < text.length(); at += pieceCharacters) {
                MemorySegment piece = OffHeap.utf8(text.substring(at, Math.min(text.length(), at + pieceCharacters)));
                if (matcher.add(piece, 0, piece.byteSize(), out)) {
                    return OffHeap.text(out) + "|stop " + matcher.found();
                }
            }
            matcher.flush(out);
            return OffHeap.text(out) + "|none";
        }
    }

    private static String search(List<String> stops, String text) {
        for (int end = 1; end <= text.length(); end++) {
            String read = text.substring(0, end);
            String best = stops.stream().filter(read::endsWith).max((a, b) -> a.length() - b.length()).orElse(null);
            if (best != null) {
                return read.substring(0, end - best.length()) + "|stop " + stops.indexOf(best);
            }
        }
        return text + "|none";
    }
}
