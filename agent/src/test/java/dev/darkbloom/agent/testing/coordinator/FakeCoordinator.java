package dev.darkbloom.agent.testing.coordinator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.RequestBox;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A coordinator of April 2026 on loopback, as the protocol's page describes it: it refuses what the real one refuses, writes down everything that
 * an agent must not do ({@link #violations}), and breaks in every way a test asks for.
 *
 * <p>It reads JSON by itself and not by the agent's own codec.
 */
public final class FakeCoordinator implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int MOST_FRAME_BYTES = 10 << 20;
    private static final long PATIENCE_SECONDS = 20;

    private WebSocketPeer peer;
    private final List<String> violations = new CopyOnWriteArrayList<>();
    private final BlockingQueue<Node> nodes = new LinkedBlockingQueue<>();
    private final boolean verbose;
    private volatile boolean closed;

    private FakeCoordinator(WebSocketPeer peer) {
        this.peer = peer;
        verbose = Boolean.getBoolean("darkbloom.test.frames");
        acceptFrom(peer);
    }

    /** Opens one on a free port. */
    public static FakeCoordinator open() {
        return new FakeCoordinator(WebSocketPeer.open());
    }

    private void acceptFrom(WebSocketPeer server) {
        Thread.ofVirtual().name("fake-coordinator").start(() -> {
            while (!closed) {
                server.accept(200).ifPresent(connection -> {
                    var node = new Node(connection);
                    Thread.ofVirtual().name("fake-coordinator-connection").start(node::read);
                });
            }
        });
    }

    /** Returns the address as an agent is told it. */
    public String url() {
        return peer.url();
    }

    public WebSocketPeer peer() {
        return peer;
    }

    /** Ends like a process that is killed, and begins again at the same port. */
    public void restart() {
        int port = peer.port();
        peer.close();
        peer = WebSocketPeer.openAt(port);
        acceptFrom(peer);
    }

    /** Returns what agents have done that no coordinator accepts. */
    public List<String> violations() {
        return List.copyOf(violations);
    }

    /** Waits for an agent that has registered and answered its first challenge. */
    public Node awaitNode() {
        Node node = poll(nodes, "no agent became routable");
        return node;
    }

    /** Returns the next agent if one becomes routable within {@code millis}. */
    public Optional<Node> awaitNode(long millis) {
        try {
            return Optional.ofNullable(nodes.poll(millis, TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static <T> T poll(BlockingQueue<T> queue, String otherwise) {
        try {
            T found = queue.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (found == null) {
                throw new AssertionError(otherwise + " within " + PATIENCE_SECONDS + " s");
            }
            return found;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        closed = true;
        peer.close();
    }

    /** How a request ended. */
    public sealed interface End {
        /** Whole. */
        record Complete(long promptTokens, long completionTokens, JsonNode message) implements End {}

        /** Failed. */
        record Failed(int status, String error, String code, String reason, JsonNode message) implements End {}

        /** The connection broke before. */
        record Lost() implements End {}
    }

    /** A request that was sent. */
    public static final class Asked {
        private final String id;
        private final BoxKeys keys;
        private final RequestBox box;
        private final List<String> chunks = new CopyOnWriteArrayList<>();
        private final List<Long> times = new CopyOnWriteArrayList<>();
        private final CountDownLatch ended = new CountDownLatch(1);
        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch accepted = new CountDownLatch(1);
        private volatile End end;

        private Asked(String id, BoxKeys keys, RequestBox box) {
            this.id = id;
            this.keys = keys;
            this.box = box;
        }

        public String id() {
            return id;
        }

        /** Returns the chunks so far, opened. */
        public List<String> chunks() {
            return List.copyOf(chunks);
        }

        /** Returns when each came, by {@link System#nanoTime}. */
        public List<Long> times() {
            return List.copyOf(times);
        }

        /** Waits for the end. */
        public End awaitEnd() {
            await(ended, "the request has not ended");
            return end;
        }

        /** Waits for the first chunk. */
        public void awaitChunk() {
            await(begun, "no chunk came");
        }

        /** Waits for the acceptance. */
        public void awaitAccepted() {
            await(accepted, "the request was not accepted");
        }

        public boolean hasEnded() {
            return end != null;
        }

        /** Returns the chunks' JSON, without what marks them as data. */
        public List<JsonNode> events() {
            return chunks.stream().map(chunk -> {
                int data = chunk.startsWith("event: ") ? chunk.indexOf('\n') + 1 : 0;
                assertPrefix(chunk, data);
                return parse(chunk.substring(data + "data: ".length()));
            }).toList();
        }

        private static void assertPrefix(String chunk, int at) {
            if (!chunk.startsWith("data: ", at)) {
                throw new AssertionError("a chunk that is no data line: " + chunk);
            }
        }

        /** Returns what the deltas of a streamed chat say, joined. */
        public String text() {
            var text = new StringBuilder();
            for (JsonNode event : events()) {
                text.append(event.path("choices").path(0).path("delta").path("content").asText(""));
            }
            return text.toString();
        }

        private static void await(CountDownLatch latch, String otherwise) {
            try {
                if (!latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    throw new AssertionError(otherwise + " within " + PATIENCE_SECONDS + " s");
                }
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        private void end(End how) {
            end = how;
            box.close();
            keys.close();
            ended.countDown();
            begun.countDown();
            accepted.countDown();
        }
    }

    private static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (java.io.IOException e) {
            throw new AssertionError("no JSON: " + json, e);
        }
    }

    /** An agent's connection. */
    public final class Node {
        private final WebSocketPeer.Connection connection;
        private final Map<String, Asked> asked = new ConcurrentHashMap<>();
        private final Map<String, Asked> finished = new ConcurrentHashMap<>();
        private final Map<String, String> challenges = new ConcurrentHashMap<>();
        private final BlockingQueue<JsonNode> heartbeats = new LinkedBlockingQueue<>();
        private final BlockingQueue<JsonNode> others = new LinkedBlockingQueue<>();
        private final BlockingQueue<JsonNode> responses = new LinkedBlockingQueue<>();
        private volatile JsonNode registration;
        private volatile boolean routable;

        private Node(WebSocketPeer.Connection connection) {
            this.connection = connection;
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
            return poll(heartbeats, "no heartbeat came");
        }

        /** Waits for a report of which something holds. */
        public JsonNode heartbeat(Predicate<JsonNode> wanted) {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
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
            return poll(others, "no other message came");
        }

        /** Waits for the next answer to a challenge, which was found right. */
        public JsonNode challengeAnswer() {
            return poll(responses, "no answer to a challenge came");
        }

        /** Sends a message as it is. */
        public void send(String json) {
            connection.send(json);
        }

        /** Challenges the agent. */
        public void challenge() {
            var random = new byte[32];
            new java.util.Random().nextBytes(random);
            String nonce = Base64.getEncoder().encodeToString(random);
            String timestamp = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
            challenges.put(nonce, timestamp);
            send(JsonNodeFactory.instance.objectNode().put("type", "attestation_challenge").put("nonce", nonce).put("timestamp", timestamp).toString());
        }

        /** Sends a request whose body is {@code json}. */
        public Asked ask(String json) {
            return ask(UUID.randomUUID().toString(), json, Optional.empty());
        }

        /** Sends a request by an id of the test's choice, with members that the envelope has besides. */
        public Asked ask(String id, String json, Optional<String> members) {
            BoxKeys keys = BoxKeys.generate();
            RequestBox box = keys.boxWith(registration.path("public_key").asText());
            var one = new Asked(id, keys, box);
            asked.put(id, one);
            send("{\"type\":\"inference_request\",\"request_id\":\"" + id + "\"" + members.map(more -> "," + more).orElse("")
                    + ",\"encrypted_body\":{\"ephemeral_public_key\":\"" + keys.publicKey() + "\",\"ciphertext\":\"" + seal(box, json) + "\"}}");
            return one;
        }

        /** Sends a request whose payload is as given. */
        public Asked askSealed(String id, String publicKey, String ciphertext) {
            BoxKeys keys = BoxKeys.generate();
            var one = new Asked(id, keys, keys.boxWith(registration.path("public_key").asText()));
            asked.put(id, one);
            send("{\"type\":\"inference_request\",\"request_id\":\"" + id + "\",\"encrypted_body\":{\"ephemeral_public_key\":\"" + publicKey
                    + "\",\"ciphertext\":\"" + ciphertext + "\"}}");
            return one;
        }

        /** Returns a payload for this agent and the key that it is sealed by. */
        public String[] sealed(String json) {
            try (BoxKeys keys = BoxKeys.generate(); RequestBox box = keys.boxWith(registration.path("public_key").asText())) {
                return new String[] {keys.publicKey(), seal(box, json)};
            }
        }

        public void cancel(String id) {
            send("{\"type\":\"cancel\",\"request_id\":\"" + id + "\"}");
        }

        private void read() {
            while (true) {
                Optional<String> text = connection.receive(100);
                if (text.isPresent()) {
                    try {
                        take(text.get());
                    } catch (Exception | AssertionError e) {
                        violations.add("a message that is not understood: " + e);
                    }
                } else if (!connection.isOpen() && connection.receive(0).isEmpty()) {
                    asked.values().forEach(one -> one.end(new End.Lost()));
                    asked.clear();
                    return;
                }
            }
        }

        private void take(String text) throws Exception {
            if (verbose) {
                System.err.println("<- " + text.substring(0, Math.min(300, text.length())));
            }
            if (text.length() > MOST_FRAME_BYTES) {
                violations.add("a frame of " + text.length() + " bytes");
                connection.close(1009, "read limited at 10485761 bytes");
                return;
            }
            JsonNode message = parse(text);
            String type = message.path("type").asText();
            if (registration == null && !type.equals("register")) {
                violations.add(type + " before register");
                return;
            }
            switch (type) {
                case "register" -> register(message, text);
                case "heartbeat" -> {
                    checkHeartbeat(message);
                    heartbeats.add(message);
                }
                case "attestation_response" -> checkAnswer(message);
                case "inference_accepted" -> request(message).ifPresent(one -> one.accepted.countDown());
                case "inference_response_chunk" -> chunk(message);
                case "inference_complete" -> request(message).ifPresent(one -> {
                    JsonNode usage = message.path("usage");
                    requireInteger(usage, "prompt_tokens");
                    requireInteger(usage, "completion_tokens");
                    finish(one, new End.Complete(usage.path("prompt_tokens").asLong(), usage.path("completion_tokens").asLong(), message));
                });
                case "inference_error" -> request(message).ifPresent(one -> {
                    requireInteger(message, "status_code");
                    finish(one, new End.Failed(message.path("status_code").asInt(), message.path("error").asText(),
                            message.path("failure_code").asText(), message.path("error_reason").asText(), message));
                });
                default -> others.add(message);
            }
        }

        private void register(JsonNode message, String text) throws Exception {
            if (registration != null) {
                violations.add("registered twice on one connection");
            }
            registration = message;
            JsonNode hardware = message.path("hardware");
            requireInteger(hardware, "memory_gb");
            requireInteger(hardware, "gpu_cores");
            for (String kind : List.of("total", "performance", "efficiency")) {
                requireInteger(hardware.path("cpu_cores"), kind);
            }
            message.path("models").forEach(model -> {
                requireInteger(model, "size_bytes");
                requireText(model, "id");
            });
            requireText(message, "backend");
            if (Base64.getDecoder().decode(message.path("public_key").asText()).length != 32) {
                violations.add("public_key is not 32 bytes");
            }
            if (!message.path("encrypted_response_chunks").asBoolean()) {
                violations.add("chunks are not promised to be encrypted");
            }
            checkAttestation(message, text);
            challenge();
        }

        /** As the real one: over the raw bytes of the inner object, which are cut out of the frame. */
        private void checkAttestation(JsonNode message, String text) throws Exception {
            JsonNode inner = message.path("attestation").path("attestation");
            if (inner.isMissingNode()) {
                return;
            }
            String raw = JSON.writeValueAsString(inner);
            int at = text.indexOf(raw);
            if (at < 0) {
                violations.add("the attestation is not canonical JSON");
                return;
            }
            if (!verify(inner.path("publicKey").asText(), raw, message.path("attestation").path("signature").asText())) {
                violations.add("the attestation's signature is wrong");
            }
            if (!inner.path("encryptionPublicKey").asText().equals(message.path("public_key").asText())) {
                violations.add("the attestation is for another key");
            }
        }

        private void checkAnswer(JsonNode message) throws Exception {
            String nonce = message.path("nonce").asText();
            String timestamp = challenges.remove(nonce);
            if (timestamp == null) {
                violations.add("an answer to no challenge");
                return;
            }
            String key = registration.path("attestation").path("attestation").path("publicKey").asText();
            if (!message.path("public_key").asText().equals(registration.path("public_key").asText())) {
                violations.add("a challenge was answered for another key");
            }
            if (!key.isEmpty() && !verify(key, nonce + timestamp, message.path("signature").asText())) {
                violations.add("the signature of a challenge's answer is wrong");
            }
            var status = new java.util.TreeMap<String, Object>();
            for (String name : List.of("active_model_hash", "binary_hash", "hypervisor_active", "model_hashes", "python_hash", "rdma_disabled",
                    "runtime_hash", "secure_boot_enabled", "sip_enabled", "template_hashes")) {
                if (message.has(name)) {
                    status.put(name, message.get(name));
                }
            }
            status.put("nonce", nonce);
            status.put("timestamp", timestamp);
            if (!key.isEmpty() && !verify(key, JSON.writeValueAsString(status), message.path("status_signature").asText())) {
                violations.add("the status signature is wrong");
            }
            responses.add(message);
            if (!routable) {
                routable = true;
                nodes.add(this);
            }
        }

        private void checkHeartbeat(JsonNode message) {
            JsonNode metrics = message.path("system_metrics");
            for (String name : List.of("memory_pressure", "cpu_usage")) {
                double value = metrics.path(name).asDouble(-1);
                if (value < 0 || value > 1) {
                    violations.add(name + " is " + metrics.path(name));
                }
            }
            requireInteger(message.path("stats"), "requests_served");
            requireInteger(message.path("stats"), "tokens_generated");
            message.path("backend_capacity").path("slots").forEach(slot -> {
                for (String name : List.of("num_running", "num_waiting", "active_tokens", "max_tokens_potential")) {
                    requireInteger(slot, name);
                }
            });
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
                String plain = openText(one.box, payload.path("ciphertext").asText());
                if (plain.endsWith("\n") || plain.contains("[DONE]")) {
                    violations.add("a chunk with line ends or [DONE]");
                }
                one.chunks.add(plain);
                one.times.add(System.nanoTime());
                one.begun.countDown();
            });
        }

        /** A message for an id that is finished or was never asked is no violation only after a cancel, which forgets it. */
        private Optional<Asked> request(JsonNode message) {
            String id = message.path("request_id").asText();
            Asked one = asked.get(id);
            if (one == null) {
                if (finished.containsKey(id)) {
                    violations.add(message.path("type").asText() + " after the end of " + id);
                }
                return Optional.empty();
            }
            return Optional.of(one);
        }

        private void finish(Asked one, End how) {
            asked.remove(one.id);
            finished.put(one.id, one);
            one.end(how);
            cancel(one.id); // as the real one does after every request
        }

        /** Forgets a request and tells the agent, as when a consumer goes away. */
        public void abandon(Asked one) {
            asked.remove(one.id);
            cancel(one.id);
        }

        private void requireInteger(JsonNode object, String name) {
            if (!object.path(name).isIntegralNumber()) {
                violations.add(name + " is no integer: " + object.path(name));
            }
        }

        private void requireText(JsonNode object, String name) {
            if (!object.path(name).isTextual()) {
                violations.add(name + " is no text: " + object.path(name));
            }
        }
    }

    private static boolean verify(String point, String statement, String signature) throws Exception {
        byte[] raw = Base64.getDecoder().decode(point);
        var parameters = AlgorithmParameters.getInstance("EC");
        parameters.init(new ECGenParameterSpec("secp256r1"));
        var at = new ECPoint(new BigInteger(1, Arrays.copyOfRange(raw, raw.length - 64, raw.length - 32)),
                new BigInteger(1, Arrays.copyOfRange(raw, raw.length - 32, raw.length)));
        var key = KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(at, parameters.getParameterSpec(ECParameterSpec.class)));
        var check = Signature.getInstance("SHA256withECDSA");
        check.initVerify(key);
        check.update(statement.getBytes(StandardCharsets.UTF_8));
        return check.verify(Base64.getDecoder().decode(signature));
    }

    private static String seal(RequestBox box, String json) {
        byte[] utf8 = json.getBytes(StandardCharsets.UTF_8);
        try (Content plain = Content.confined(utf8.length); Content sealed = Content.confined(utf8.length + 64);
                Content text = Content.confined(utf8.length * 2L)) {
            plain.append(MemorySegment.ofArray(utf8));
            box.seal(plain.buffer(), 0, plain.length(), sealed);
            Base64Text.encode(sealed.buffer(), 0, sealed.length(), text);
            return new String(text.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
        }
    }

    private static String openText(RequestBox box, String ciphertext) {
        byte[] ascii = ciphertext.getBytes(StandardCharsets.US_ASCII);
        try (Content plain = Content.confined(ascii.length); Content text = Content.confined(ascii.length)) {
            text.append(MemorySegment.ofArray(ascii));
            box.openText(text.buffer(), 0, text.length(), plain);
            return new String(plain.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        }
    }
}
