package dev.darkbloom.agent.testing.coordinator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * An agent's connection as {@link FakeCoordinator} sees it: takes its messages, checks them, and sends it what a test wants.
 *
 * <p>One thread reads; tests call from any.
 */
public final class Node {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int MOST_FRAME_BYTES = 10 << 20;
    private static final boolean VERBOSE = Boolean.getBoolean("darkbloom.test.frames");
    private static final int SHOWN_CHARS = 300;

    private final WebSocketPeer.Connection connection;
    private final Violations violations;
    private final MessageChecks checks;
    private final Challenges challenges;
    private final Consumer<Node> onRoutable;
    private final Consumer<Node> onRegistered;
    private final Map<String, Asked> asked = new ConcurrentHashMap<>();
    private final Map<String, Asked> finished = new ConcurrentHashMap<>();
    private final BlockingQueue<JsonNode> heartbeats = new LinkedBlockingQueue<>();
    private final BlockingQueue<JsonNode> others = new LinkedBlockingQueue<>();
    private final BlockingQueue<JsonNode> responses = new LinkedBlockingQueue<>();
    private volatile JsonNode registration;
    private volatile boolean isOver;
    private volatile boolean hasSpokenLater;
    private boolean drainTried; // of the reading thread
    private boolean routable; // of the reading thread

    /** {@code onRegistered} is told of each registration, {@code onRoutable} once, when the agent has answered its first challenge. */
    Node(WebSocketPeer.Connection connection, Violations violations, Consumer<Node> onRoutable, Consumer<Node> onRegistered) {
        this.onRegistered = onRegistered;
        this.connection = connection;
        this.violations = violations;
        this.onRoutable = onRoutable;
        checks = new MessageChecks(violations);
        challenges = new Challenges(violations);
    }

    public WebSocketPeer.Connection connection() {
        return connection;
    }

    /** Returns what was registered. */
    public JsonNode registration() {
        return registration;
    }

    /** Waits for the next report. */
    public JsonNode heartbeat() {
        return Waits.take(heartbeats, "no heartbeat came");
    }

    /** Waits for a report of which something holds. */
    public JsonNode heartbeat(Predicate<JsonNode> wanted) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(Waits.PATIENCE_SECONDS);
        while (System.nanoTime() < deadline) {
            JsonNode found = heartbeat();
            if (wanted.test(found)) {
                return found;
            }
        }
        throw new AssertionError("no such heartbeat came");
    }

    /** Waits for the next message of a kind that is none of registration, report, challenge and request. */
    public JsonNode other() {
        return Waits.take(others, "no other message came");
    }

    /** Waits for the next answer to a challenge. */
    public JsonNode challengeAnswer() {
        return Waits.take(responses, "no answer to a challenge came");
    }

    /** Sends a message as it is. One of the later protocol tells the agent that it may use that, too. */
    public void send(String json) {
        hasSpokenLater |= checks.isLater(json);
        connection.send(json);
    }

    /** Sends a message many times, all at once. */
    public void send(String json, int times) {
        hasSpokenLater |= checks.isLater(json);
        connection.sendPadded(0, json, times);
    }

    /** Challenges the agent. */
    public void challenge() {
        send(challenges.next());
    }

    /** Sends a request whose body is {@code json}. */
    public Asked ask(String json) {
        return ask(UUID.randomUUID().toString(), json, Optional.empty());
    }

    /** Sends a request whose consumer reads nothing until {@link Asked#readOn}. */
    public Asked askStalled(String json) {
        Asked one = expect(UUID.randomUUID().toString());
        one.stall();
        sendRequest(one.id(), "", one.publicKey(), one.seal(json));
        return one;
    }

    /** Sends a request by an id of the test's choice, with members that the envelope has besides. */
    public Asked ask(String id, String json, Optional<String> members) {
        Asked one = expect(id);
        sendRequest(id, members.map(more -> "," + more).orElse(""), one.publicKey(), one.seal(json));
        return one;
    }

    /** Sends a request whose payload is as given. */
    public Asked askSealed(String id, String publicKey, String ciphertext) {
        Asked one = expect(id);
        sendRequest(id, "", publicKey, ciphertext);
        return one;
    }

    /** Returns the key by which a payload for this agent is sealed, and the payload. */
    public String[] sealed(String json) {
        try (BoxKeys keys = BoxKeys.generate(); RequestBox box = keys.boxWith(registration.path("public_key").asText())) {
            return new String[] {keys.publicKey(), SealedText.seal(box, json)};
        }
    }

    private Asked expect(String id) {
        var one = new Asked(id, BoxKeys.generate(), registration.path("public_key").asText());
        asked.put(id, one);
        if (isOver) { // whoever reads has looked through them already
            one.end(new End.Lost());
        }
        return one;
    }

    private void sendRequest(String id, String members, String publicKey, String ciphertext) {
        send("{\"type\":\"inference_request\",\"request_id\":\"" + id + "\"" + members + ",\"encrypted_body\":{\"ephemeral_public_key\":\""
                + publicKey + "\",\"ciphertext\":\"" + ciphertext + "\"}}");
    }

    public void cancel(String id) {
        send("{\"type\":\"cancel\",\"request_id\":\"" + id + "\"}");
    }

    /** Forgets a request and tells the agent, as when a consumer goes away. */
    public void abandon(Asked one) {
        asked.remove(one.id());
        cancel(one.id());
        one.close();
    }

    /** Takes what comes until the connection is over. */
    void read() {
        while (true) {
            Optional<String> text = connection.receive(100);
            if (text.isPresent()) {
                try {
                    take(text.get());
                } catch (Exception | AssertionError e) {
                    violations.add("a message that is not understood: " + e);
                }
            } else if (!connection.isOpen() && connection.receive(0).isEmpty()) {
                isOver = true;
                asked.values().forEach(one -> one.end(new End.Lost()));
                asked.clear();
                return;
            }
        }
    }

    private void take(String text) throws Exception {
        if (VERBOSE) {
            System.err.println("<- " + text.substring(0, Math.min(SHOWN_CHARS, text.length())));
        }
        if (text.length() > MOST_FRAME_BYTES) {
            violations.add("a frame of " + text.length() + " bytes");
            connection.close(1009, "read limited at 10485761 bytes");
            return;
        }
        JsonNode message = JSON.readTree(text);
        String type = message.path("type").asText();
        if (registration == null && !type.equals("register")) {
            violations.add(type + " before register");
            return;
        }
        switch (type) {
            case "register" -> register(message, text);
            case "heartbeat" -> {
                checks.heartbeat(message);
                heartbeats.add(message);
            }
            case "attestation_response" -> answered(message);
            case "inference_accepted" -> request(message).ifPresent(this::accepted);
            case "inference_response_chunk" -> chunk(message);
            case "inference_complete" -> request(message).ifPresent(one -> {
                requireAccepted(one, message);
                finish(one, complete(message));
            });
            case "inference_error" -> request(message).ifPresent(one -> finish(one, failed(message)));
            default -> {
                other(type);
                others.add(message);
            }
        }
    }

    private void register(JsonNode message, String text) throws Exception {
        if (registration != null) {
            violations.add("registered twice on one connection");
        }
        registration = message;
        checks.registration(message, text);
        onRegistered.accept(this);
        challenge();
    }

    private void answered(JsonNode message) throws Exception {
        if (!challenges.check(message, registration)) {
            return;
        }
        responses.add(message);
        if (!routable) {
            routable = true;
            onRoutable.accept(this);
        }
    }

    private void accepted(Asked one) {
        if (one.isAccepted()) {
            violations.add("inference_accepted twice");
        }
        one.accept();
    }

    /** What a coordinator of April 2026 cannot read is sent only to one that has shown that it is newer (provider protocol, 4.8). */
    private void other(String type) {
        if (!checks.isLaterOfAgents(type)) {
            violations.add(type + " is no message");
        } else if (type.equals("provider_drain") && !drainTried) {
            drainTried = true; // may be tried once
        } else if (!hasSpokenLater) {
            violations.add(type + " to a coordinator that has sent nothing of the later protocol");
        }
    }

    private void requireAccepted(Asked one, JsonNode message) {
        if (!one.isAccepted()) {
            violations.add(message.path("type").asText() + " before inference_accepted");
        }
    }

    private void chunk(JsonNode message) {
        Optional<Asked> found = request(message);
        if (message.has("data") && !message.path("data").asText().isEmpty()) {
            violations.add("a chunk in the clear");
        }
        JsonNode payload = message.path("encrypted_data");
        if (!payload.path("ephemeral_public_key").asText().equals(registration.path("public_key").asText())) {
            violations.add("a chunk under another key");
        }
        found.ifPresent(one -> {
            requireAccepted(one, message);
            String plain = one.take(payload.path("ciphertext").asText()).orElse("");
            if (plain.endsWith("\n") || plain.contains("[DONE]")) {
                violations.add("a chunk with line ends or [DONE]");
            }
        });
    }

    private End complete(JsonNode message) {
        JsonNode usage = message.path("usage");
        violations.requireInteger(usage, "prompt_tokens");
        violations.requireInteger(usage, "completion_tokens");
        return new End.Complete(usage.path("prompt_tokens").asLong(), usage.path("completion_tokens").asLong(), message);
    }

    private End failed(JsonNode message) {
        violations.requireInteger(message, "status_code");
        return new End.Failed(message.path("status_code").asInt(), message.path("error").asText(), message.path("failure_code").asText(),
                message.path("error_reason").asText(), message);
    }

    /** A message for an id that is finished or was never asked is no violation only after a cancel, which forgets it. */
    private Optional<Asked> request(JsonNode message) {
        String id = message.path("request_id").asText();
        Asked one = asked.get(id);
        if (one == null && finished.containsKey(id)) {
            violations.add(message.path("type").asText() + " after the end of " + id);
        }
        return Optional.ofNullable(one);
    }

    private void finish(Asked one, End how) {
        asked.remove(one.id());
        finished.put(one.id(), one);
        one.end(how);
        cancel(one.id()); // as the real one does after every request
    }
}
