package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
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

    private static RecordingSink chat(String members) {
        RecordingSink sink = new RecordingSink();
        try (Content content = OffHeap.body("{\"temperature\":0,\"max_tokens\":80," + TOOLS + "," + members + "}")) {
            completions.run(Endpoint.CHAT_COMPLETIONS, new RequestId("r"), content, sink);
        }
        return sink;
    }
}
