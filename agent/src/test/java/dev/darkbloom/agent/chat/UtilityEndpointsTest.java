package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.HELLO;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.ErrorCode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import org.junit.jupiter.api.Test;

class UtilityEndpointsTest {
    @Test
    void tokenizeGivesIdsOrPieces() {
        ChatFixture fixture = new ChatFixture("demo");
        assertThat(fixture.ask(Endpoint.TOKENIZE, "{\"content\":\"aé\"}").json()).hasToString("{\"tokens\":[97,195,169]}");
        assertThat(fixture.ask(Endpoint.TOKENIZE, "{\"content\":\"aé\",\"with_pieces\":true}").json())
                .hasToString("{\"tokens\":[{\"id\":97,\"piece\":\"a\"},{\"id\":195,\"piece\":[195]},{\"id\":169,\"piece\":[169]}]}");
        assertThat(fixture.ask(Endpoint.TOKENIZE, "{\"content\":\"\"}").json()).hasToString("{\"tokens\":[]}");
        assertThat(fixture.refusal(Endpoint.TOKENIZE, "{}").param()).contains("content");
    }

    @Test
    void detokenizeGivesTextBack() {
        ChatFixture fixture = new ChatFixture("demo");
        assertThat(fixture.ask(Endpoint.DETOKENIZE, "{\"tokens\":[97,195,169,257]}").json()).hasToString("{\"content\":\"aé<mark>\"}");
        assertThat(fixture.ask(Endpoint.DETOKENIZE, "{\"tokens\":[]}").json()).hasToString("{\"content\":\"\"}");
        assertThat(fixture.refusal(Endpoint.DETOKENIZE, "{\"tokens\":[300]}").param()).contains("tokens");
        assertThat(fixture.refusal(Endpoint.DETOKENIZE, "{\"tokens\":\"x\"}").param()).contains("tokens");
    }

    @Test
    void applyTemplateGivesThePrompt() {
        assertThat(new ChatFixture("demo").ask(Endpoint.APPLY_TEMPLATE, "{" + HELLO + "}").json().path("prompt").textValue())
                .isEqualTo("[{\"role\":\"user\",\"content\":\"Hi\"}]");
    }

    @Test
    void embeddingsHaveLengthOne() {
        JsonNode json = new ChatFixture("embed").ask(Endpoint.EMBEDDINGS, "{\"input\":[\"a\",[98]]}").json();

        assertThat(json.path("object").textValue()).isEqualTo("list");
        assertThat(json.path("model").textValue()).isEqualTo("embed");
        assertThat(json.path("data")).hasSize(2);
        assertThat(json.path("data").path(1).path("index").intValue()).isEqualTo(1);
        assertThat(json.path("data").path(0).path("embedding").path(0).doubleValue()).isCloseTo(0.6, offset(1e-6));
        assertThat(json.path("data").path(0).path("embedding").path(1).doubleValue()).isCloseTo(0.8, offset(1e-6));
        assertThat(json.path("usage")).hasToString("{\"prompt_tokens\":2,\"total_tokens\":2}");
    }

    @Test
    void embeddingsComeAsBase64AndShortened() {
        ChatFixture fixture = new ChatFixture("embed");
        String base64 = fixture.ask(Endpoint.EMBEDDINGS, "{\"input\":\"a\",\"encoding_format\":\"base64\"}").json().path("data").path(0).path("embedding").textValue();
        ByteBuffer floats = ByteBuffer.wrap(Base64.getDecoder().decode(base64)).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(floats.remaining()).isEqualTo(16);
        assertThat(floats.getFloat(0)).isEqualTo(0.6f);
        assertThat(floats.getFloat(4)).isEqualTo(0.8f);

        assertThat(fixture.ask(Endpoint.EMBEDDINGS, "{\"input\":\"a\",\"dimensions\":1}").json().path("data").path(0).path("embedding")).hasToString("[1]");
        assertThat(fixture.refusal(Endpoint.EMBEDDINGS, "{\"input\":\"a\",\"dimensions\":5}").param()).contains("dimensions");
        assertThat(fixture.refusal(Endpoint.EMBEDDINGS, "{\"input\":\"a\",\"encoding_format\":\"hex\"}").param()).contains("encoding_format");
        assertThat(fixture.refusal(Endpoint.EMBEDDINGS, "{\"input\":[]}").param()).contains("input");
    }

    @Test
    void aTextModelSaysThatItMakesNoEmbeddingsAndTheOtherWayRound() {
        assertThat(new ChatFixture("demo").refusal(Endpoint.EMBEDDINGS, "{\"input\":\"a\"}").code()).isEqualTo(ErrorCode.EMBEDDINGS_NOT_CONFIGURED);
        assertThat(new ChatFixture("embed").refusal(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + "}").param()).contains("model");
    }
}
