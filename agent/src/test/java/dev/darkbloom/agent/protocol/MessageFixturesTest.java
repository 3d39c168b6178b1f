package dev.darkbloom.agent.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.Fixtures.Fixture;
import dev.darkbloom.agent.testing.OffHeap;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is read from a fixture is written again as the fixture, member for member and number for number. */
class MessageFixturesTest {
    private final MessageDecoder decoder = new MessageDecoder();
    private final MessageEncoder encoder = new MessageEncoder();

    static List<Fixture> agentFixtures() {
        return Fixtures.agent();
    }

    static List<Fixture> coordinatorFixtures() {
        return Fixtures.coordinator();
    }

    @ParameterizedTest
    @MethodSource("agentFixtures")
    void messagesOfAgentsComeBackAsTheyWere(Fixture fixture) {
        try (Content frame = Content.confined(16)) {
            AgentMessage message = decoder.agentMessage(fixture.frame());
            encoder.encode(message, frame);

            assertThat(Fixtures.tree(OffHeap.text(frame))).isEqualTo(fixture.tree());
            assertThat(OffHeap.text(frame)).startsWith("{\"type\":\"");
            assertThat(decoder.unknownFields()).isZero();
            assertThat(decoder.unknownTypes()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("coordinatorFixtures")
    void messagesOfCoordinatorsComeBackAsTheyWere(Fixture fixture) {
        try (Content frame = Content.confined(16)) {
            CoordinatorMessage message = decoder.coordinatorMessage(fixture.frame());
            encoder.encode(message, frame);

            assertThat(Fixtures.tree(OffHeap.text(frame))).isEqualTo(fixture.tree());
            assertThat(decoder.unknownFields()).isZero();
            assertThat(decoder.unknownTypes()).isZero();
        }
    }

    @Test
    void everyTypeHasAFixtureOfItsName() {
        assertThat(types(Fixtures.agent())).containsExactlyInAnyOrderElementsOf(WireNames.AGENT_TYPES.keySet());
        assertThat(types(Fixtures.coordinator())).containsExactlyInAnyOrderElementsOf(WireNames.COORDINATOR_TYPES.keySet());
    }

    private static Set<String> types(List<Fixture> fixtures) {
        return fixtures.stream().map(fixture -> fixture.tree().get("type").asText()).collect(Collectors.toSet());
    }

    @Test
    void everyCaseOfBothDirectionsHasAName() {
        assertThat(Stream.of(AgentMessage.class.getPermittedSubclasses()).filter(type -> type != AgentMessage.Unknown.class))
                .containsExactlyInAnyOrderElementsOf(WireNames.AGENT_TYPES.values());
        assertThat(Stream.of(CoordinatorMessage.class.getPermittedSubclasses()).filter(type -> type != CoordinatorMessage.Unknown.class))
                .containsExactlyInAnyOrderElementsOf(WireNames.COORDINATOR_TYPES.values());
    }

    @ParameterizedTest
    @MethodSource({"agentFixtures", "coordinatorFixtures"})
    void oneMoreMemberAnywhereIsSkippedAndCounted(Fixture fixture) {
        String grown = "{\"something_new\":{\"deep\":[1,{\"a\":null}]}," + fixture.text().strip().substring(1);
        boolean fromAgent = WireNames.AGENT_TYPES.containsKey(fixture.tree().get("type").asText());
        try (Content frame = Content.confined(16)) {
            if (fromAgent) {
                encoder.encode(decoder.agentMessage(OffHeap.utf8(grown)), frame);
            } else {
                encoder.encode(decoder.coordinatorMessage(OffHeap.utf8(grown)), frame);
            }

            assertThat(Fixtures.tree(OffHeap.text(frame))).isEqualTo(fixture.tree());
            assertThat(decoder.unknownFields()).isEqualTo(1);
        }
    }
}
