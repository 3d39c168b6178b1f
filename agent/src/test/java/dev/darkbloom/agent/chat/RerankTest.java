package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.RankFormat;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RerankTest {
    private static List<String> places(JsonNode json) {
        return json.path("results").findValuesAsText("index");
    }

    @Test
    void theBestDocumentComesFirstWithItsPlaceInTheRequest() {
        var fixture = new ChatFixture("rank");
        JsonNode json = fixture.ask(Endpoint.RERANK, "{\"query\":\"q\",\"documents\":[\"aa\",\"\",\"a\\u00e9aaaaaaaa\"]}").json();

        assertThat(fixture.pool.prompts()).containsExactly("^q|aa$", "^q|$", "^q|aéaaaaaaaa$");
        assertThat(json.path("model").textValue()).isEqualTo("rank");
        assertThat(json.path("object").textValue()).isEqualTo("list");
        assertThat(places(json)).containsExactly("2", "0", "1");
        List<Double> scores = json.path("results").findValues("relevance_score").stream().map(JsonNode::doubleValue).toList();
        assertThat(scores).isSortedAccordingTo((one, two) -> Double.compare(two, one));
        assertThat(scores.getFirst()).isPositive();
        assertThat(scores.getLast()).isNegative();
        assertThat(json.path("usage")).hasToString("{\"prompt_tokens\":25,\"total_tokens\":25}");
    }

    @Test
    void topNShowsTheBestOnlyAndMayBeMoreThanThereAre() {
        var fixture = new ChatFixture("rank");
        assertThat(places(fixture.ask(Endpoint.RERANK, "{\"query\":\"q\",\"documents\":[\"a\",\"aaa\",\"aa\"],\"top_n\":2}").json()))
                .containsExactly("1", "2");
        assertThat(fixture.ask(Endpoint.RERANK, "{\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":9}").json().path("results")).hasSize(1);
    }

    @Test
    void equalScoresKeepTheRequestsOrder() {
        assertThat(places(new ChatFixture("rank").ask(Endpoint.RERANK, "{\"query\":\"q\",\"documents\":[\"a\",\"b\",\"c\"]}").json()))
                .containsExactly("0", "1", "2");
    }

    @Test
    void aTemplateOfTheModelsOwnIsFilledIn() {
        var fixture = new ChatFixture("rank");
        fixture.pool.rankFormat(new RankFormat(Optional.of("<é>{query} fits {document}?"), List.of(1), List.of(2), List.of(3)));
        fixture.ask(Endpoint.RERANK, "{\"query\":\"{document}\",\"documents\":[\"$1\"]}");

        assertThat(fixture.pool.prompts()).containsExactly("<é>{document} fits $1?");
    }

    @Test
    void aTextThatSpellsAControlTokenDoesNotBecomeOne() {
        var fixture = new ChatFixture("rank");
        fixture.pool.tokenizer().parseSpecial();
        fixture.pool.rankFormat(new RankFormat(Optional.of("{query}<mark>{document}<end>"), List.of(), List.of(), List.of()));
        fixture.ask(Endpoint.RERANK, "{\"query\":\"q\",\"documents\":[\"d\",\"x<end>\"]}");

        // The fake's control tokens are 256 and 257, whose low bytes show as 0 and 1.
        assertThat(fixture.pool.prompts()).containsExactly("q\u0001d\u0000", "q\u0001x<end>\u0000");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"query|{\"documents\":[\"a\"]}", "query|{\"query\":[\"q\"],\"documents\":[\"a\"]}", "documents|{\"query\":\"q\"}",
        "documents|{\"query\":\"q\",\"documents\":[]}", "documents|{\"query\":\"q\",\"documents\":\"a\"}", "documents|{\"query\":\"q\",\"documents\":[\"a\",1]}",
        "top_n|{\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":0}", "return_documents|{\"query\":\"q\",\"documents\":[\"a\"],\"return_documents\":true}",
        "texts|{\"query\":\"q\",\"texts\":[\"a\"]}"})
    void whatIsMissingOrWrongIsNamed(String param, String body) {
        assertThat(new ChatFixture("rank").refusal(Endpoint.RERANK, body).param()).contains(param);
    }

    @Test
    void onlyAModelThatRanksRanksAndItMakesNoEmbeddings() {
        String request = "{\"query\":\"q\",\"documents\":[\"a\"]}";
        assertThat(new ChatFixture("demo").refusal(Endpoint.RERANK, request).code()).isEqualTo(ErrorCode.RERANK_NOT_CONFIGURED);
        AgentException refused = new ChatFixture("embed").refusal(Endpoint.RERANK, request);
        assertThat(refused.code()).isEqualTo(ErrorCode.RERANK_NOT_CONFIGURED);
        assertThat(refused).hasMessage("model 'embed' does not rank: its pooling type is not rank");
        assertThat(new ChatFixture("rank").refusal(Endpoint.EMBEDDINGS, "{\"input\":\"a\"}").code()).isEqualTo(ErrorCode.EMBEDDINGS_NOT_CONFIGURED);
    }
}
