package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.testing.OffHeap;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Random documents, damaged at random, read by us and by Jackson: both accept the same ones and see the same values in them. */
class JsonScannerFuzzTest {
    private static final ObjectMapper JACKSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final String DAMAGE = "{}[]\",:\\/ \n\ttruefalsenull0123456789+-.eEuU\u0000é";

    @Test
    void weAcceptWhatJacksonAcceptsAndSeeTheSameValues() {
        var random = new Random(20261124);
        int accepted = 0;
        for (int round = 0; round < 60_000; round++) {
            var text = new StringBuilder();
            value(random, text, 0);
            byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            for (int damage = random.nextInt(3); damage > 0; damage--) {
                bytes = damaged(random, bytes);
            }
            Optional<JsonNode> theirs = jackson(bytes);
            Optional<JsonScanner> ours = ours(bytes);

            assertThat(ours.isPresent()).as(new String(bytes, StandardCharsets.UTF_8)).isEqualTo(theirs.isPresent());
            if (ours.isPresent()) {
                accepted++;
                assertThat(same(ours.get(), ours.get().root(), theirs.get())).as(new String(bytes, StandardCharsets.UTF_8)).isTrue();
            }
        }
        assertThat(accepted).isBetween(20_000, 58_000);
    }

    private static Optional<JsonScanner> ours(byte[] bytes) {
        try {
            return Optional.of(JsonScanner.of(OffHeap.bytes(bytes)));
        } catch (AgentException refused) {
            return Optional.empty();
        }
    }

    /** Jackson on strictly decoded text; its answer counts as a refusal where a string holds half a surrogate pair, which we refuse. */
    private static Optional<JsonNode> jackson(byte[] bytes) {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            JsonNode node = JACKSON.readTree(text);
            return node.isMissingNode() || hasHalfPair(strings(text)) ? Optional.empty() : Optional.of(node);
        } catch (IOException refused) {
            return Optional.empty();
        }
    }

    private static boolean hasHalfPair(String text) {
        return text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    }

    /** All names and strings of a document, also those that a later member of the same name hides. */
    private static String strings(String text) throws IOException {
        var all = new StringBuilder();
        try (JsonParser parser = JACKSON.createParser(text)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                all.append(parser.getText()).append(' ');
            }
        }
        return all.toString();
    }

    private static boolean same(JsonScanner json, Slice value, JsonNode node) {
        return switch (json.kind(value)) {
            case NULL -> node.isNull();
            case TRUE -> node.isBoolean() && node.booleanValue();
            case FALSE -> node.isBoolean() && !node.booleanValue();
            case NUMBER -> node.isNumber() && json.number(value) == node.doubleValue();
            case STRING -> {
                try (Content decoded = Content.confined(16)) {
                    json.decode(value, decoded);
                    yield node.isTextual() && OffHeap.text(decoded).equals(node.textValue());
                }
            }
            case ARRAY -> {
                int i = 0;
                boolean same = node.isArray();
                for (JsonScanner.Cursor elements = json.elements(value); same && elements.next(); i++) {
                    same = i < node.size() && same(json, elements.value(), node.get(i));
                }
                yield same && i == node.size();
            }
            case OBJECT -> {
                boolean same = node.isObject();
                for (JsonScanner.Cursor members = json.members(value); same && members.next();) {
                    String name = json.setting(members.key(), 1000).orElseThrow();
                    Slice last = lastOf(json, value, name);
                    same = node.has(name) && same(json, last, node.get(name));
                }
                yield same;
            }
        };
    }

    private static Slice lastOf(JsonScanner json, Slice object, String name) {
        Slice last = Slice.EMPTY;
        for (JsonScanner.Cursor members = json.members(object); members.next();) {
            if (json.setting(members.key(), 1000).orElseThrow().equals(name)) {
                last = members.value();
            }
        }
        return last;
    }

    private static void value(Random random, StringBuilder text, int depth) {
        switch (random.nextInt(depth > 4 ? 5 : 8)) {
            case 0 -> text.append(random.nextInt(2000) - 1000);
            case 1 -> text.append(random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20));
            case 2 -> text.append(random.nextBoolean() ? "true" : random.nextBoolean() ? "false" : "null");
            case 3, 4 -> string(random, text);
            case 5 -> {
                text.append('[');
                for (int i = random.nextInt(4); i > 0; i--) {
                    value(random, text, depth + 1);
                    text.append(i > 1 ? "," : " ");
                }
                text.append(']');
            }
            default -> {
                text.append('{');
                for (int i = random.nextInt(4); i > 0; i--) {
                    string(random, text);
                    text.append(random.nextBoolean() ? " : " : ":");
                    value(random, text, depth + 1);
                    text.append(i > 1 ? " ," : "");
                }
                text.append('}');
            }
        }
    }

    private static void string(Random random, StringBuilder text) {
        text.append('"');
        for (int i = random.nextInt(5); i > 0; i--) {
            switch (random.nextInt(6)) {
                case 0 -> text.append("\\").append("\"\\/bfnrt".charAt(random.nextInt(8)));
                case 1 -> text.append(String.format("\\u%04x", random.nextInt(0x10000)));
                case 2 -> text.append("\\ud83d\\ude80");
                case 3 -> text.append("é漢🚀");
                default -> text.append((char) ('a' + random.nextInt(4)));
            }
        }
        text.append('"');
    }

    private static byte[] damaged(Random random, byte[] bytes) {
        int at = random.nextInt(bytes.length + 1);
        byte[] damage = random.nextInt(4) == 0
                ? new byte[] {(byte) random.nextInt(256)}
                : DAMAGE.substring(random.nextInt(DAMAGE.length())).substring(0, 1).getBytes(StandardCharsets.UTF_8);
        int cut = random.nextInt(2);
        var result = new ByteArrayOutputStream();
        result.write(bytes, 0, at);
        result.writeBytes(damage);
        int rest = Math.min(bytes.length, at + cut);
        result.write(bytes, rest, bytes.length - rest);
        return result.toByteArray();
    }
}
