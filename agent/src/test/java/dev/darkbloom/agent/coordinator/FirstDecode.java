package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.chat.CompletionsSettings;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.coordinator.WebSocketPeer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.time.Duration;
import java.util.Random;
import java.util.UUID;
import java.util.random.RandomGenerator;

/**
 * How long a request takes from the socket to the model: from the moment before its frame is written by a peer on loopback to the first
 * {@code llama_decode}, in a link with the engine, the chat room and the demo model behind it. Each prompt is of some thousand tokens and new from
 * its first word on, so that nothing of it is cached; one comes when the one before has been answered.
 */
final class FirstDecode {
    private static final int WORDS = 210;
    private static final int LETTERS = 26;

    /**
     * Times of each request, and what of them the template and the tokenizer took.
     *
     * @param beyondTokenize all but the tokenizer
     * @param toTemplate from the frame to the template: the socket, two threads, the box
     * @param toDecode from the sampler to the decode: the mailbox, the engine's thread, the batch
     * @param promptTokens of a prompt, on average
     */
    record Figure(Quantiles total, Quantiles tokenize, Quantiles template, Quantiles beyondTokenize, Quantiles toTemplate,
            Quantiles toDecode, long promptTokens) {}

    Figure measure(int warmups, int requests) throws Exception {
        Path folder = Files.createTempDirectory("darkbloom-bench");
        var models = new StampedModels(LoadedModels.backend());
        var settings = EngineSettings.defaults().withMinContextTokens(512);
        try (Engine engine = Engine.open(settings, models, new MemoryLedger(4L << 30), NanoClock.SYSTEM);
                WebSocketPeer peer = WebSocketPeer.open(); var node = new TestNode(folder)) {
            engine.register(LoadedModels.spec("demo", TestModels.demo(), 2048, 4), false);
            engine.load("demo");
            var completions = new Completions(engine, CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM);
            var parts = new CoordinatorLink.Parts(CoordinatorRoute.of(CoordinatorAddress.parse(peer.url()), Map.of(), Optional.empty()), node,
                    completions::relay, node.keys, Optional.empty(), Duration.ofSeconds(5), "benchmark");
            var link = LinkSettings.defaults("benchmark");
            try (var _ = CoordinatorLink.start(parts, link, LinkClocks.ofThisSystem(), RandomGenerator.getDefault());
                    BoxKeys consumer = BoxKeys.generate(); RequestBox box = consumer.boxWith(node.keys.publicKey())) {
                WebSocketPeer.Connection connection = peer.accept();
                var words = new Random(1);
                for (int i = 0; i < warmups; i++) {
                    ask(connection, consumer, box, words, models);
                }
                long tokensBefore = engine.models().getFirst().promptTokens();
                var times = new long[6][requests];
                for (int i = 0; i < requests; i++) {
                    long sent = ask(connection, consumer, box, words, models);
                    times[0][i] = models.decodeBegan - sent;
                    times[1][i] = models.tokenizeNanos;
                    times[2][i] = models.templateNanos;
                    times[4][i] = models.templateBegan - sent;
                    times[5][i] = models.decodeBegan - models.samplerMade;
                    times[3][i] = times[0][i] - times[1][i];
                }
                long tokens = (engine.models().getFirst().promptTokens() - tokensBefore) / requests;
                return new Figure(new Quantiles(times[0]), new Quantiles(times[1]), new Quantiles(times[2]), new Quantiles(times[3]),
                        new Quantiles(times[4]), new Quantiles(times[5]), tokens);
            }
        } finally {
            Files.deleteIfExists(folder.resolve("signing_key"));
            Files.delete(folder);
        }
    }

    /** Asks, waits for the end of the answer, and returns when the frame was on the way: what the peer does before is not ours. */
    private static long ask(WebSocketPeer.Connection connection, BoxKeys consumer, RequestBox box, Random words, StampedModels models) {
        String json = "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + prompt(words)
                + "\"}],\"max_tokens\":1,\"stream\":true,\"temperature\":0}";
        String id = UUID.randomUUID().toString();
        String frame = "{\"type\":\"inference_request\",\"request_id\":\"" + id + "\",\"encrypted_body\":{\"ephemeral_public_key\":\""
                + consumer.publicKey() + "\",\"ciphertext\":\"" + sealed(box, json) + "\"}}";
        models.reset();
        long sent = connection.sendNow(frame);
        while (true) {
            String message = connection.receive();
            if (message.contains("\"inference_error\"")) {
                throw new IllegalStateException(message);
            }
            if (message.contains("\"inference_complete\"")) {
                return sent;
            }
        }
    }

    private static String prompt(Random random) {
        var text = new StringBuilder();
        for (int i = 0; i < WORDS; i++) {
            for (int letters = 2 + random.nextInt(6); letters > 0; letters--) {
                text.append((char) ('a' + random.nextInt(LETTERS)));
            }
            text.append(' ');
        }
        return text.toString();
    }

    private static String sealed(RequestBox box, String json) {
        try (Content plain = OffHeap.body(json); Content sealed = Content.confined(1024); Content text = Content.confined(1024)) {
            box.seal(plain.buffer(), 0, plain.length(), sealed);
            Base64Text.encode(sealed.buffer(), 0, sealed.length(), text);
            return OffHeap.text(text);
        }
    }
}
