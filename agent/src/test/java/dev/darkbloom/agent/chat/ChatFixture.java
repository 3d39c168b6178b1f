package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeModelPool;
import dev.darkbloom.agent.testing.ManualClock;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;

/** A front door over scripted models, and short ways to ask it. */
final class ChatFixture {
    static final String HELLO = "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]";

    final ManualClock clock = new ManualClock();
    final FakeModelPool pool;
    final Completions completions;

    ChatFixture(String... models) {
        pool = new FakeModelPool(clock, models);
        var settings = new CompletionsSettings(Duration.ofSeconds(15), Duration.ZERO, 8, 64, "fake-1", Map.of("demo", false));
        completions = new Completions(pool, settings, InstantSource.fixed(Instant.ofEpochSecond(1_790_000_000L)), clock);
    }

    static ChatFixture answering(String text) {
        return answering(Script.of(text));
    }

    static ChatFixture answering(Script script) {
        var fixture = new ChatFixture("demo");
        fixture.pool.answers(script);
        return fixture;
    }

    /** Asks and expects an answer; afterwards everything has been given back. */
    RecordingSink ask(Endpoint endpoint, String body) {
        return ask(endpoint, body, new RecordingSink());
    }

    RecordingSink ask(Endpoint endpoint, String body, RecordingSink sink) {
        long before = Content.openCount();
        try (Content content = OffHeap.body(body)) {
            completions.run(endpoint, new RequestId("r1"), content, sink);
        } finally {
            assertThat(Content.openCount()).isEqualTo(before);
            assertThat(pool.leftOpen()).isZero();
        }
        return sink;
    }

    RecordingSink chat(String members) {
        return ask(Endpoint.CHAT_COMPLETIONS, "{\"model\":\"demo\"," + HELLO + (members.isEmpty() ? "" : "," + members) + "}");
    }

    RecordingSink stream(String members) {
        return chat("\"stream\":true" + (members.isEmpty() ? "" : "," + members));
    }

    /** Asks and expects a refusal before the first byte; afterwards everything has been given back. */
    AgentException refusal(Endpoint endpoint, String body) {
        var sink = new RecordingSink();
        AgentException refused = catchThrowableOfType(AgentException.class, () -> ask(endpoint, body, sink));
        assertThat(refused).as(body.length() < 500 ? body : "a long body").isNotNull();
        assertThat(sink.hasBegun()).isFalse();
        assertThat(sink.hasDocument()).isFalse();
        assertThat(pool.leftOpen()).isZero();
        return refused;
    }

    AgentException chatRefusal(String members) {
        return refusal(Endpoint.CHAT_COMPLETIONS, "{\"model\":\"demo\"," + HELLO + "," + members + "}");
    }

    /** Joins what a stream's events say under {@code choices[].delta}. */
    static String joined(RecordingSink sink, int choice, String member) {
        var text = new StringBuilder();
        for (JsonNode event : sink.events()) {
            for (JsonNode each : event.path("choices")) {
                if (each.path("index").intValue() == choice) {
                    text.append(each.path("delta").path(member).asText(""));
                }
            }
        }
        return text.toString();
    }
}
