package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ResponsesTest {
    private final ManualClock clock = new ManualClock();
    private final FakeModelPool pool = new FakeModelPool(clock, "demo");
    private final ResponseStore store = new ResponseStore(new ResponseStore.Limits(8, 1 << 20, Duration.ofHours(1)), clock);
    private final StoredResponses stored = new StoredResponses(store);
    private final Completions completions = new Completions(pool, CompletionsSettings.defaults(),
            InstantSource.fixed(Instant.ofEpochSecond(1_790_000_000L)), clock, Optional.of(store));

    @AfterEach
    void close() {
        store.close();
        assertThat(pool.leftOpen()).isZero();
    }

    private RecordingSink ask(String id, String members) {
        var sink = new RecordingSink();
        try (Content body = OffHeap.body("{\"model\":\"demo\"," + members + "}")) {
            completions.run(Endpoint.RESPONSES, new RequestId(id), body, sink);
        }
        return sink;
    }

    private AgentException refusal(String members) {
        AgentException refused = catchThrowableOfType(AgentException.class, () -> ask("r9", members));
        assertThat(refused).as(members).isNotNull();
        assertThat(store.size()).isZero();
        return refused;
    }

    private JsonNode retrieve(String id) {
        var sink = new RecordingSink();
        stored.retrieve(id, Map.of(), sink);
        return sink.json();
    }

    @Test
    void aDocumentHasTheShapeOfTheApi() {
        pool.answers(Script.of("Hello \"you\""));
        JsonNode json = ask("r1", "\"input\":\"Hi\",\"metadata\":{ \"a\" : \"b c\" },\"temperature\":0.5").json();

        assertThat(json.path("id").textValue()).isEqualTo("resp_r1");
        assertThat(json.path("object").textValue()).isEqualTo("response");
        assertThat(json.path("status").textValue()).isEqualTo("completed");
        assertThat(json.path("created_at").longValue()).isEqualTo(1_790_000_000L);
        assertThat(json.path("metadata").toString()).isEqualTo("{\"a\":\"b c\"}");
        assertThat(json.path("temperature").doubleValue()).isEqualTo(0.5);
        assertThat(json.path("output")).hasSize(1);
        assertThat(json.path("output").path(0).path("id").textValue()).isEqualTo("msg_r1_0");
        assertThat(json.path("output").path(0).path("content").path(0).path("text").textValue()).isEqualTo("Hello \"you\"");
        assertThat(json.path("usage").path("total_tokens").intValue())
                .isEqualTo(json.path("usage").path("input_tokens").intValue() + json.path("usage").path("output_tokens").intValue());
        assertThat(retrieve("resp_r1")).isEqualTo(json);
    }

    @Test
    void anAnswerThatDoesNotFollowItsFormatIsTextWithAWarning() {
        pool.answers(Script.of("Well <call"));
        JsonNode json = ask("r1", "\"input\":\"Hi\"").json();

        assertThat(json.path("status").textValue()).isEqualTo("completed");
        assertThat(json.path("output").path(0).path("content").path(0).path("text").textValue()).isEqualTo("Well <call");
        assertThat(json.path("warning").textValue()).contains("format");
    }

    @Test
    void eventsComeTypedNumberedAndInOrder() {
        pool.answers(Script.of("Hey"));
        RecordingSink sink = ask("r1", "\"input\":\"Hi\",\"stream\":true,\"metadata\":{\n\"a\":\"b\"}");

        List<JsonNode> events = sink.events();
        List<String> types = new ArrayList<>();
        var text = new StringBuilder();
        for (int i = 0; i < events.size(); i++) {
            assertThat(events.get(i).path("sequence_number").intValue()).isEqualTo(i);
            assertThat(events.get(i).path("type").textValue()).isEqualTo(sink.types().get(i));
            text.append(events.get(i).path("delta").asText(""));
            if (types.isEmpty() || !types.getLast().equals(sink.types().get(i))) {
                types.add(sink.types().get(i));
            }
        }
        assertThat(types).containsExactly("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done",
                "response.completed");
        assertThat(text.toString()).isEqualTo("Hey");
        assertThat(sink.hasEndedTyped()).isTrue();
        assertThat(retrieve("resp_r1")).isEqualTo(events.getLast().path("response"));
    }

    @Test
    void whatIsNotToBeStoredIsNot() {
        pool.answers(Script.of("Hey"));
        ask("r1", "\"input\":\"Hi\",\"store\":false");

        assertThat(store.size()).isZero();
    }

    @Test
    void aConversationGoesOnFromThePreviousResponse() {
        pool.answers(Script.of("Hey"));
        ask("r1", "\"input\":\"Hi\"");
        pool.answers(Script.of("Bye"));
        JsonNode chained = ask("r2", "\"input\":\"Go\",\"previous_response_id\":\"resp_r1\"").json();
        pool.answers(Script.of("Bye"));
        JsonNode whole = ask("r3", "\"input\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Hey\"},"
                + "{\"role\":\"user\",\"content\":\"Go\"}]").json();

        assertThat(chained.path("usage").path("input_tokens").intValue()).isEqualTo(whole.path("usage").path("input_tokens").intValue());
        assertThat(chained.path("previous_response_id").textValue()).isEqualTo("resp_r1");
    }

    @Test
    void inputItemsAreThoseOfTheRequestItself() {
        pool.answers(Script.of("Hey"));
        ask("r1", "\"input\":\"Hi\"");
        pool.answers(Script.of("Bye"));
        ask("r2", "\"input\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}],\"previous_response_id\":\"resp_r1\"");
        var sink = new RecordingSink();
        stored.inputItems("resp_r2", Map.of("limit", List.of("1"), "order", List.of("asc")), sink);

        assertThat(sink.json().path("data")).hasSize(1);
        assertThat(sink.json().path("data").path(0).path("content").path(0).path("text").textValue()).isEqualTo("a");
        assertThat(sink.json().path("has_more").booleanValue()).isTrue();
        var next = new RecordingSink();
        stored.inputItems("resp_r2", Map.of("after", List.of(sink.json().path("last_id").textValue()), "order", List.of("asc")), next);
        assertThat(next.json().path("data").path(0).path("content").path(0).path("text").textValue()).isEqualTo("b");
        assertThat(next.json().path("has_more").booleanValue()).isFalse();
    }

    @Test
    void whatCannotBeDoneIsRefusedByName() {
        assertThat(refusal("\"input\":\"Hi\",\"previous_response_id\":\"resp_x\"").code()).isEqualTo(ErrorCode.PREVIOUS_RESPONSE_NOT_FOUND);
        assertThat(refusal("\"input\":\"Hi\",\"tools\":[{\"type\":\"web_search\"}]")).hasMessageContaining("web_search");
        assertThat(refusal("\"input\":\"Hi\",\"conversation\":\"c\"").param()).contains("conversation");
        assertThat(refusal("\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\"}]}]").code()).isEqualTo(ErrorCode.UNSUPPORTED_MEDIA);
        assertThat(refusal("\"input\":[{\"type\":\"computer_call\"}]")).hasMessageContaining("computer_call");
        assertThat(refusal("\"input\":[]").code()).isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(refusal("\"input\":\"Hi\",\"temperature\":-1").param()).contains("temperature");
        assertThat(refusal("\"input\":\"Hi\",\"background\":true,\"store\":false").param()).contains("background");
    }

    @Test
    void aClientThatLeavesCancelsItsResponse() {
        pool.answers(Script.of("a long answer"));
        var sink = new RecordingSink(6);
        AgentException gone;
        try (Content body = OffHeap.body("{\"model\":\"demo\",\"input\":\"Hi\",\"stream\":true}")) {
            gone = catchThrowableOfType(AgentException.class, () -> completions.run(Endpoint.RESPONSES, new RequestId("r1"), body, sink));
        }

        assertThat(gone.code()).isEqualTo(ErrorCode.CANCELLED);
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("cancelled");
    }

    @Test
    void aResponseIsCancelledByItsIdWhileItIsStreamed() {
        pool.answers(Script.of("a long answer"));
        var sink = new RecordingSink();
        var cancelling = new CancellingSink(sink, 6, () -> stored.cancel("resp_r1", new RecordingSink()));
        try (Content body = OffHeap.body("{\"model\":\"demo\",\"input\":\"Hi\",\"stream\":true}")) {
            completions.run(Endpoint.RESPONSES, new RequestId("r1"), body, cancelling);
        }

        assertThat(sink.events().getLast().path("type").textValue()).isEqualTo("error");
        assertThat(sink.events().getLast().path("code").textValue()).isEqualTo("cancelled");
        assertThat(sink.isAborted()).isTrue();
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("cancelled");
        assertThat(pool.generations().getFirst().isCancelled()).isTrue();
    }

    /** Does something when some events have been sent. */
    private static final class CancellingSink implements ResponseSink {
        private final RecordingSink to;
        private final Runnable action;
        private int left;

        private CancellingSink(RecordingSink to, int events, Runnable action) {
            this.to = to;
            this.left = events;
            this.action = action;
        }

        @Override
        public void document(MemorySegment json) {
            to.document(json);
        }

        @Override
        public void beginStream() {
            to.beginStream();
        }

        @Override
        public void event(MemorySegment buffer, long size) {
            to.event(buffer, size);
            if (--left == 0) {
                action.run();
            }
        }

        @Override
        public void ping() {
            to.ping();
        }

        @Override
        public void endStream() {
            to.endStream();
        }

        @Override
        public void endTypedStream() {
            to.endTypedStream();
        }

        @Override
        public void abortStream() {
            to.abortStream();
        }

        @Override
        public boolean isGone() {
            return to.isGone();
        }

        @Override
        public void onGone(Runnable gone) {
            to.onGone(gone);
        }
    }

    @Test
    void aFailureBeforeTheFirstTokenKeepsNothing() {
        assertThat(refusal("\"input\":\"Hi\",\"tool_choice\":\"required\"").code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    }
}
