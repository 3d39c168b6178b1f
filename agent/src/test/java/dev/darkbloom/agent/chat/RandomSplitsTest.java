package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.joined;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.RandomAnswer;
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
    private final Random random = new Random(20_261_124);

    private Script script(String answer) {
        return Script.of(answer).perAwait(1 + random.nextInt(random.nextBoolean() ? 4 : 60));
    }

    private RecordingSink stream(String answer, String members) {
        return ChatFixture.answering(script(answer)).stream(members);
    }

    @Test
    void theDeltasAreTheWholeAnswer() {
        for (int round = 0; round < 300; round++) {
            var said = RandomAnswer.of(random, 20);
            String answer = said.text();

            RecordingSink sink = stream(answer, TOOLS);
            assertThat(joined(sink, 0, "reasoning_content")).as(answer).isEqualTo(said.reasoning());
            assertThat(joined(sink, 0, "content")).as(answer).isEqualTo(said.content());
            assertThat(joinedArguments(sink)).as(answer).isEqualTo(said.arguments());

            JsonNode message = ChatFixture.answering(script(answer)).chat(TOOLS).json().path("choices").path(0).path("message");
            assertThat(message.path("reasoning_content").textValue()).isEqualTo(said.reasoning());
            assertThat(message.path("content").textValue()).isEqualTo(said.content());
            assertThat(message.path("tool_calls").path(0).path("function").path("arguments").textValue()).isEqualTo(said.arguments());
        }
    }

    @Test
    void theDeltasEndBeforeTheStopString() {
        for (int round = 0; round < 300; round++) {
            String stop = random.nextBoolean() ? "STOP" : "S漢🚀T";
            String content = RandomAnswer.text(random, random.nextInt(30));
            String answer = content + stop + RandomAnswer.text(random, 5);

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
