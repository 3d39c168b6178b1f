package dev.darkbloom.agent.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TomlLayoutTest {
    @Test
    void keysInEveryFormAreFoundWithTheirLines() {
        String text = """
                top = 1
                "quoted.word".b = '''
                x = 2
                ''' # comment
                [a . "b.c"]
                list = [ "]", # ]
                  {in = 3},
                ]
                last = { x = "}", y.z = 1 }
                """;

        var found = TomlLayout.of(text).entries().stream()
                .map(entry -> TomlLayout.join(entry.path()) + "@" + entry.line() + "=" + text.substring(entry.valueStart(), entry.valueEnd()))
                .toList();

        assertThat(found).contains(
                "top@1=1",
                "\"quoted.word\".b@2='''\nx = 2\n'''",
                "a.\"b.c\".last@9={ x = \"}\", y.z = 1 }",
                "a.\"b.c\".last.x@9=\"}\"",
                "a.\"b.c\".last.y.z@9=1");
        assertThat(found).anyMatch(entry -> entry.startsWith("a.\"b.c\".list@6=[") && entry.endsWith("]"));
    }

    @Test
    void aKeyReadsBackAsItWasWritten() {
        var path = List.of("models", "org/a \"b\"\\c.1", "path");

        assertThat(TomlLayout.parseKey(TomlLayout.join(path))).isEqualTo(path);
    }

    @Test
    void brokenTextsEndToo() {
        var random = new Random(7);
        String alphabet = "ab.=[]{}\"'#\n ,\\";
        for (int round = 0; round < 20_000; round++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(24); i >= 0; i--) {
                text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }

            assertThat(TomlLayout.of(text.toString()).entries()).allSatisfy(
                    entry -> assertThat(entry.valueEnd()).isBetween(entry.valueStart(), text.length()));
        }
    }
}
