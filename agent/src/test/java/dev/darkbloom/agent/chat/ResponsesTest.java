package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.llama.ChatTemplate.ToolChoice;
import dev.darkbloom.agent.testing.FakeChatTemplate.Applied;
import dev.darkbloom.agent.testing.FakeGeneration;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ResponsesTest {
    private final ManualClock clock = new ManualClock();
    private final FakeModelPool pool = new FakeModelPool(clock, "demo");
    private final ResponseStore store = new ResponseStore(new ResponseStore.Limits(8, 1 << 20, Duration.ofHours(1)), clock);
    private final StoredResponses stored = new StoredResponses(store, Duration.ZERO);
    private final Completions completions = new Completions(pool, CompletionsSettings.defaults(),
            InstantSource.fixed(Instant.ofEpochSecond(1_790_000_000L)), clock, Optional.of(store));

    @AfterEach
    void close() {
        store.close();
        assertThat(pool.leftOpen()).isZero();
    }

    private RecordingSink ask(String id, String members) {
        return ask(id, members, new RecordingSink());
    }

    private RecordingSink ask(String id, String members, RecordingSink sink) {
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
    void theVerbosityThatEveryModelHasIsTaken() {
        JsonNode json = ask("r1", "\"input\":\"Hi\",\"text\":{\"verbosity\":\"medium\"}").json();

        assertThat(json.path("text").toString()).isEqualTo("{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}");
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
        assertThat(refusal("\"input\":\"Hi\",\"text\":{\"verbosity\":\"low\"}")).hasMessageContaining("text.verbosity");
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
        var sink = new RecordingSink().after(6, () -> stored.cancel("resp_r1", new RecordingSink()));
        ask("r1", "\"input\":\"Hi\",\"stream\":true", sink);

        assertThat(sink.events().getLast().path("type").textValue()).isEqualTo("error");
        assertThat(sink.events().getLast().path("code").textValue()).isEqualTo("cancelled");
        assertThat(sink.isAborted()).isTrue();
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("cancelled");
        assertThat(pool.generations().getFirst().isCancelled()).isTrue();
    }

    @Test
    void aFailureBeforeTheFirstTokenKeepsNothing() {
        assertThat(refusal("\"input\":\"Hi\",\"tool_choice\":\"required\"").code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    private RecordingSink events(String id, int startingAfter) {
        return events(id, startingAfter, new RecordingSink());
    }

    private RecordingSink events(String id, int startingAfter, RecordingSink sink) {
        stored.retrieve(id, Map.of("stream", List.of("true"), "starting_after", List.of(Integer.toString(startingAfter))), sink);
        return sink;
    }

    @Test
    void theEventsOfABackgroundStreamAreSentAgain() {
        pool.answers(Script.of("Hello"));
        RecordingSink first = ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true");
        var again = new RecordingSink();
        stored.retrieve("resp_r1", Map.of("stream", List.of("true")), again);

        assertThat(first.events()).hasSizeGreaterThan(8);
        assertThat(first.types().getLast()).isEqualTo("response.completed");
        assertThat(again.events()).isEqualTo(first.events());
        assertThat(again.types()).isEqualTo(first.types());
        assertThat(again.hasEndedTyped()).isTrue();
        assertThat(events("resp_r1", 3).events()).isEqualTo(first.events().subList(4, first.events().size()));
        assertThat(events("resp_r1", 1000).events()).isEmpty();
    }

    /** The one who asked is held at an event until another one has read up to it, so that what comes then comes live. */
    @Test
    void whoReadsTheEventsOfARunningResponseGetsThoseToComeAsWell() throws InterruptedException {
        pool.answers(Script.of("Hello"));
        var follower = new RecordingSink();
        var caughtUp = new CountDownLatch(1);
        var following = new AtomicReference<Thread>();
        follower.after(6, caughtUp::countDown);
        RecordingSink first = new RecordingSink().after(6, () -> {
            following.set(Thread.ofVirtual().start(() -> stored.retrieve("resp_r1", Map.of("stream", List.of("true")), follower)));
            await(caughtUp);
        });
        ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true", first);
        following.get().join();

        assertThat(first.events()).hasSizeGreaterThan(8);
        assertThat(follower.events()).isEqualTo(first.events());
        assertThat(follower.hasEndedTyped()).isTrue();
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aBackgroundStreamGoesOnWithoutItsClient() {
        pool.answers(Script.of("Hello"));
        var sink = new RecordingSink(6);
        ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true", sink);

        assertThat(sink.events()).hasSize(6);
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("completed");
        assertThat(events("resp_r1", 5).types().getLast()).isEqualTo("response.completed");
    }

    @Test
    void aReaderOfEventsThatLeavesIsLetGo() throws InterruptedException {
        pool.answers(endless("Hello"));
        var follower = new RecordingSink();
        var left = new AtomicReference<AgentException>();
        Thread running = Thread.ofVirtual().start(() -> ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true"));
        Awaitility.await().until(() -> store.size() == 1);
        Thread reader = Thread.ofVirtual().start(
                () -> left.set(catchThrowableOfType(AgentException.class, () -> events("resp_r1", 1000, follower))));
        Awaitility.await().until(follower::hasBegun);
        follower.goAway();
        reader.join();
        stored.cancel("resp_r1", new RecordingSink());
        running.join();

        assertThat(left.get().code()).isEqualTo(ErrorCode.CANCELLED);
    }

    @Test
    void aResponseThatIsDeletedEndsTheStreamsOfItsReaders() throws InterruptedException {
        pool.answers(endless("Hello"));
        var follower = new RecordingSink().after(6, () -> stored.delete("resp_r1", new RecordingSink()));
        Thread running = Thread.ofVirtual().start(() -> ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true"));
        Awaitility.await().until(() -> store.size() == 1);
        stored.retrieve("resp_r1", Map.of("stream", List.of("true")), follower);
        running.join();

        assertThat(follower.events().getLast().path("type").textValue()).isEqualTo("error");
        assertThat(follower.events().getLast().path("code").textValue()).isEqualTo("not_found");
        assertThat(follower.isAborted()).isTrue();
        assertThat(pool.generations().getFirst().isCancelled()).isTrue();
    }

    @Test
    void eventsOfOthersAreNotThere() {
        pool.answers(Script.of("Hello"));
        ask("r1", "\"input\":\"Hi\",\"stream\":true");
        ask("r2", "\"input\":\"Hi\",\"background\":true");

        for (String id : List.of("resp_r1", "resp_r2")) {
            AgentException refused = catchThrowableOfType(AgentException.class, () -> events(id, 0));
            assertThat(refused.code()).isEqualTo(ErrorCode.UNSUPPORTED_PARAMETER);
            assertThat(refused.param()).contains("stream");
        }
        assertThat(catchThrowableOfType(AgentException.class, () -> events("resp_none", 0)).code()).isEqualTo(ErrorCode.NOT_FOUND);
        assertThat(catchThrowableOfType(AgentException.class, () -> events("resp_r1", -1)).param()).contains("starting_after");
    }

    @Test
    void aBackgroundResponseIsCancelledByItsId() {
        pool.answers(endless("Hello"));
        JsonNode queued = ask("r1", "\"input\":\"Hi\",\"background\":true").json();
        assertThat(queued.path("status").textValue()).isEqualTo("queued");
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("in_progress");
        var cancelled = new RecordingSink();
        stored.cancel("resp_r1", cancelled);
        store.close(); // waits for what runs

        assertThat(cancelled.json().path("status").textValue()).isEqualTo("cancelled");
        assertThat(pool.generations()).allMatch(FakeGeneration::isFinished);
    }

    @Test
    void aCancelledBackgroundStreamSaysSoToEveryReader() {
        pool.answers(endless("Hello"));
        RecordingSink sink = ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true",
                new RecordingSink().after(8, () -> stored.cancel("resp_r1", new RecordingSink())));

        assertThat(sink.events().getLast().path("code").textValue()).isEqualTo("cancelled");
        assertThat(events("resp_r1", 7).events()).isEqualTo(sink.events().subList(8, sink.events().size()));
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("cancelled");
    }

    @Test
    void whoWaitsForADocumentThatIsCancelledGetsItAsSuch() {
        pool.answers(_ -> {
            stored.cancel("resp_r1", new RecordingSink());
            return endless("Hello");
        });
        JsonNode json = ask("r1", "\"input\":\"Hi\"").json();

        assertThat(json.path("status").textValue()).isEqualTo("cancelled");
        assertThat(json.path("output")).isEmpty();
        assertThat(retrieve("resp_r1")).isEqualTo(json);
    }

    private static Script endless(String text) {
        return new Script(text.chars().toArray(), 1, 0, null);
    }

    private static Script failing(String before) {
        return new Script(before.chars().toArray(), 1, 0, new Outcome.Failed(new AgentException(ErrorCode.NO_KV_SPACE, "scripted")));
    }

    @Test
    void aGenerationThatFailsInAStreamIsAFailedResponse() {
        pool.answers(failing("Hel"));
        RecordingSink sink = ask("r1", "\"input\":\"Hi\",\"stream\":true");
        JsonNode last = sink.events().getLast();

        assertThat(last.path("type").textValue()).isEqualTo("response.failed");
        assertThat(last.path("sequence_number").intValue()).isEqualTo(sink.events().size() - 1);
        assertThat(last.path("response").path("status").textValue()).isEqualTo("failed");
        assertThat(last.path("response").path("error").path("code").textValue()).isEqualTo("server_error");
        assertThat(sink.isAborted()).isTrue();
        assertThat(retrieve("resp_r1")).isEqualTo(last.path("response"));
    }

    @Test
    void aGenerationThatFailsInTheBackgroundIsAFailedResponse() {
        pool.answers(failing("Hel"));
        ask("r1", "\"input\":\"Hi\",\"background\":true");
        Awaitility.await().until(() -> !retrieve("resp_r1").path("status").textValue().equals("in_progress"));
        assertThat(retrieve("resp_r1").path("status").textValue()).isEqualTo("failed");
        assertThat(retrieve("resp_r1").path("error").path("message").textValue()).isNotBlank();

        pool.answers(failing("")); // before anything has been said
        RecordingSink sink = ask("r2", "\"input\":\"Hi\",\"background\":true,\"stream\":true");
        assertThat(sink.types()).containsExactly("response.created", "response.in_progress", "response.failed");
        assertThat(events("resp_r2", 0).types()).containsExactly("response.in_progress", "response.failed");
        assertThat(retrieve("resp_r2").path("status").textValue()).isEqualTo("failed");
    }

    @Test
    void whatABackgroundRequestIsRefusedForItsClientHears() {
        for (String how : List.of("\"background\":true", "\"background\":true,\"stream\":true")) {
            assertThat(refusal("\"input\":\"Hi\",\"model\":\"other\"," + how).code()).isEqualTo(ErrorCode.UNKNOWN_MODEL);
            assertThat(refusal("\"input\":\"" + "a ".repeat(4096) + "\"," + how).code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
            pool.room(0);
            assertThat(refusal("\"input\":\"Hi\"," + how).code()).isEqualTo(ErrorCode.QUEUE_FULL);
            pool.room(Integer.MAX_VALUE);
        }
    }

    @Test
    void aLateRefusalSaysWhatIsWrongWithTheRequest() {
        var late = new AgentException(ErrorCode.CONTEXT_TOO_LONG, "this \"prompt\" is too long");
        pool.answers(new Script(new int[0], 1, 0, new Outcome.Failed(late)));
        JsonNode error = ask("r1", "\"input\":\"Hi\",\"background\":true,\"stream\":true").events().getLast().path("response").path("error");

        assertThat(error.path("code").textValue()).isEqualTo("invalid_prompt");
        assertThat(error.path("message").textValue()).isEqualTo("this \"prompt\" is too long");
    }

    @Test
    void aGenerationThatFailsForADocumentIsAnErrorAndNotKept() {
        pool.answers(failing("Hel"));

        assertThat(refusal("\"input\":\"Hi\"").code()).isEqualTo(ErrorCode.NO_KV_SPACE);
    }

    @Test
    void onlyAllowedToolsAreOffered() {
        String tools = "\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"function\",\"name\":\"g\"},"
                + "{\"type\":\"function\",\"name\":\"h\"}],";
        String allowed = "\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"%s\",\"tools\":[{\"type\":\"function\",\"name\":\"h\"},"
                + "{\"type\":\"function\",\"name\":\"\\u0066\"}]}";
        ask("r1", "\"input\":\"Hi\"," + tools + allowed.formatted("auto"));
        Applied auto = pool.template().lastApplied();
        assertThat(auto.tools()).contains("\"f\"", "\"h\"").doesNotContain("\"g\"");
        assertThat(auto.toolChoice()).isEqualTo(ToolChoice.AUTO);

        pool.answers(Script.of("<call f>{}</call>"));
        JsonNode json = ask("r2", "\"input\":\"Hi\"," + tools + allowed.formatted("required")).json();
        assertThat(pool.template().lastApplied().toolChoice()).isEqualTo(ToolChoice.REQUIRED);
        assertThat(pool.template().lastApplied().tools()).doesNotContain("\"g\"");
        assertThat(json.path("output").path(0).path("name").textValue()).isEqualTo("f");
        assertThat(json.path("tool_choice").path("type").textValue()).isEqualTo("allowed_tools");
        assertThat(json.path("tools")).hasSize(3);
    }

    @Test
    void aResultHasTheNameOfItsCall() throws IOException {
        ask("r1", "\"input\":[{\"role\":\"user\",\"content\":\"Hi\"},"
                + "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},"
                + "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"{}\"},"
                + "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":\"two\"},"
                + "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"one\"},"
                + "{\"type\":\"function_call_output\",\"call_id\":\"c3\",\"output\":\"three\"}]");
        JsonNode messages = new ObjectMapper().readTree(pool.template().lastApplied().messages());

        assertThat(messages.path(2).path("name").textValue()).isEqualTo("g");
        assertThat(messages.path(3).path("name").textValue()).isEqualTo("f");
        assertThat(messages.path(4).path("tool_call_id").textValue()).isEqualTo("c3");
        assertThat(messages.path(4).has("name")).isFalse();
    }

    @Test
    void aResultOfAnEarlierResponsesCallHasItsName() throws IOException {
        pool.answers(Script.of("<call f>{}</call>"));
        JsonNode first = ask("r1", "\"input\":\"Hi\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]").json();
        ask("r2", "\"previous_response_id\":\"resp_r1\",\"input\":[{\"type\":\"function_call_output\",\"call_id\":"
                + first.path("output").path(0).path("call_id") + ",\"output\":\"ok\"}]");
        JsonNode messages = new ObjectMapper().readTree(pool.template().lastApplied().messages());

        assertThat(messages.path(2).path("role").textValue()).isEqualTo("tool");
        assertThat(messages.path(2).path("name").textValue()).isEqualTo("f");
    }
}
