package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import dev.darkbloom.agent.testing.TestModels;
import java.time.InstantSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Tools on a model whose template knows nothing of them and which was trained on none: SmolLM2-135M-Instruct. */
@Tag("realmodel")
class ToolsOnSmolLmTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String TOOLS = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"Weather of a city\","
            + "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"maxLength\":20}},\"required\":[\"city\"],"
            + "\"additionalProperties\":false}}},{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\","
            + "\"properties\":{\"a\":{\"type\":\"integer\",\"maximum\":99,\"minimum\":0}},\"required\":[\"a\"],\"additionalProperties\":false}}}]";

    private static Engine engine;
    private static Completions completions;

    @BeforeAll
    static void load() throws InterruptedException {
        engine = Engine.open(EngineSettings.defaults(), LoadedModels.backend(), new MemoryLedger(4L << 30), NanoClock.SYSTEM);
        engine.register(ModelSpec.ofText("smollm2", TestModels.smollm2(), 2048, 1, ComputeSettings.safe(1, 512, 512)), false);
        engine.load("smollm2");
        completions = new Completions(engine, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    @Test
    void aRequiredCallComesThoughTheModelWouldRatherTalk() throws Exception {
        JsonNode answer = chat("\"tool_choice\":\"required\",\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story.\"}]").json().path("choices").path(0);

        JsonNode message = answer.path("message");
        JsonNode function = message.path("tool_calls").path(0).path("function");
        assertThat(answer.path("finish_reason").textValue()).as(answer.toString()).isEqualTo("tool_calls");
        assertThat(message.path("content").isNull()).isTrue();
        assertThat(function.path("name").textValue()).isIn("get_weather", "add");
        assertThat(JSON.readTree(function.path("arguments").textValue()).isObject()).isTrue();
    }

    @Test
    void theNamedToolIsCalledWithArgumentsOfItsSchema() throws Exception {
        RecordingSink stream = chat("\"stream\":true,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"add\"}},"
                + "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]");

        var name = new StringBuilder();
        var arguments = new StringBuilder();
        for (JsonNode event : stream.events()) {
            JsonNode function = event.path("choices").path(0).path("delta").path("tool_calls").path(0).path("function");
            name.append(function.path("name").asText(""));
            arguments.append(function.path("arguments").asText(""));
        }
        assertThat(name).hasToString("add");
        assertThat(JSON.readTree(arguments.toString()).path("a").intValue()).isBetween(0, 99);
        assertThat(stream.events().getLast().path("choices").path(0).path("finish_reason").textValue()).isEqualTo("tool_calls");
    }

    @Test
    void aVoluntaryCallLeavesItTalking() {
        JsonNode answer = chat("\"messages\":[{\"role\":\"user\",\"content\":\"What is 2 + 2? Just talk.\"}]").json().path("choices").path(0);

        boolean called = answer.path("message").has("tool_calls");
        assertThat(answer.path("finish_reason").textValue()).isIn(called ? new String[] {"tool_calls"} : new String[] {"stop", "length"});
        assertThat(called || !answer.path("message").path("content").asText("").isBlank()).as(answer.toString()).isTrue();
    }

    @Test
    void argumentsFollowKeywordsThatOthersDrop() throws Exception {
        String tools = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"book\",\"strict\":true,\"parameters\":{\"type\":\"object\",\"properties\":{"
                + "\"seats\":{\"$ref\":\"#/$defs/seats\"},\"code\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}-\\\\d\\\\d$\"},"
                + "\"rate\":{\"type\":\"number\",\"exclusiveMinimum\":0.25,\"maximum\":0.75}},\"required\":[\"seats\",\"code\",\"rate\"],"
                + "\"additionalProperties\":false,\"$defs\":{\"seats\":{\"type\":\"integer\",\"minimum\":100,\"maximum\":900,\"multipleOf\":7}}}}}]";
        for (int seed = 0; seed < 4; seed++) {
            JsonNode call = chat(tools, "\"temperature\":1.2,\"seed\":" + seed + ",\"tool_choice\":\"required\","
                    + "\"messages\":[{\"role\":\"user\",\"content\":\"Book 13 seats.\"}]").json()
                    .path("choices").path(0).path("message").path("tool_calls").path(0).path("function");

            JsonNode arguments = JSON.readTree(call.path("arguments").textValue());
            assertThat(arguments.path("seats").intValue()).isBetween(100, 900).matches(seats -> seats % 7 == 0);
            assertThat(arguments.path("code").textValue()).matches("[A-Z]{3}-\\d\\d");
            assertThat(arguments.path("rate").doubleValue()).isGreaterThan(0.25).isLessThanOrEqualTo(0.75);
        }
    }

    @Test
    void aStrictToolWithAKeywordThatIsNotEnforcedIsRefusedWithItsPlace() {
        String tool = "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":%s,\"parameters\":{\"type\":\"object\",\"properties\":{"
                + "\"secret\":{\"type\":\"string\",\"not\":{\"const\":\"secret\"}}}}}}";
        String messages = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";

        AgentException refused = catchThrowableOfType(AgentException.class,
                () -> chat("\"tools\":[" + tool.formatted("false") + "," + tool.formatted("true") + "]", messages));

        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_SCHEMA);
        assertThat(refused.param()).contains("tools");
        assertThat(refused).hasMessageStartingWith("tools[1].function.parameters: ").hasMessageEndingWith("not supported: not at /properties/0");
        assertThat(chat("\"tools\":[" + tool.formatted("false") + "]", messages).json().path("choices").size()).isOne();
    }

    private static RecordingSink chat(String members) {
        return chat(TOOLS, members);
    }

    private static RecordingSink chat(String tools, String members) {
        RecordingSink sink = new RecordingSink();
        try (Content content = OffHeap.body("{\"max_tokens\":80," + (members.contains("temperature") ? "" : "\"temperature\":0,") + tools + "," + members + "}")) {
            completions.run(Endpoint.CHAT_COMPLETIONS, new RequestId("r"), content, sink);
        }
        return sink;
    }
}
