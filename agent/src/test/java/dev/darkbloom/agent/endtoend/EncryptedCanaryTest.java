package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.testing.ByteSearch;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import dev.darkbloom.agent.testing.coordinator.Asked;
import dev.darkbloom.agent.testing.coordinator.FakeCoordinator;
import dev.darkbloom.agent.testing.coordinator.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What {@link CanaryTest} shows of the local endpoint, of requests that a coordinator sends: their words are in the clear in the request's own
 * memory while it runs, and then nowhere in the whole process, whatever became of the request.
 *
 * <p>The coordinator, who may see them, is in this process; the agent is in another one.
 */
@Tag("model")
@Tag("slow")
@EnabledOnOs(OS.LINUX) // the process's own memory is read through /proc
class EncryptedCanaryTest {
    private static final String PROMPT_CANARY = "nachtkerze-" + Long.toHexString(0x0ddba11L);
    /** With a letter of two bytes: the demo model's tokens of one byte have the byte's number, so that ids of ASCII would look like UTF-32. */
    private static final String COMPLETION_CANARY = "wollgras-flüstert";
    private static final int LARGE_BODY_WORDS = 200_000; // some 4 MB
    private static final ByteSearch SEARCH = new ByteSearch(PROMPT_CANARY, COMPLETION_CANARY);

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noWordOfARequestIsOnTheHeapInAFileOrAfterwardsInMemory(boolean signed) throws Exception {
        Map<String, List<String>> inHeapDuring;
        Map<String, List<String>> inHeapAfter;
        ByteSearch.Memory inMemoryDuring;
        ByteSearch.Memory inMemoryAfter;
        var said = new TreeMap<String, String>();
        try (var coordinator = FakeCoordinator.open();
                var agent = AgentProcess.startServing(folder, List.of("-v"), coordinator.url(),
                        "test_posture = true\nsign_responses = " + signed + "\n", "--model", "demo", "--threads", "1", "--parallel", "8")) {
            assumeMemoryCanBeRead(agent);
            Node node = coordinator.awaitNode();
            Asked whole = node.ask(endless().toString());
            Asked streamed = node.ask(endless().put("stream", true).toString());
            streamed.awaitChunk();
            awaitWords(streamed);

            inHeapDuring = HeapDump.search(agent.pid(), folder.resolve("during.hprof"), SEARCH);
            inMemoryDuring = SEARCH.inProcess(agent.pid());
            assertThat(List.of(whole.hasEnded(), streamed.hasEnded())).as("both still run").containsOnly(false);
            node.abandon(whole);
            node.abandon(streamed);

            answer(node, signed);
            refuse(node);
            node.ask(endless().put("stream", true).toString()).awaitChunk();
            node.connection().drop(); // in the midst of an answer
            assertThat(((End.Complete) coordinator.awaitNode().ask(chat().toString()).awaitEnd()).completionTokens()).isPositive();
            Awaitility.await().until(() -> agent.metric("darkbloom_slots_busy") == 0);

            inHeapAfter = HeapDump.search(agent.pid(), folder.resolve("after.hprof"), SEARCH);
            inMemoryAfter = SEARCH.inProcess(agent.pid());
            said.put("/metrics", agent.get("/metrics").body());
            said.put("status", agent.run("status", "--json"));
            said.put("doctor", agent.run("doctor"));
            assertThat(coordinator.violations()).isEmpty();
        }

        assertThat(inMemoryDuring.found()).as("the search finds what is there while requests run").containsKeys(PROMPT_CANARY, COMPLETION_CANARY);
        assertThat(inHeapDuring).as("heap while requests run").isEmpty();
        assertThat(inHeapAfter).as("heap after the requests").isEmpty();
        assertThat(inMemoryAfter.found()).as("the process's memory after the requests").isEmpty();
        assertThat(inMemoryAfter.unread()).as("what nobody can read is the kernel's").allMatch(page -> page.contains(" of [v"));
        assertThat(said.get("/metrics")).contains("darkbloom_generated_tokens_total");
        assertThat(said.get("status")).contains("\"coordinator\"");
        said.forEach((what, text) -> assertThat(SEARCH.inText(text)).as(what).isEmpty());
        assertNoFileHasAWord(folder);
        assertThat(Files.readString(folder.resolve("output.txt"))).as("the log was written, at its most talkative").contains("DEBUG", "request answered");
    }

    /** An agent that serves a coordinator denies its memory to everybody but root. */
    private static void assumeMemoryCanBeRead(AgentProcess agent) throws IOException {
        assumeTrue(Files.isReadable(Path.of("/proc/" + agent.pid() + "/mem")), "the memory of a process that denies debuggers is root's to read");
    }

    private static void assertNoFileHasAWord(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(SEARCH.inFile(file)).as("file %s", folder.relativize(file)).isEmpty();
            }
        }
    }

    private static String grammar() {
        var rules = new StringBuilder("root ::= (");
        for (char letter : COMPLETION_CANARY.toCharArray()) {
            rules.append('"').append(letter).append("\" ");
        }
        return rules.append("\" \")+").toString();
    }

    /** Begins with a word: the beginning of what was opened has places of its own where it may stay. */
    private static ObjectNode settings(int tokens) {
        return AgentProcess.JSON.createObjectNode().put("user", PROMPT_CANARY).put("model", "demo").put("max_tokens", tokens).put("ignore_eos", true).put("grammar", grammar());
    }

    /** A chat whose answer is the completion's canary, again and again. */
    private static ObjectNode chat() {
        ObjectNode request = settings(60);
        request.putArray("stop").add(PROMPT_CANARY + "-stop");
        request.putArray("messages").addObject().put("role", "user").put("content", "Repeat after me: " + PROMPT_CANARY);
        return request;
    }

    private static ObjectNode endless() {
        return chat().put("max_tokens", 1800);
    }

    private static void awaitWords(Asked streamed) {
        Awaitility.await("the model to write the canary").until(() -> streamed.text().contains(COMPLETION_CANARY));
    }

    /** Asks in every form that coordinators pass on, with words in every place that takes some. */
    private static void answer(Node node, boolean signed) throws IOException {
        for (boolean stream : new boolean[] {false, true}) {
            for (ObjectNode request : List.of(chat(), responses(), large(), escaped(), completion(), message(), constrained(), calls(), history(),
                    messageHistory())) {
                Asked asked = node.ask(request.put("stream", stream).toString());
                assertThat(asked.awaitEnd()).as(request.toString().substring(0, 60)).isInstanceOfSatisfying(End.Complete.class,
                        end -> assertThat(end.message().has("se_signature")).isEqualTo(signed));
                if (request.has("grammar")) {
                    assertThat(words(asked)).as("the model wrote the canary").contains(COMPLETION_CANARY);
                }
                if (request.has("response_format") || request.path("tool_choice").isTextual()) {
                    assertThat(words(asked)).as("the model wrote the prompt's canary").contains(PROMPT_CANARY);
                }
            }
        }
    }

    /** Returns all words of an answer of any form, joined. */
    private static String words(Asked asked) {
        var words = new StringBuilder();
        for (JsonNode event : asked.events()) {
            JsonNode choice = event.path("choices").path(0);
            for (JsonNode at : List.of(choice.path("delta").path("content"), choice.path("message").path("content"), choice.path("text"),
                    event.path("content").path(0).path("text"), event.path("delta").path("text"),
                    choice.path("delta").path("tool_calls").path(0).path("function").path("arguments"),
                    choice.path("message").path("tool_calls").path(0).path("function").path("arguments"))) {
                words.append(at.asText(""));
            }
        }
        return words.toString();
    }

    /** As a coordinator makes it of a request to the Responses API. */
    private static ObjectNode responses() {
        ObjectNode request = chat().put("instructions", "Be " + PROMPT_CANARY).put("store", true).put("previous_response_id", PROMPT_CANARY);
        request.putObject("metadata").put("of", PROMPT_CANARY);
        return request;
    }

    /** A body of some megabytes, of which little is asked. */
    private static ObjectNode large() {
        ObjectNode request = chat().put("user", (PROMPT_CANARY + " ").repeat(LARGE_BODY_WORDS));
        return request;
    }

    private static ObjectNode escaped() {
        ObjectNode request = settings(60);
        var escapes = new StringBuilder();
        PROMPT_CANARY.chars().forEach(letter -> escapes.append("\\u%04x".formatted(letter)));
        // Raw, so that the escapes are on the wire.
        request.putRawValue("messages", new com.fasterxml.jackson.databind.util.RawValue("[{\"role\":\"user\",\"content\":\"" + escapes + "\"}]"));
        return request;
    }

    private static ObjectNode completion() {
        return settings(60).put("prompt", "Once upon a " + PROMPT_CANARY).put("echo", true).put("endpoint", "/v1/completions");
    }

    private static ObjectNode message() {
        ObjectNode request = settings(60).put("system", "Be " + PROMPT_CANARY).put("endpoint", "/v1/messages");
        request.putArray("stop_sequences").add(PROMPT_CANARY + "-stop");
        request.putArray("messages").addObject().put("role", "user").put("content", "Repeat after me: " + PROMPT_CANARY);
        return request;
    }

    /** A schema that leaves the model one answer. */
    private static ObjectNode constrained() {
        ObjectNode request = chat();
        request.remove(List.of("grammar", "ignore_eos", "stop"));
        request.putObject("response_format").put("type", "json_schema").putObject("json_schema").put("name", "word").put("type", "json_schema")
                .putObject("schema").put("const", PROMPT_CANARY);
        return request;
    }

    /** Tools of which one has to be called, with the canary. */
    private static ObjectNode calls() {
        ObjectNode request = chat();
        request.remove(List.of("grammar", "ignore_eos", "stop"));
        addTool(request);
        return request.put("tool_choice", "required");
    }

    private static ObjectNode addTool(ObjectNode request) {
        ObjectNode function = request.putArray("tools").addObject().put("type", "function").putObject("function");
        function.put("name", "look_up").put("description", "Looks up " + PROMPT_CANARY);
        ObjectNode parameters = function.putObject("parameters").put("type", "object");
        parameters.putObject("properties").putObject("word").put("type", "string").putArray("enum").add(PROMPT_CANARY);
        parameters.putArray("required").add("word");
        return request;
    }

    /** A conversation with calls and results in it. */
    private static ObjectNode history() {
        ObjectNode request = addTool(AgentProcess.JSON.createObjectNode().put("model", "demo").put("max_tokens", 30));
        var turns = request.putArray("messages");
        turns.addObject().put("role", "user").put("content", "Look up " + PROMPT_CANARY);
        turns.addObject().put("role", "assistant").putNull("content").putArray("tool_calls").addObject().put("id", "c1").put("type", "function")
                .putObject("function").put("name", "look_up").put("arguments", "{\"word\":\"" + PROMPT_CANARY + "\"}");
        turns.addObject().put("role", "tool").put("tool_call_id", "c1").put("content", PROMPT_CANARY);
        return request;
    }

    /** The same by Anthropic's API. */
    private static ObjectNode messageHistory() {
        ObjectNode request = AgentProcess.JSON.createObjectNode().put("model", "demo").put("max_tokens", 30).put("endpoint", "/v1/messages");
        request.putArray("tools").addObject().put("name", "look_up").put("description", PROMPT_CANARY).putObject("input_schema").put("type", "object");
        var turns = request.putArray("messages");
        turns.addObject().put("role", "user").put("content", "Look up " + PROMPT_CANARY);
        var said = turns.addObject().put("role", "assistant").putArray("content");
        said.addObject().put("type", "thinking").put("thinking", PROMPT_CANARY).put("signature", "");
        said.addObject().put("type", "tool_use").put("id", "t1").put("name", "look_up").putObject("input").put("word", PROMPT_CANARY);
        turns.addObject().put("role", "user").putArray("content").addObject().put("type", "tool_result").put("tool_use_id", "t1")
                .put("content", PROMPT_CANARY);
        return request;
    }

    /** Requests that fail carry content too: their errors must not quote it, and nothing of them may stay. */
    private static void refuse(Node node) {
        var bodies = new ArrayList<String>();
        bodies.add("{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + PROMPT_CANARY); // broken off
        bodies.add("{\"model\":\"demo\",\"messages\":\"" + PROMPT_CANARY + "\"}");
        bodies.add("{\"model\":\"demo\",\"messages\":[{\"role\":\"" + PROMPT_CANARY + "\",\"content\":[{\"type\":\"" + PROMPT_CANARY + "\"}]}]}");
        bodies.add("{\"model\":\"demo\",\"endpoint\":\"/" + PROMPT_CANARY + "\",\"messages\":[]}");
        bodies.add("\"" + PROMPT_CANARY + "\"");
        bodies.add(chat().put("temperature", PROMPT_CANARY).toString());
        bodies.add(chat().put("temperature", -1).toString());
        bodies.add(chat().put("grammar", "root ::= " + PROMPT_CANARY).toString());
        bodies.add(message().put("max_tokens", PROMPT_CANARY).toString());
        bodies.add(completion().put("suffix", PROMPT_CANARY).toString());
        ObjectNode tooLong = chat();
        tooLong.putArray("messages").addObject().put("role", "user").put("content", (PROMPT_CANARY + " ").repeat(2_000));
        bodies.add(tooLong.toString());
        ObjectNode schema = chat();
        schema.remove("grammar");
        schema.putObject("response_format").put("type", "json_schema").putObject("json_schema").put("name", "n").putObject("schema")
                .put("$ref", "#/$defs/" + PROMPT_CANARY);
        bodies.add(schema.toString());
        for (int i = 0; i < bodies.size(); i++) {
            Asked asked = node.ask(bodies.get(i));
            assertThat(asked.awaitEnd()).as("body %d", i).isInstanceOf(End.Failed.class);
            assertRefused(asked);
        }

        String[] sealed = node.sealed(chat().put("temperature", -1).toString());
        assertRefused(node.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1]));
        assertThat(assertRefused(node.askSealed(UUID.randomUUID().toString(), sealed[0], sealed[1])).code()).as("sent once more")
                .isEqualTo("encryption_failure");
        String[] other = node.sealed(chat().toString());
        assertThat(assertRefused(node.askSealed(UUID.randomUUID().toString(), sealed[0], other[1])).code()).as("sealed by another key")
                .isEqualTo("encryption_failure");
        node.send("{\"type\":\"inference_request\",\"request_id\":\"in-the-clear\",\"body\":{\"model\":\"demo\"}}");
        assertThat(node.ask("used-twice", chat().toString(), Optional.empty()).awaitEnd()).isInstanceOf(End.Complete.class);
        assertRefused(node.ask("used-twice", chat().toString(), Optional.empty()));
    }

    private static End.Failed assertRefused(Asked asked) {
        assertThat(asked.awaitEnd()).isInstanceOf(End.Failed.class);
        var failed = (End.Failed) asked.awaitEnd();
        assertThat(SEARCH.inText(failed.message().toString())).as("the refusal").isEmpty();
        return failed;
    }
}
