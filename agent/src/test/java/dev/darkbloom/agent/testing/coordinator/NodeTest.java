package dev.darkbloom.agent.testing.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.RequestBox;
import dev.darkbloom.agent.testing.coordinator.Asked.End;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** That the scripted coordinator sees what an agent must not do; the agent is a client that says what the test wants. */
@Tag("native") // libsodium
@Timeout(60)
class NodeTest {
    private static final int CHUNKS = 300;
    private static final int BUFFERED = 256;

    private final BoxKeys keys = BoxKeys.generate();
    private final Violations violations = new Violations();
    private final BlockingQueue<Node> registered = new LinkedBlockingQueue<>();
    private final WebSocketPeer peer = WebSocketPeer.open();
    private final HttpClient http = HttpClient.newHttpClient();
    private WebSocket agent;
    private Node node;

    @BeforeEach
    void register() {
        agent = http.newWebSocketBuilder().buildAsync(URI.create(peer.url()), new WebSocket.Listener() {}).join();
        var at = new Node(peer.accept(), violations, _ -> { }, registered::add);
        Thread.ofVirtual().start(at::read);
        say("{\"type\":\"register\",\"public_key\":\"" + keys.publicKey() + "\"}");
        node = Waits.take(registered, "no registration");
    }

    @AfterEach
    void close() {
        agent.abort();
        http.close();
        peer.close();
        keys.close();
    }

    private void say(String json) {
        agent.sendText(json, true).join();
    }

    private void say(String type, Asked asked, String more) {
        say("{\"type\":\"" + type + "\",\"request_id\":\"" + asked.id() + "\"" + more + "}");
    }

    private void chunks(Asked asked, int count) {
        try (RequestBox box = keys.boxWith(asked.publicKey())) {
            for (int i = 0; i < count; i++) {
                say("inference_response_chunk", asked, ",\"encrypted_data\":{\"ephemeral_public_key\":\"" + keys.publicKey() + "\",\"ciphertext\":\""
                        + SealedText.seal(box, "data: {\"choices\":[{\"delta\":{\"content\":\"" + i + " \"}}]}") + "\"}");
            }
        }
    }

    private void complete(Asked asked) {
        say("inference_complete", asked, ",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}");
        assertThat(asked.awaitEnd()).isInstanceOf(End.Complete.class);
    }

    @Test
    void whatComesBeforeTheAcceptanceIsAViolation() {
        Asked asked = node.ask("{}");
        chunks(asked, 1);
        complete(asked);

        assertThat(violations.all()).contains("inference_response_chunk before inference_accepted", "inference_complete before inference_accepted");
    }

    @Test
    void whatComesBehindOneAcceptanceIsNone() {
        Asked asked = node.ask("{}");
        say("inference_accepted", asked, "");
        chunks(asked, 2);
        complete(asked);

        assertThat(asked.text()).isEqualTo("0 1 ");
        assertThat(violations.all()).noneMatch(found -> found.contains("accepted"));
    }

    @Test
    void twoAcceptancesAreAViolation() {
        Asked asked = node.ask("{}");
        say("inference_accepted", asked, "");
        say("inference_accepted", asked, "");
        complete(asked);

        assertThat(violations.all()).contains("inference_accepted twice");
    }

    @Test
    void messagesOfTheLaterProtocolAreViolationsUntilTheCoordinatorHasSentOne() {
        say("{\"type\":\"models_update\",\"models\":[]}");
        node.other();
        assertThat(violations.all()).contains("models_update to a coordinator that has sent nothing of the later protocol");

        node.send("{\"type\":\"trust_status\",\"trust_level\":\"none\",\"status\":\"online\"}");
        say("{\"type\":\"capacity_quote\",\"quote_id\":\"q\"}");
        node.other();
        assertThat(violations.all()).noneMatch(found -> found.startsWith("capacity_quote"));
    }

    @Test
    void aDrainMayBeTriedOnceAndInventedMessagesNever() {
        say("{\"type\":\"provider_drain\",\"request_id\":\"a\"}");
        node.other();
        assertThat(violations.all()).noneMatch(found -> found.startsWith("provider_drain"));

        say("{\"type\":\"provider_drain\",\"request_id\":\"b\"}");
        say("{\"type\":\"status\"}");
        node.other();
        node.other();
        assertThat(violations.all()).contains("provider_drain to a coordinator that has sent nothing of the later protocol", "status is no message");
    }

    @Test
    void aConsumerWhoDoesNotReadLosesWhatTheBufferCannotHold() {
        Asked asked = node.askStalled("{}");
        say("inference_accepted", asked, "");
        chunks(asked, CHUNKS);
        complete(asked);
        assertThat(asked.chunks()).isEmpty();
        asked.readOn();

        assertThat(asked.chunks()).hasSize(BUFFERED);
        assertThat(asked.dropped()).isEqualTo(CHUNKS - BUFFERED);
    }

    @Test
    void aRequestOnAConnectionThatIsOverIsLost() {
        Asked before = node.ask("{}");
        agent.abort();
        assertThat(before.awaitEnd()).isInstanceOf(End.Lost.class);

        assertThat(node.ask("{}").awaitEnd()).isInstanceOf(End.Lost.class);
    }
}
