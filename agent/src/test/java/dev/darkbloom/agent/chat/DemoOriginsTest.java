package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The machine's owner asks over the local endpoint what a consumer may have asked, and learns nothing from it; on the demo model. */
@Tag("model")
class DemoOriginsTest {
    private static final String SECRET = "My sister Agatha has moved to the old lighthouse in Brest";
    private static final String WRONG = "My sister Beatrix has bought a new bakery in Lyon, has she";

    @RegisterExtension
    static final DemoFixture demo = new DemoFixture();

    @Test
    void noGuessIsConfirmedByWhatIsCached() {
        demo.relay(chat(SECRET));
        int right = cached(demo.ask(Endpoint.CHAT_COMPLETIONS, chat(SECRET)).json());
        assertThat(right).isZero();

        assertThat(cached(demo.relay(chat(SECRET)).json())).isGreaterThan(20);
        assertThat(cached(demo.ask(Endpoint.CHAT_COMPLETIONS, chat(SECRET)).json())).isGreaterThan(20);
        demo.ask(Endpoint.CHAT_COMPLETIONS, chat(WRONG));
        assertThat(cached(demo.relay(chat(WRONG)).json())).isLessThan(20); // a template's beginning, from the relayed ones
    }

    @Test
    void theOtherApisKeepApartToo() {
        String message = chat("What does the tide table of Concarneau say about Friday");
        demo.relay(message.replaceFirst("\\{", "{\"endpoint\":\"/v1/messages\","));
        int chat = cached(demo.ask(Endpoint.CHAT_COMPLETIONS, message).json());
        assertThat(chat).isLessThan(20);

        String text = "{\"model\":\"demo\",\"max_tokens\":2,\"temperature\":0,\"prompt\":\"The tide table of Concarneau has nothing for Friday\"}";
        demo.relay(text.replaceFirst("\\{", "{\"endpoint\":\"/v1/completions\","));
        assertThat(cached(demo.ask(Endpoint.COMPLETIONS, text).json())).isZero();
        assertThat(cached(demo.ask(Endpoint.COMPLETIONS, text).json())).isPositive();
    }

    private static String chat(String text) {
        return "{\"model\":\"demo\",\"max_tokens\":2,\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]}";
    }

    private static int cached(JsonNode answer) {
        return answer.path("usage").path("prompt_tokens_details").path("cached_tokens").intValue();
    }
}
