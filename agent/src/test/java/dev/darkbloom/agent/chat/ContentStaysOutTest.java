package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeTokenizer;
import dev.darkbloom.agent.testing.RecordingSink;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** A word that nobody else would write goes through every member that carries content, and no exception and no log line may have it. */
class ContentStaysOutTest {
    private static final String CANARY = "xQ7canaryZ9";

    private final ListAppender<ILoggingEvent> captured = new ListAppender<>();
    private final Logger root = ((LoggerContext) LoggerFactory.getILoggerFactory()).getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    private Level level;

    @BeforeEach
    void capture() {
        level = root.getLevel();
        root.setLevel(Level.TRACE);
        captured.start();
        root.addAppender(captured);
    }

    @AfterEach
    void release() {
        root.detachAppender(captured);
        root.setLevel(level);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "{\"messages\":[{\"role\":\"user\",\"content\":\"CANARY\"}],\"temperature\":9}",
        "{\"messages\":[{\"role\":\"CANARY\",\"content\":\"CANARY\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"CANARY\"}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"CANARY\"}}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"raise CANARY\"}]}",
        "{\"messages\":\"CANARY\"}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"CANARY\"",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"CANARY\\ud800\"}]}",
        "{\"CANARY\":\"CANARY\"}",
        "\"CANARY\"",
        "HELLO\"tools\":[{\"type\":\"CANARY\"}]}",
        "HELLO\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"CANARY\",\"parameters\":\"CANARY\"}}]}",
        "HELLO\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"CANARY\"}}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"CANARY2\"}}}",
        "HELLO\"tool_choice\":\"CANARY\"}",
        "HELLO\"stop\":{\"CANARY\":1}}",
        "HELLO\"stop\":[\"CANARY\",7]}",
        "HELLO\"logit_bias\":{\"CANARY\":1000}}",
        "HELLO\"logit_bias\":{\"1\":\"CANARY\"}}",
        "HELLO\"response_format\":{\"type\":\"CANARY\"}}",
        "HELLO\"json_schema\":\"CANARY\"}",
        "HELLO\"json_schema\":{\"const\":\"CANARY\"},\"grammar\":\"CANARY\"}",
        "HELLO\"grammar\":[\"CANARY\"]}",
        "HELLO\"samplers\":[\"CANARY\"]}",
        "HELLO\"reasoning_effort\":\"CANARY\"}",
        "HELLO\"chat_template_kwargs\":{\"enable_thinking\":\"CANARY\"}}",
        "HELLO\"temperature\":\"CANARY\"}",
        "HELLO\"audio\":\"CANARY\"}",
        "HELLO\"suffix\":\"CANARY\",\"n\":\"CANARY\"}"})
    void refusalsOfChatDoNotQuote(String body) {
        refuse(Endpoint.CHAT_COMPLETIONS, body.replace("HELLO", "{" + ChatFixture.HELLO + ","));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"prompt\":{\"CANARY\":1}}", "{\"prompt\":[\"CANARY\",5]}", "{\"prompt\":\"CANARY\",\"suffix\":\"CANARY\"}",
        "{\"prompt\":\"CANARY\",\"grammar\":\"CANARY\"}", "{\"prompt\":\"CANARY\",\"echo\":\"CANARY\"}"})
    void refusalsOfTextCompletionsDoNotQuote(String body) {
        refuse(Endpoint.COMPLETIONS, body);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "HELLO\"max_tokens\":\"CANARY\"}",
        "HELLO\"system\":[{\"type\":\"CANARY\"}]}",
        "HELLO\"system\":{\"CANARY\":1}}",
        "HELLO\"system\":\"raise CANARY\"}",
        "HELLO\"messages\":[{\"role\":\"CANARY\",\"content\":\"CANARY\"}]}",
        "HELLO\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"CANARY\",\"text\":\"CANARY\"}]}]}",
        "HELLO\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":\"CANARY\"}]}]}",
        "HELLO\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"CANARY\",\"name\":\"CANARY\",\"input\":\"CANARY\"}]}]}",
        "HELLO\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"CANARY\",\"content\":[{\"type\":\"CANARY\"}]}]}]}",
        "HELLO\"tools\":[{\"type\":\"CANARY\",\"name\":\"CANARY\"}]}",
        "HELLO\"tools\":[{\"name\":\"CANARY\",\"input_schema\":\"CANARY\"}]}",
        "HELLO\"tools\":[{\"name\":\"CANARY\",\"input_schema\":{}}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"CANARY2\"}}",
        "HELLO\"tool_choice\":{\"type\":\"CANARY\"}}",
        "HELLO\"stop_sequences\":[{\"CANARY\":1}]}",
        "HELLO\"thinking\":{\"type\":\"CANARY\"}}",
        "HELLO\"output_config\":{\"effort\":\"CANARY\"}}",
        "HELLO\"output_format\":{\"type\":\"CANARY\"}}",
        "HELLO\"mcp_servers\":[\"CANARY\"]}"})
    void refusalsOfMessagesDoNotQuote(String body) {
        refuse(Endpoint.MESSAGES, body.replace("HELLO", "{\"max_tokens\":9," + ChatFixture.HELLO + ","));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"input\":{\"CANARY\":1}}", "{\"input\":[\"CANARY\"]}", "{\"input\":[{\"type\":\"CANARY\"}]}",
        "{\"input\":[{\"role\":\"CANARY\",\"content\":\"CANARY\"}]}", "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"CANARY\"}]}]}",
        "{\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_CANARY_0\"}]}", "{\"input\":\"CANARY\",\"previous_response_id\":\"CANARY\"}",
        "{\"input\":\"CANARY\",\"tools\":[{\"type\":\"CANARY\"}]}", "{\"input\":\"CANARY\",\"tool_choice\":{\"type\":\"CANARY\"}}",
        "{\"input\":\"CANARY\",\"text\":{\"format\":{\"type\":\"CANARY\"}}}", "{\"input\":\"CANARY\",\"include\":[\"CANARY\"]}",
        "{\"input\":\"CANARY\",\"truncation\":\"CANARY\"}", "{\"input\":\"CANARY\",\"metadata\":\"CANARY\",\"prompt\":\"CANARY\"}",
        "{\"input\":[{\"type\":\"function_call\",\"name\":\"CANARY\",\"arguments\":1}]}"})
    void refusalsOfResponsesDoNotQuote(String body) {
        refuse(Endpoint.RESPONSES, body);
    }

    @Test
    void refusalsOfTheOtherEndpointsDoNotQuote() {
        refuse(Endpoint.TOKENIZE, "{\"content\":[\"CANARY\"]}");
        refuse(Endpoint.DETOKENIZE, "{\"tokens\":[\"CANARY\"]}");
        refuse(Endpoint.EMBEDDINGS, "{\"input\":\"CANARY\"}");
        refuse(Endpoint.RERANK, "{\"query\":\"CANARY\",\"documents\":[\"CANARY\"]}");
        refuse(Endpoint.RERANK, "{\"query\":\"CANARY\",\"documents\":[\"CANARY\",1]}");
        refuse(Endpoint.APPLY_TEMPLATE, "{\"messages\":[{\"role\":\"user\",\"content\":\"raise CANARY\"}]}");
    }

    @Test
    void anAnswerThatFailsLateIsNotQuoted() {
        int[] tokens = FakeTokenizer.answer(CANARY);
        tokens[tokens.length - 1] = '.';
        var failed = new Outcome.Failed(new AgentException(ErrorCode.GENERATION_FAILED, "native code said " + CANARY));
        ChatFixture fixture = ChatFixture.answering(new Script(tokens, 1, 0, failed));

        RecordingSink sink = fixture.ask(Endpoint.CHAT_COMPLETIONS,
                "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"" + CANARY + "\"}]}");

        assertThat(sink.isAborted()).isTrue();
        assertThat(sink.events().getLast().toString()).doesNotContain(CANARY);
        assertLogsAreClean();
    }

    @Test
    void anAnswerThatSucceedsIsNotLogged() {
        ChatFixture fixture = ChatFixture.answering("<think>" + CANARY + "</think>" + CANARY + "<call " + CANARY + ">{\"a\":\"" + CANARY + "\"}</call>");
        String body = "{\"messages\":[{\"role\":\"user\",\"content\":\"" + CANARY + "\"}],\"stop\":\"" + CANARY + "2\",\"logprobs\":true,"
                + "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"" + CANARY + "\"}}]}";

        RecordingSink sink = fixture.ask(Endpoint.CHAT_COMPLETIONS, body);

        assertThat(sink.all()).contains(CANARY);
        assertThat(fixture.pool.generations().getFirst().request().toString()).doesNotContain(CANARY);
        assertLogsAreClean();
    }

    @Test
    void aMessageThatIsAnsweredIsNotLogged() {
        for (String stream : List.of("false", "true")) {
            ChatFixture fixture = ChatFixture.answering("<think>CANARY</think>CANARY<call CANARY>{\"a\":\"CANARY\"}</call>CANARY3".replace("CANARY", CANARY));
            String body = ("{\"max_tokens\":900,\"system\":\"CANARY\",\"messages\":[{\"role\":\"user\",\"content\":\"CANARY\"}],\"stream\":" + stream
                    + ",\"stop_sequences\":[\"CANARY3\"],\"tools\":[{\"name\":\"CANARY\",\"input_schema\":{}}]}").replace("CANARY", CANARY);

            RecordingSink sink = fixture.ask(Endpoint.MESSAGES, body);

            assertThat(sink.all()).contains(CANARY).contains("\"stop_sequence\":\"" + CANARY + "3\"");
            assertLogsAreClean();
        }
    }

    private void refuse(Endpoint endpoint, String body) {
        AgentException refused = ChatFixture.answering("x").refusal(endpoint, body.replace("CANARY", CANARY));
        var trace = new StringWriter();
        refused.printStackTrace(new PrintWriter(trace));
        assertThat(trace.toString()).doesNotContain(CANARY);
        assertThat(refused.param().orElse("")).doesNotContain(CANARY);
        assertLogsAreClean();
    }

    private void assertLogsAreClean() {
        List<String> lines = new ArrayList<>();
        for (ILoggingEvent event : captured.list) {
            lines.add(event.getFormattedMessage() + event.getThreadName() + event.getMDCPropertyMap()
                    + (event.getThrowableProxy() == null ? "" : event.getThrowableProxy().getMessage()));
        }
        assertThat(lines).noneMatch(line -> line.contains(CANARY));
    }
}
