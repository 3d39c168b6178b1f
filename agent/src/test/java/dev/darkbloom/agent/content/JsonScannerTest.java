package dev.darkbloom.agent.content;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.OffHeap;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonScannerTest {
    @Test
    void membersAreFoundInPlace() {
        JsonScanner json = scan(" {\"a\" : [1, {\"b\":\"]}\"}] , \"c\":\"x\\\"y\" ,\"d\":{} } ");

        assertThat(OffHeap.text(json.segment(json.member(json.root(), "a")))).isEqualTo("[1, {\"b\":\"]}\"}]");
        assertThat(OffHeap.text(json.segment(json.member(json.root(), "c")))).isEqualTo("\"x\\\"y\"");
        assertThat(json.kind(json.member(json.root(), "d"))).isEqualTo(JsonScanner.Kind.OBJECT);
        assertThat(json.member(json.root(), "absent").isEmpty()).isTrue();
    }

    @Test
    void elementsComeInOrder() {
        JsonScanner json = scan("[ 1,\"two\" , [3], {\"four\":4},null,true , false ]");
        List<JsonScanner.Kind> kinds = new ArrayList<>();
        for (JsonScanner.Cursor elements = json.elements(json.root()); elements.next();) {
            kinds.add(json.kind(elements.value()));
        }

        assertThat(kinds).containsExactly(JsonScanner.Kind.NUMBER, JsonScanner.Kind.STRING, JsonScanner.Kind.ARRAY, JsonScanner.Kind.OBJECT,
                JsonScanner.Kind.NULL, JsonScanner.Kind.TRUE, JsonScanner.Kind.FALSE);
        assertThat(json.count(json.root())).isEqualTo(7);
    }

    @Test
    void theLastOfTwoMembersWithTheSameNameCounts() {
        JsonScanner json = scan("{\"a\":1,\"b\":2,\"\\u0061\":3}");

        assertThat(json.integer(json.member(json.root(), "a"))).isEqualTo(OptionalLong.of(3));
    }

    @Test
    void numbersAreReadAsWhatTheyAre() {
        assertThat(integer("3")).isEqualTo(OptionalLong.of(3));
        assertThat(integer("-3.0")).isEqualTo(OptionalLong.of(-3));
        assertThat(integer("3e2")).isEqualTo(OptionalLong.of(300));
        assertThat(integer("3.5")).isEmpty();
        assertThat(integer("1e999")).isEmpty();
        assertThat(integer("12345678901234567890123")).isEmpty();
        assertThat(number("-1.25e-3")).isEqualTo(-1.25e-3);
        assertThat(number("1e999")).isInfinite();
        assertThat(number("1" + "0".repeat(600))).isNaN();
        assertThat(wrapped("12345678901234567000")).isEqualTo(OptionalLong.of(Long.parseUnsignedLong("12345678901234567000")));
        assertThat(wrapped("1.5")).isEmpty();
    }

    @Test
    void stringsAreDecodedOutsideTheHeap() {
        JsonScanner json = scan("\"a\\n\\t\\u00e9\\uD83D\\uDE80\\/\\\\ é\"");
        try (Content decoded = Content.confined(4)) {
            json.decode(json.root(), decoded);

            assertThat(OffHeap.text(decoded)).isEqualTo("a\n\té🚀/\\ é");
        }
        assertThat(json.textEquals(json.root(), "a")).isFalse();
        assertThat(scan("\"a\\u0062c\"").textEquals(new Slice(0, 10), "abc")).isTrue();
        assertThat(scan("\"\"").isEmptyText(new Slice(0, 2))).isTrue();
    }

    @Test
    void settingsAreBounded() {
        JsonScanner json = scan("\"auto\"");

        assertThat(json.setting(json.root(), 4)).isEqualTo(Optional.of("auto"));
        assertThat(json.setting(json.root(), 3)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "[1 2]", "01", "1.", ".5", "+1", "1e", "-", "nul", "tru", "nan",
        "NaN", "Infinity", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800\\u0041\"", "\"a\nb\"", "[] []", "{\"a\":}",
        "[,1]", "'a'", "{}x", "\uFEFF{}", "/**/1", "[1]]", "{]"})
    void malformedTextIsRefusedWithItsOffsetOnly(String text) {
        AgentException refused = catchThrowableOfType(AgentException.class, () -> scan(text));

        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_JSON);
        assertThat(refused).hasMessageMatching("invalid JSON at byte \\d+ of \\d+");
    }

    @Test
    void invalidUtf8IsRefused() {
        for (int[] bytes : new int[][] {{0xFF}, {0xC0, 0x80}, {0xE0, 0x80, 0x80}, {0xED, 0xA0, 0x80}, {0xF5, 0x80, 0x80, 0x80}, {0xC3}, {0x80}}) {
            byte[] text = new byte[bytes.length + 2];
            text[0] = '"';
            for (int i = 0; i < bytes.length; i++) {
                text[i + 1] = (byte) bytes[i];
            }
            text[text.length - 1] = '"';
            assertThatThrownBy(() -> JsonScanner.of(OffHeap.bytes(text))).isInstanceOf(AgentException.class);
        }
    }

    @Test
    void nestingIsBoundedWithoutUsingTheStack() {
        String deepest = "[".repeat(100) + "{\"a\":".repeat(100) + "1" + "}".repeat(100) + "]".repeat(100);
        assertThat(scan(deepest).kind(scan(deepest).root())).isEqualTo(JsonScanner.Kind.ARRAY);

        for (String text : List.of("[" + deepest + "]", "[".repeat(20_000), "[".repeat(20_000) + "]".repeat(20_000), "{\"a\":".repeat(20_000))) {
            AgentException refused = catchThrowableOfType(AgentException.class, () -> scan(text));
            assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_JSON);
            assertThat(refused).hasMessageContaining("deeper than 200");
        }
    }

    @Test
    void ourNamesAreFoundAndOthersAreNot() {
        NameTable names = NameTable.of(List.of("temperature", "top_p", "stop"));
        JsonScanner json = scan("[\"top_p\",\"t\\u006fp_p\",\"top_q\",\"\",\"stop\"]");
        List<Optional<String>> found = new ArrayList<>();
        for (JsonScanner.Cursor elements = json.elements(json.root()); elements.next();) {
            found.add(names.find(json, elements.value()));
        }

        assertThat(found).containsExactly(Optional.of("top_p"), Optional.of("top_p"), Optional.empty(), Optional.empty(), Optional.of("stop"));
    }

    private static JsonScanner scan(String text) {
        return JsonScanner.of(OffHeap.utf8(text));
    }

    private static OptionalLong integer(String text) {
        return scan(text).integer(scan(text).root());
    }

    private static OptionalLong wrapped(String text) {
        return scan(text).wrappedInteger(scan(text).root());
    }

    private static double number(String text) {
        return scan(text).number(scan(text).root());
    }
}
