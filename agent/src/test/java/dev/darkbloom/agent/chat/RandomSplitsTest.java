package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.joined;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.RecordingSink;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * However an answer is cut into tokens that arrive together and into events, the deltas put together are the whole answer: reasoning,
 * content and the arguments of calls, each character once and whole, up to a stop string and no further. One token is one byte here, so
 * every cut falls inside characters, tags and stop strings, too.
 */
class RandomSplitsTest {
    private static final String TOOLS = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\"}}]";
    private static final String[] PIECES = {"a", "be", "\n", " ", "é", "漢字", "🚀", "\\", "\"", "{}", "ST", "S", "\u0001", "ẞ"};

    private final Random random = new Random(20_261_124);

    private String text(int pieces) {
        var text = new StringBuilder("x"); // leading and trailing blanks are the template's affair
        for (int i = 0; i < pieces; i++) {
            text.append(PIECES[random.nextInt(PIECES.length)]);
        }
        return text.append('y').toString();
    }

    private Script script(String answer) {
        return Script.of(answer).perAwait(1 + random.nextInt(random.nextBoolean() ? 4 : 60));
    }

    private RecordingSink stream(String answer, String members) {
        return ChatFixture.answering(script(answer)).stream(members);
    }

    @Test
    void theDeltasAreTheWholeAnswer() {
        for (int round = 0; round < 300; round++) {
            String reasoning = text(random.nextInt(20));
            String content = text(random.nextInt(40));
            String arguments = "{\"a\":" + text(random.nextInt(20)) + "}";
            String answer = "<think>" + reasoning + "</think>" + content + "<call add>" + arguments + "</call>";

            RecordingSink sink = stream(answer, TOOLS);
            assertThat(joined(sink, 0, "reasoning_content")).as(answer).isEqualTo(reasoning);
            assertThat(joined(sink, 0, "content")).as(answer).isEqualTo(content);
            assertThat(joinedArguments(sink)).as(answer).isEqualTo(arguments);

            JsonNode message = ChatFixture.answering(script(answer)).chat(TOOLS).json().path("choices").path(0).path("message");
            assertThat(message.path("reasoning_content").textValue()).isEqualTo(reasoning);
            assertThat(message.path("content").textValue()).isEqualTo(content);
            assertThat(message.path("tool_calls").path(0).path("function").path("arguments").textValue()).isEqualTo(arguments);
        }
    }

    @Test
    void theDeltasEndBeforeTheStopString() {
        for (int round = 0; round < 300; round++) {
            String stop = random.nextBoolean() ? "STOP" : "S漢🚀T";
            String content = text(random.nextInt(30));
            String answer = content + stop + text(5);

            RecordingSink sink = stream(answer, "\"stop\":[\"never\",\"" + stop + "\"]");
            assertThat(joined(sink, 0, "content")).as(answer).isEqualTo(content);
            assertThat(sink.events().getLast().path("choices").path(0).path("finish_reason").textValue()).isEqualTo("stop");
        }
    }

    private static String joinedArguments(RecordingSink sink) {
        var text = new StringBuilder();
        sink.events().forEach(event -> event.path("choices").forEach(choice -> choice.path("delta").path("tool_calls")
                .forEach(call -> text.append(call.path("function").path("arguments").asText("")))));
        return text.toString();
    }
}
