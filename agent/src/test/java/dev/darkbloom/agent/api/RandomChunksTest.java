package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.RandomAnswer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * However a streamed answer is cut into network chunks, its deltas put together are the whole answer. The request comes in pieces of any
 * size; tokens come in groups of any size, and the server may hold back one byte, some or many, so that it writes one event at a time or
 * many at once; the client reads a random number of bytes at a time.
 */
@ExtendWith(NoBufferLeaks.class)
class RandomChunksTest {
    private static final int ROUNDS = 40;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Random random = new Random(20_261_129);
    private final FakeModelPool pool = new FakeModelPool(new ManualClock(), "demo");

    /** How an API asks, and where its events say what. */
    private enum Api {
        CHAT("/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
                + "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\"}}]") {
            @Override
            void take(JsonNode event, Said said) {
                JsonNode delta = event.path("choices").path(0).path("delta");
                said.reasoning.append(delta.path("reasoning_content").asText(""));
                said.content.append(delta.path("content").asText(""));
                said.arguments.append(delta.path("tool_calls").path(0).path("function").path("arguments").asText(""));
            }
        },
        RESPONSES("/v1/responses", "\"input\":\"Hi\",\"tools\":[{\"type\":\"function\",\"name\":\"add\"}]") {
            @Override
            void take(JsonNode event, Said said) {
                String delta = event.path("delta").asText("");
                switch (event.path("type").asText()) {
                    case "response.reasoning_text.delta" -> said.reasoning.append(delta);
                    case "response.output_text.delta" -> said.content.append(delta);
                    case "response.function_call_arguments.delta" -> said.arguments.append(delta);
                    case "response.completed" -> {
                        JsonNode output = event.path("response").path("output");
                        assertThat(output.path(0).path("content").path(0).path("text").textValue()).isEqualTo(said.reasoning.toString());
                        assertThat(output.path(1).path("content").path(0).path("text").textValue()).isEqualTo(said.content.toString());
                        assertThat(output.path(2).path("arguments").textValue()).isEqualTo(said.arguments.toString());
                    }
                    default -> { }
                }
            }
        },
        MESSAGES("/v1/messages", "\"max_tokens\":4000,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
                + "\"tools\":[{\"name\":\"add\",\"input_schema\":{\"type\":\"object\"}}]") {
            @Override
            void take(JsonNode event, Said said) {
                JsonNode delta = event.path("delta");
                said.reasoning.append(delta.path("thinking").asText(""));
                said.content.append(delta.path("text").asText(""));
                said.arguments.append(delta.path("partial_json").asText(""));
            }
        };

        private final String path;
        private final String members;

        Api(String path, String members) {
            this.path = path;
            this.members = members;
        }

        /** Adds what an event says. */
        abstract void take(JsonNode event, Said said);
    }

    /** The deltas so far. */
    private static final class Said {
        private final StringBuilder reasoning = new StringBuilder();
        private final StringBuilder content = new StringBuilder();
        private final StringBuilder arguments = new StringBuilder();
    }

    /** A body in chunks, put together from pieces that may end anywhere. */
    private static final class ChunkedBody {
        private final ByteArrayOutputStream text = new ByteArrayOutputStream();
        private final StringBuilder line = new StringBuilder();
        private int left; // of the chunk
        private int chunks;
        private boolean ending; // behind a chunk's bytes
        private boolean last;
        private boolean whole;

        void take(byte[] piece) {
            for (byte b : piece) {
                assertThat(whole).as("bytes behind the body").isFalse();
                if (left > 0) {
                    text.write(b);
                    ending = --left == 0;
                } else if (b == '\n') {
                    endLine();
                } else if (b != '\r') {
                    line.append((char) b);
                }
            }
        }

        private void endLine() {
            if (ending || last) {
                assertThat(line).isEmpty();
                whole = last;
                ending = false;
                return;
            }
            left = Integer.parseInt(line.toString(), 16);
            last = left == 0;
            chunks += last ? 0 : 1;
            line.setLength(0);
        }

        boolean isWhole() {
            return whole;
        }

        int chunks() {
            return chunks;
        }

        String text() {
            return text.toString(StandardCharsets.UTF_8);
        }
    }

    @ParameterizedTest
    @EnumSource(Api.class)
    void theDeltasAreTheWholeAnswer(Api api) {
        var completions = new Completions(pool, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
        for (int unsentBytes : new int[] {1, 700, ApiLimits.DEFAULT.unsentBytes()}) {
            int fewest = Integer.MAX_VALUE;
            int most = 0;
            try (var server = TestServer.open(limits(unsentBytes), completions::run); RawConnection connection = server.connect()) {
                for (int round = 0; round < ROUNDS; round++) {
                    RandomAnswer answer = RandomAnswer.of(random, 30);
                    pool.answers(Script.of(answer.text()).perAwait(1 + random.nextInt(random.nextBoolean() ? 4 : 200)));
                    send(connection, RawConnection.post(api.path, "{\"model\":\"demo\",\"stream\":true," + api.members + "}"));
                    assertThat(connection.readHead().status()).isEqualTo(200);
                    var body = new ChunkedBody();
                    read(connection, body);

                    var said = new Said();
                    events(body.text()).forEach(event -> api.take(event, said));
                    assertThat(said.reasoning.toString()).isEqualTo(answer.reasoning());
                    assertThat(said.content.toString()).isEqualTo(answer.content());
                    assertThat(said.arguments.toString()).isEqualTo(answer.arguments());
                    fewest = Math.min(fewest, body.chunks());
                    most = Math.max(most, body.chunks());
                }
            }
            assertThat(most).as("chunks of an answer, between %d and", fewest).isGreaterThan(2 * fewest);
        }
        assertThat(pool.leftOpen()).isZero();
    }

    private static ApiLimits limits(int unsentBytes) {
        ApiLimits usual = ApiLimits.DEFAULT;
        return new ApiLimits(usual.maxConnections(), usual.requestLineBytes(), usual.headerBytes(), usual.bodiesBytes(), usual.discardBytes(),
                usual.pipelinedBytes(), unsentBytes, usual.headTime(), usual.bodyTime(), usual.bodyBytesPerSecond(), usual.idleTime(),
                usual.stallTime(), usual.lingerTime());
    }

    private void send(RawConnection connection, String request) {
        byte[] bytes = request.getBytes(StandardCharsets.UTF_8);
        for (int at = 0; at < bytes.length;) {
            int size = Math.min(bytes.length - at, 1 + random.nextInt(bytes.length));
            connection.send(Arrays.copyOfRange(bytes, at, at + size));
            at += size;
        }
    }

    private void read(RawConnection connection, ChunkedBody body) {
        while (!body.isWhole()) {
            body.take(connection.readSome(1 + random.nextInt(random.nextBoolean() ? 7 : 2000)));
        }
    }

    private static List<JsonNode> events(String stream) {
        List<JsonNode> events = new ArrayList<>();
        for (String block : stream.split("\n\n")) {
            String data = block.substring(block.indexOf("data: ") + "data: ".length());
            if (!data.equals("[DONE]")) {
                try {
                    events.add(JSON.readTree(data));
                } catch (JsonProcessingException e) {
                    throw new AssertionError(block, e);
                }
            }
        }
        return events;
    }
}
