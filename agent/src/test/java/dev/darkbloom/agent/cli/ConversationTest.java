package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.service.local.LocalClient;
import dev.darkbloom.agent.service.local.LocalEndpoint;
import dev.darkbloom.agent.testing.FakeEndpoint;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ConversationTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private FakeEndpoint endpoint;
    private LocalClient client;

    @BeforeEach
    void openTheEndpoint() throws IOException {
        endpoint = new FakeEndpoint();
        client = new LocalClient(new LocalEndpoint(endpoint.baseUrl(), new Redacted(""), Path.of("r"), Path.of("t")));
    }

    @AfterEach
    void closeTheEndpoint() {
        client.close();
        endpoint.close();
    }

    @Test
    void eachLineIsATurnThatKnowsTheOnesBefore() throws IOException {
        endpoint.streams(FakeEndpoint.piece("one"), FakeEndpoint.end("stop")).streams(FakeEndpoint.piece("two"), FakeEndpoint.end("length"));

        boolean answered = talk("first\n\n  second  \n").runLines();

        assertThat(answered).isTrue();
        assertThat(out.toString().lines()).containsExactly("one", "two");
        assertThat(err.toString()).contains("[7 tokens, 45.5 tokens/s, first after ", "12 of 20 prompt tokens from memory]", "cut off at the limit]");
        assertThat(endpoint.bodies().get(1)).contains("{\"role\":\"user\",\"content\":\"first\"},{\"role\":\"assistant\",\"content\":\"one\"},"
                + "{\"role\":\"user\",\"content\":\"second\"}");
    }

    @Test
    void resetForgetsAndASystemPromptComesFirst() throws IOException {
        endpoint.streams(FakeEndpoint.piece("a")).streams(FakeEndpoint.piece("b")).streams(FakeEndpoint.piece("c"));

        talk("first\n/reset\nsecond\n/system be brief\nthird\n/exit\nnever asked\n").runLines();

        assertThat(endpoint.bodies()).hasSize(3);
        assertThat(endpoint.bodies().get(1)).doesNotContain("first");
        assertThat(endpoint.bodies().get(2)).contains("[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"third\"}]");
    }

    @Test
    void aTurnThatFailsIsTakenBackAndTheTalkGoesOn() throws IOException {
        endpoint.refuses(503, "{\"error\":{\"message\":\"busy\"}}").streams(FakeEndpoint.piece("fine"));

        boolean answered = talk("first\nsecond\n").runLines();

        assertThat(answered).isFalse();
        assertThat(err.toString()).contains("darkbloom-agent: busy");
        assertThat(out.toString().lines()).containsExactly("fine");
        assertThat(endpoint.bodies().get(1)).doesNotContain("first");
    }

    @Test
    void anUnknownCommandIsNotSentToTheModel() throws IOException {
        talk("/dance\n").runLines();

        assertThat(err.toString()).contains("no command /dance");
        assertThat(endpoint.bodies()).isEmpty();
    }

    private Conversation talk(String input) {
        var terminal = new Terminal(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)), new PrintWriter(out, true),
                new PrintWriter(err, true), false);
        return new Conversation(client, "demo", OptionalInt.empty(), terminal);
    }
}
