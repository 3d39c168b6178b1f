package dev.darkbloom.agent.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class ByteSearchTest {
    private static final String WORD = "mauerseggler-42";
    private static final String OTHER = "feldlerche-trällert";

    private final ByteSearch search = new ByteSearch(WORD, OTHER);

    @TempDir
    Path folder;

    @Test
    void everyFormIsFound() throws Exception {
        assertThat(search.inText("a " + WORD + WORD + " and " + OTHER).get(WORD)).hasSize(2);
        assertThat(search.inText("a " + WORD + " and " + OTHER)).containsOnlyKeys(WORD, OTHER);
        for (var charset : new java.nio.charset.Charset[] {StandardCharsets.UTF_16LE, StandardCharsets.UTF_16BE}) {
            assertThat(search.inFile(file(("Say " + WORD + ".").getBytes(charset)))).as("%s", charset).containsOnlyKeys(WORD + " (UTF-16)");
        }
        for (String charset : new String[] {"UTF-32LE", "UTF-32BE"}) {
            assertThat(search.inFile(file(("Say " + WORD + ".").getBytes(charset)))).as(charset).containsOnlyKeys(WORD + " (UTF-32)");
        }
        var escaped = new StringBuilder();
        WORD.chars().forEach(letter -> escaped.append("\\u%04x".formatted(letter)));
        assertThat(search.inText("\"" + escaped + "\"")).hasSize(1);
        for (int before = 0; before < 7; before++) {
            String text = Base64.getEncoder().encodeToString((".".repeat(before) + OTHER + "!?").getBytes(StandardCharsets.UTF_8));
            assertThat(search.inText(text)).as("%d bytes before", before).containsOnlyKeys(OTHER + " (base64, " + before % 3 + ")");
        }
        assertThat(search.inFile(file(OTHER.getBytes(StandardCharsets.ISO_8859_1)))).containsOnlyKeys(OTHER + " (Latin-1)");
        assertThat(search.inText(OTHER.replace("ä", "\\u00e4"))).containsOnlyKeys(OTHER + " (ASCII and \\u)");
        assertThat(search.inText(WORD.substring(1) + " " + OTHER.toUpperCase())).isEmpty();
    }

    @Test
    void nothingIsMissedAtAnyPlaceOfALongFile() throws Exception {
        var random = new Random(4);
        var bytes = new byte[(2 << 20) + 500];
        random.nextBytes(bytes);
        byte[] word = WORD.getBytes(StandardCharsets.UTF_8);
        byte[] wide = WORD.getBytes(StandardCharsets.UTF_16LE);
        int border = 1 << 20; // of what is read at once
        for (int place = border - wide.length - 2; place < border + 3; place++) {
            byte[] one = bytes.clone();
            System.arraycopy(word, 0, one, place, word.length);
            System.arraycopy(wide, 0, one, place + border, wide.length);

            assertThat(search.inFile(file(one)).values()).as("at %d", place).hasSize(2).allMatch(places -> places.size() == 1);
        }
        System.arraycopy(word, 0, bytes, 0, word.length);
        System.arraycopy(word, 0, bytes, bytes.length - word.length, word.length);
        assertThat(search.inFile(file(bytes)).get(WORD)).hasSize(2);
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aWordInNativeMemoryOfAProcessIsFoundUntilItIsZeroed() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment place = arena.allocate(1 << 16);
            place.asSlice(40_000).copyFrom(MemorySegment.ofArray(WORD.getBytes(StandardCharsets.UTF_8)));
            String at = Long.toHexString(place.address() + 40_000);

            ByteSearch.Memory before = search.inProcess(ProcessHandle.current().pid());
            place.fill((byte) 0);
            ByteSearch.Memory after = search.inProcess(ProcessHandle.current().pid());

            assertThat(before.found().get(WORD)).anyMatch(found -> found.startsWith(at));
            assertThat(after.found().getOrDefault(WORD, List.of())).noneMatch(found -> found.startsWith(at));
            assertThat(after.bytes()).isGreaterThan(10 << 20);
            assertThat(after.unread()).allMatch(page -> page.contains("[v"));
        }
    }

    private Path file(byte[] bytes) throws Exception {
        return Files.write(folder.resolve("searched"), bytes);
    }
}
