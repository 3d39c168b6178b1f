package dev.darkbloom.agent.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.testing.ByteSearch;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * A person's words must not be found by whoever owns the machine: not on the Java heap while a request runs or after it, not in a log or
 * any other file, and after the request not in the process's memory either.
 *
 * <p>One canary goes in with the prompt. The other comes out of the model: a grammar makes it write the canary letter by letter, so that
 * it stands in no input. That each search can find something is shown first.
 */
@Tag("model")
@Tag("slow")
@EnabledOnOs(OS.LINUX) // the process's own memory is read through /proc
class CanaryTest {
    private static final String PROMPT_CANARY = "zirkonquappe-" + Long.toHexString(0x5eed_cafeL);
    /** With a letter of two bytes: the demo model's tokens of one byte have the byte's number, so that ids of ASCII would look like UTF-32. */
    private static final String COMPLETION_CANARY = "vogelwicke-schläft";
    /** So little that the system's buffers are full soon: what is not read then waits in the agent. */
    private static final int RECEIVE_BYTES = 8192;
    /** Words in each of two texts of 1.9 MB that their reader leaves where they are. */
    private static final int HELD_WORDS = 87_000;
    private static final ByteSearch SEARCH = new ByteSearch(PROMPT_CANARY, COMPLETION_CANARY);

    @TempDir
    Path folder;

    /** A request that writes for longer than the test needs. */
    private static String longRequest(boolean stream) {
        ObjectNode request = AgentProcess.JSON.createObjectNode();
        request.put("model", "demo").put("stream", stream).put("n", 4).put("max_tokens", 1500).put("ignore_eos", true).put("temperature", 1.0);
        request.put("logprobs", true).put("top_logprobs", 20).put("seed", 7);
        request.put("grammar", grammar() + "\nignored ::= \"" + PROMPT_CANARY + "\"");
        request.putArray("stop").add(PROMPT_CANARY + "-stop");
        request.putArray("messages").addObject().put("role", "user").put("content", "Repeat after me: " + PROMPT_CANARY);
        return request.toString();
    }

    /** A prompt near the limit of a body; the text of two is more than what the system buffers for a socket. */
    private static String longPrompt() {
        ObjectNode request = AgentProcess.JSON.createObjectNode().put("model", "demo");
        request.putArray("messages").addObject().put("role", "user").put("content", (PROMPT_CANARY + " ").repeat(HELD_WORDS));
        return request.toString();
    }

    private static String grammar() {
        var rules = new StringBuilder("root ::= (");
        for (char letter : COMPLETION_CANARY.toCharArray()) {
            rules.append('"').append(letter).append("\" ");
        }
        return rules.append("\" \")+").toString();
    }

    @Test
    void noWordOfARequestIsOnTheHeapInAFileOrAfterwardsInMemory() throws Exception {
        Map<String, List<String>> inHeapDuring;
        Map<String, List<String>> inHeapAfter;
        ByteSearch.Memory inMemoryDuring;
        ByteSearch.Memory inMemoryAfter;
        try (var agent = AgentProcess.start(folder, List.of("-v"), "--model", "demo", "--threads", "1", "--parallel", "8")) {
            try (var streaming = new Socket(); var writing = new Socket(); var waiting = new Socket()) {
                // A stream's words leave token by token; a document has them whole, first while it grows and then while it waits for its reader.
                waiting.setReceiveBufferSize(RECEIVE_BYTES);
                waiting.connect(address(agent));
                post(waiting, agent, "keep-alive", "/apply-template", longPrompt());
                post(waiting, agent, "close", "/apply-template", longPrompt());
                send(writing, agent, "/v1/chat/completions", longRequest(false));
                BufferedReader reader = send(streaming, agent, "/v1/chat/completions", longRequest(true));
                readUntilTheModelWroteTheCanary(reader);

                inHeapDuring = HeapDump.search(agent.pid(), folder.resolve("during.hprof"), SEARCH);
                inMemoryDuring = SEARCH.inProcess(agent.pid());
                // All three are left unread: what a reader who has gone did not take must be gone as well.
            }
            askChat(agent);
            askMessages(agent);
            keepAndForget(agent);
            refuseWithContent(agent);
            Awaitility.await().until(() -> agent.metric("darkbloom_slots_busy") == 0);

            inHeapAfter = HeapDump.search(agent.pid(), folder.resolve("after.hprof"), SEARCH);
            inMemoryAfter = SEARCH.inProcess(agent.pid());
        }

        assertThat(inMemoryDuring.found()).as("the search finds what is there while the request runs").containsKeys(PROMPT_CANARY, COMPLETION_CANARY);
        assertThat(inMemoryDuring.found().get(PROMPT_CANARY)).as("a document waits for its reader").hasSizeGreaterThan(HELD_WORDS / 100);
        assertThat(inHeapDuring).as("heap while the request runs").isEmpty();
        assertThat(inHeapAfter).as("heap after the request").isEmpty();
        assertThat(inMemoryAfter.found()).as("the process's memory after the request").isEmpty();
        assertThat(inMemoryAfter.unread()).as("what nobody can read is the kernel's").allMatch(page -> page.contains(" of [v"));
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(SEARCH.inFile(file)).as("file %s", folder.relativize(file)).isEmpty();
            }
        }
        assertThat(Files.readString(folder.resolve("output.txt"))).as("the log was written, at its most talkative").contains("DEBUG");
    }

    /** A response that is kept, its events perhaps as well, is content at rest; deleted, or not to be stored, it is gone. */
    private static void keepAndForget(AgentProcess agent) throws IOException, InterruptedException {
        for (boolean stored : new boolean[] {true, false}) {
            String body = "{\"model\":\"demo\",\"max_output_tokens\":4,\"store\":" + stored + ",\"input\":\"Say " + PROMPT_CANARY + "\"}";
            String id = AgentProcess.JSON.readTree(agent.post("responses", body).body()).path("id").textValue();
            assertThat(delete(agent, id)).isEqualTo(stored ? 200 : 404);
        }
        String body = "{\"model\":\"demo\",\"max_output_tokens\":4,\"background\":true,\"stream\":true,\"input\":\"Hello\","
                + "\"instructions\":\"Say " + PROMPT_CANARY + "\"}";
        String first = agent.stream("responses", body).getFirst();
        String id = AgentProcess.JSON.readTree(first).path("response").path("id").textValue();
        assertThat(agent.get("responses/" + id + "?stream=true").body()).as("the events, read again").contains(PROMPT_CANARY);
        assertThat(delete(agent, id)).isEqualTo(200);
    }

    private static int delete(AgentProcess agent, String id) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest delete = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + agent.port() + "/v1/responses/" + id)).DELETE()
                    .header("Authorization", "Bearer " + agent.key()).build();
            return client.send(delete, BodyHandlers.discarding()).statusCode();
        }
    }

    /** A chat that is read to its end, as a document and as a stream. */
    private static void askChat(AgentProcess agent) throws IOException, InterruptedException {
        ObjectNode request = AgentProcess.JSON.createObjectNode();
        request.put("model", "demo").put("max_tokens", 60).put("ignore_eos", true).put("grammar", grammar());
        request.putArray("messages").addObject().put("role", "user").put("content", "Repeat after me: " + PROMPT_CANARY);
        String document = agent.ask("chat/completions", request.toString()).path("choices").path(0).path("message").path("content").asText();
        assertThat(document).as("the model wrote the canary").contains(COMPLETION_CANARY);
        var streamed = new StringBuilder();
        for (String event : agent.stream("chat/completions", request.put("stream", true).toString())) {
            streamed.append(event.equals("[DONE]") ? ""
                    : AgentProcess.JSON.readTree(event).path("choices").path(0).path("delta").path("content").asText(""));
        }
        assertThat(streamed.toString()).contains(COMPLETION_CANARY);
    }

    /** The same by Anthropic's API, whose requests are rewritten on their way: as a document and as a stream, with words in every place. */
    private static void askMessages(AgentProcess agent) throws IOException, InterruptedException {
        for (boolean stream : new boolean[] {false, true}) {
            ObjectNode request = AgentProcess.JSON.createObjectNode();
            request.put("model", "demo").put("stream", stream).put("max_tokens", 60).put("ignore_eos", true).put("system", "Be " + PROMPT_CANARY);
            request.putArray("stop_sequences").add(PROMPT_CANARY + "-stop");
            request.putArray("messages").addObject().put("role", "user").put("content", "Repeat after me: " + PROMPT_CANARY);
            request.put("grammar", grammar());
            assertThat(texts(agent.post("messages", request.toString()).body())).as("the model wrote the canary").contains(COMPLETION_CANARY);

            request.remove("grammar");
            request.putArray("tools").addObject().put("name", "look_up").put("description", PROMPT_CANARY).putObject("input_schema").put("type", "object");
            var turns = request.putArray("messages");
            turns.addObject().put("role", "user").put("content", "Look up " + PROMPT_CANARY);
            var said = turns.addObject().put("role", "assistant").putArray("content");
            said.addObject().put("type", "thinking").put("thinking", PROMPT_CANARY).put("signature", "");
            said.addObject().put("type", "tool_use").put("id", "t1").put("name", "look_up").putObject("input").put("word", PROMPT_CANARY);
            turns.addObject().put("role", "user").putArray("content").addObject().put("type", "tool_result").put("tool_use_id", "t1")
                    .put("content", PROMPT_CANARY);
            assertThat(agent.post("messages", request.toString()).statusCode()).isEqualTo(200);
            assertThat(agent.ask("messages/count_tokens", request.toString()).path("input_tokens").intValue()).isPositive();
            request.put("temperature", -1);
            assertThat(agent.post("messages", request.toString()).body()).contains("temperature").doesNotContain(PROMPT_CANARY);
        }
    }

    private static String texts(String answer) {
        return Pattern.compile("\"text\":\"([^\"]*)\"").matcher(answer).results().map(match -> match.group(1)).collect(Collectors.joining());
    }

    /** Requests that fail carry content too: their errors must not quote it. */
    private static void refuseWithContent(AgentProcess agent) throws IOException, InterruptedException {
        for (String body : List.of(
                "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + PROMPT_CANARY + "\"}],\"grammar\":\"root ::= " + PROMPT_CANARY + "\"}",
                "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + PROMPT_CANARY + "\"}],\"temperature\":-1}",
                "{\"model\":\"demo\",\"messages\":\"" + PROMPT_CANARY + "\"}",
                "{\"model\":\"demo\",\"prompt\":\"" + PROMPT_CANARY,
                "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + PROMPT_CANARY.repeat(400) + "\"}]}")) {
            assertThat(agent.post("chat/completions", body).body()).doesNotContain(PROMPT_CANARY);
        }
    }

    private static InetSocketAddress address(AgentProcess agent) {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), agent.port());
    }

    private static BufferedReader send(Socket socket, AgentProcess agent, String path, String body) throws IOException {
        socket.connect(address(agent));
        post(socket, agent, "close", path, body);
        return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8), 1 << 12);
    }

    private static void post(Socket socket, AgentProcess agent, String connection, String path, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        String head = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + agent.port() + "\r\nAuthorization: Bearer " + agent.key()
                + "\r\nContent-Type: application/json\r\nConnection: " + connection + "\r\nContent-Length: " + bytes.length + "\r\n\r\n";
        socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
        socket.getOutputStream().write(bytes);
    }

    private static void readUntilTheModelWroteTheCanary(BufferedReader reader) throws IOException {
        int events = 0;
        String line = reader.readLine();
        assertThat(line).contains("200");
        while (events < 4 * (COMPLETION_CANARY.length() + 8)) {
            line = reader.readLine();
            assertThat(line).as("the stream goes on").isNotNull();
            if (line.startsWith("data: ")) {
                events++;
            }
        }
    }
}
