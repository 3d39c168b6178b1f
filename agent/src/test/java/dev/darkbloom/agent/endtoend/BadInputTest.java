package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a careless or hostile client sends gets a typed answer, ends nothing, and leaves every slot free by the engine's own counters. */
@Tag("model")
class BadInputTest {
    private static final int DEEP = 20_000;

    @TempDir
    static Path folder;

    private static AgentProcess agent;

    @BeforeAll
    static void start() throws IOException {
        agent = AgentProcess.start(folder, "--model", "demo", "--threads", "1", "--parallel", "2");
    }

    @AfterAll
    static void stop() {
        agent.close();
    }

    @AfterEach
    void everySlotIsFreeAndTheModelStillAnswers() throws IOException, InterruptedException {
        Awaitility.await().atMost(Duration.ofSeconds(30)).until(
                () -> agent.metric("darkbloom_slots_busy") == 0 && agent.metric("darkbloom_requests_waiting") == 0);
        JsonNode answer = agent.ask("chat/completions", ok("\"temperature\":0"));
        assertThat(answer.at("/choices/0/message/content").asText()).isEqualTo("The sky is blue.");
    }

    private static String ok(String more) {
        return "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"What colour is the sky?\"}]," + more + "}";
    }

    private static String nested(String open, String inner, String close) {
        return open.repeat(DEEP) + inner + close.repeat(DEEP);
    }

    private static Arguments refused(String what, int status, String code, String body) {
        return Arguments.of(what, status, code, body);
    }

    static Stream<Arguments> refusals() {
        String manyStops = IntStream.range(0, 10_000).mapToObj(i -> "\"stop" + i + "\"").collect(Collectors.joining(",", "[", "]"));
        String longPrompt = "word ".repeat(20_000);
        return Stream.of(
                refused("broken JSON", 400, "invalid_json", "{\"model\":\"demo\",\"messages\":["),
                refused("an empty body", 400, "invalid_json", ""),
                refused("two documents", 400, "invalid_json", ok("\"n\":1") + ok("\"n\":1")),
                refused("a document that is no object", 400, "invalid_json", "[1]"),
                refused("messages of the wrong type", 400, "invalid_request", "{\"model\":\"demo\",\"messages\":7}"),
                refused("no messages", 400, "invalid_request", "{\"model\":\"demo\"}"),
                refused("empty messages", 400, "invalid_request", "{\"model\":\"demo\",\"messages\":[]}"),
                refused("a message that is no object", 400, "invalid_request", "{\"model\":\"demo\",\"messages\":[1]}"),
                refused("an unknown model", 404, "model_not_found", "{\"model\":\"nope\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
                refused("a model name of the wrong type", 400, "invalid_request", "{\"model\":7,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
                refused("a prompt beyond the context", 400, "request_exceeds_context",
                        "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + longPrompt + "\"}]}"),
                refused("a temperature that is not a number", 400, "invalid_json", ok("\"temperature\":NaN")),
                refused("a temperature beyond every number", 400, "invalid_request", ok("\"temperature\":1e999")),
                refused("a negative temperature", 400, "invalid_request", ok("\"temperature\":-1")),
                refused("a temperature in words", 400, "invalid_request", ok("\"temperature\":\"hot\"")),
                refused("negative max_tokens", 400, "invalid_request", ok("\"max_tokens\":-5")),
                refused("top_p of 2", 400, "invalid_request", ok("\"top_p\":2")),
                refused("21 alternatives", 400, "invalid_request", ok("\"logprobs\":true,\"top_logprobs\":21")),
                refused("a bias for a token that is not there", 400, "invalid_request", ok("\"logit_bias\":{\"99999\":1}")),
                refused("10,000 stop strings", 400, "invalid_request", ok("\"stop\":" + manyStops)),
                refused("a grammar that does not parse", 400, "invalid_grammar", ok("\"grammar\":\"root ::= (\"")),
                refused("a grammar whose maximum is below its minimum", 400, "invalid_grammar", ok("\"grammar\":\"root ::= \\\"a\\\"{2,1}\"")),
                refused("a deep grammar", 400, "invalid_grammar", ok("\"grammar\":\"root ::= " + nested("(", "\\\"a\\\"", ")") + "\"")),
                refused("deep JSON", 400, "invalid_json", "{\"model\":\"demo\",\"x\":" + nested("[", "", "]") + "}"),
                refused("deep JSON of objects", 400, "invalid_json", "{\"model\":\"demo\",\"x\":" + nested("{\"a\":", "1", "}") + "}"),
                refused("a deep schema", 400, "invalid_json", ok("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"schema\":"
                        + nested("{\"type\":\"object\",\"properties\":{\"a\":", "{\"type\":\"string\"}", "}}") + "}}")),
                refused("deep tools", 400, "invalid_json", ok("\"tools\":[" + nested("[", "", "]") + "]")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusals")
    void isRefusedWithATypedAnswer(String what, int status, String code, String body) throws IOException, InterruptedException {
        HttpResponse<String> response = agent.post("chat/completions", body);

        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        JsonNode error = AgentProcess.JSON.readTree(response.body()).get("error");
        assertThat(error.get("code").asText()).as(error.get("message").asText()).isEqualTo(code);
        assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
    }

    @Test
    void aPromptBeyondTheContextIsRefusedWithBothNumbers() throws IOException, InterruptedException {
        String body = "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + "word ".repeat(3_000) + "\"}]}";

        String message = AgentProcess.JSON.readTree(agent.post("chat/completions", body).body()).at("/error/message").asText();

        assertThat(message).matches("prompt is \\d+ tokens; this model's context holds 2048");
    }

    /** The converter writes such a schema as a repetition that upstream would run 2⁶⁴ times. */
    @Test
    void aSchemaThatNothingSatisfiesIsRefusedAndFillsNoMemory() throws IOException, InterruptedException {
        HttpResponse<String> response = agent.post("chat/completions", ok("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\","
                + "\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":5,\"maxItems\":2}}}"));

        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
    }

    @Test
    void bytesThatAreNotUtf8AreRefused() throws IOException, InterruptedException {
        byte[] body = ok("\"user\":\"??\"").replace("??", "\u00ff\u00fe").getBytes(StandardCharsets.ISO_8859_1);
        try (var client = HttpClient.newHttpClient()) {
            HttpResponse<String> response = client.send(agent.request("chat/completions").POST(HttpRequest.BodyPublishers.ofByteArray(body)).build(),
                    HttpResponse.BodyHandlers.ofString());

            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(response.body()).contains("invalid_json");
        }
    }

    @Test
    void aBodyBeyondTheLimitIsRefusedWithTheLimit() throws IOException {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), agent.port())) {
            socket.getOutputStream().write(head(40L << 20).getBytes(StandardCharsets.US_ASCII));

            String answer = readAll(socket.getInputStream());

            assertThat(answer).startsWith("HTTP/1.1 413").contains("payload_too_large").contains("32 MiB");
        }
    }

    @Test
    void aParameterThatWouldChangeTheAnswerAndIsNotSupportedIsRefusedByName() throws IOException, InterruptedException {
        HttpResponse<String> response = agent.post("completions", "{\"model\":\"demo\",\"prompt\":\"a\",\"suffix\":\"b\"}");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(AgentProcess.JSON.readTree(response.body()).at("/error/param").asText()).isEqualTo("suffix");
    }

    @Test
    void aHalfClosedConnectionCancelsItsRequest() throws IOException {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), agent.port())) {
            send(socket, ok("\"stream\":true,\"max_tokens\":1900,\"ignore_eos\":true"));
            socket.getInputStream().read();

            socket.shutdownOutput();

            readAll(socket.getInputStream()); // ends, because the server closes
        }
    }

    @Test
    void aClientThatLeavesInTheMiddleCancelsItsRequest() throws IOException, InterruptedException {
        double before = agent.metric("darkbloom_requests_cancelled_total");
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), agent.port())) {
            socket.setReceiveBufferSize(4096);
            send(socket, ok("\"stream\":true,\"max_tokens\":1900,\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":20"));
            socket.getInputStream().read();
        }

        Awaitility.await().until(() -> agent.metric("darkbloom_requests_cancelled_total") == before + 1);
    }

    @Test
    void aReaderThatStopsHoldsUpOnlyItself() throws IOException, InterruptedException {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), agent.port())) {
            socket.setReceiveBufferSize(4096);
            send(socket, ok("\"stream\":true,\"max_tokens\":1900,\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":20"));
            socket.getInputStream().read();

            JsonNode other = agent.ask("chat/completions", ok("\"temperature\":0"));

            assertThat(other.at("/choices/0/message/content").asText()).isEqualTo("The sky is blue.");
        }
    }

    private static void send(Socket socket, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        socket.getOutputStream().write(head(bytes.length).getBytes(StandardCharsets.US_ASCII));
        socket.getOutputStream().write(bytes);
    }

    private static String head(long length) {
        return "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:" + agent.port() + "\r\nAuthorization: Bearer " + agent.key()
                + "\r\nContent-Type: application/json\r\nContent-Length: " + length + "\r\n\r\n";
    }

    private static String readAll(InputStream in) throws IOException {
        return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
}
