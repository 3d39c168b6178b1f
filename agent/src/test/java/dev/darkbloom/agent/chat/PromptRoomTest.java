package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.FakeModelPool;
import java.util.Collections;
import org.junit.jupiter.api.Test;

/** What cannot fit a context is refused before it is rendered or tokenized. */
class PromptRoomTest {
    /** Bytes of the longest piece of the fake vocabulary. */
    private static final int LONGEST = 9;

    private final ChatFixture fixture = ChatFixture.answering("Hi");

    @Test
    void moreMessagesThanTokensAreRefused() {
        String messages = String.join(",", Collections.nCopies(FakeModelPool.CONTEXT + 1, "{\"role\":\"user\",\"content\":\"\"}"));

        AgentException refused = fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{\"model\":\"demo\",\"messages\":[" + messages + "]}");

        assertThat(refused.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
        assertThat(refused).hasMessageContaining(FakeModelPool.CONTEXT + 1 + " messages").hasMessageContaining(" " + FakeModelPool.CONTEXT + " ");
    }

    @Test
    void moreTextThanTheLongestTokensHoldIsRefused() {
        String text = "a".repeat(6 * (FakeModelPool.CONTEXT * LONGEST + 1));

        AgentException refused = fixture.refusal(Endpoint.CHAT_COMPLETIONS,
                "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]}");

        assertThat(refused.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
        assertThat(refused).hasMessageContaining((FakeModelPool.CONTEXT * LONGEST + 1) + " bytes");
    }

    @Test
    void aThoughtOfTheAssistantsIsNotCountedSinceTemplatesLeaveItOut() {
        String text = "a".repeat(6 * (FakeModelPool.CONTEXT * LONGEST + 1));
        // The fake template leaves nothing out, so this is refused by its prompt's size.
        AgentException refused = fixture.refusal(Endpoint.CHAT_COMPLETIONS, "{\"model\":\"demo\",\"messages\":[{\"role\":\"assistant\",\"content\":\""
                + text + "\"},{\"role\":\"user\",\"content\":\"Hi\"}]}");

        assertThat(refused).hasMessageMatching("prompt has at least " + ("" + text.length()).charAt(0) + "\\d* bytes.*");
        assertThat(refused.getMessage()).doesNotContain((FakeModelPool.CONTEXT * LONGEST + 1) + " bytes");
    }

    @Test
    void aTextPromptIsRefusedByItsExactSize() {
        String fits = "a".repeat(FakeModelPool.CONTEXT * LONGEST);

        AgentException refused = fixture.refusal(Endpoint.COMPLETIONS, "{\"model\":\"demo\",\"prompt\":\"" + fits + "a\"}");

        assertThat(refused.code()).isEqualTo(ErrorCode.CONTEXT_TOO_LONG);
        assertThat(refused).hasMessageContaining((fits.length() + 1) + " bytes");
    }
}
