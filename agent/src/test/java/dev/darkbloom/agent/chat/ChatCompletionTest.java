package dev.darkbloom.agent.chat;

import static dev.darkbloom.agent.chat.ChatFixture.HELLO;
import static dev.darkbloom.agent.chat.ChatFixture.joined;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.FakeGeneration;
import dev.darkbloom.agent.testing.FakeGeneration.Script;
import dev.darkbloom.agent.testing.FakeTokenizer;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChatCompletionTest {
    @Test
    void aDocumentHasTheShapeOfTheOpenAiApi() {
        JsonNode json = ChatFixture.answering("Hello 🚀 \"you\"").chat("").json();

        assertThat(json.path("id").textValue()).isEqualTo("chatcmpl-r1");
        assertThat(json.path("object").textValue()).isEqualTo("chat.completion");
        assertThat(json.path("created").longValue()).isEqualTo(1_790_000_000L);
        assertThat(json.path("model").textValue()).isEqualTo("demo");
        assertThat(json.path("system_fingerprint").textValue()).isEqualTo("fake-1");
        JsonNode choice = json.path("choices").path(0);
        assertThat(choice.path("index").intValue()).isZero();
        assertThat(choice.path("message").toString()).isEqualTo("{\"role\":\"assistant\",\"content\":\"Hello 🚀 \\\"you\\\"\"}");
        assertThat(choice.path("logprobs").isNull()).isTrue();
        assertThat(choice.path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(json.path("usage").path("completion_tokens").intValue()).isEqualTo("Hello 🚀 \"you\"".getBytes(StandardCharsets.UTF_8).length);
        assertThat(json.path("usage").path("prompt_tokens_details").path("cached_tokens").intValue()).isEqualTo(3);
        assertThat(json.path("usage").path("total_tokens").intValue())
                .isEqualTo(json.path("usage").path("prompt_tokens").intValue() + json.path("usage").path("completion_tokens").intValue());
        assertThat(json.path("timings").path("prompt_ms").doubleValue()).isEqualTo(20);
        assertThat(json.path("timings").path("predicted_per_second").doubleValue()).isEqualTo(16 / 0.05);
    }

    @Test
    void aStreamBeginsWithTheRoleAndEndsWithTheReasonAndUsage() {
        RecordingSink sink = ChatFixture.answering("Hey").stream("");

        List<JsonNode> events = sink.events();
        assertThat(events.getFirst().path("choices").path(0).toString())
                .isEqualTo("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}");
        assertThat(joined(sink, 0, "content")).isEqualTo("Hey");
        assertThat(events.getLast().path("choices").toString()).isEqualTo("[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]");
        assertThat(events.getLast().path("usage").path("completion_tokens").intValue()).isEqualTo(3);
        assertThat(events.getLast().path("timings").path("predicted_n").intValue()).isEqualTo(3);
        assertThat(events).allSatisfy(event -> {
            assertThat(event.path("id").textValue()).isEqualTo("chatcmpl-r1");
            assertThat(event.path("object").textValue()).isEqualTo("chat.completion.chunk");
            assertThat(event.path("choices")).isNotEmpty();
        });
        assertThat(events.subList(0, events.size() - 1)).noneMatch(event -> event.has("usage"));
        assertThat(sink.hasEnded()).isTrue();
        assertThat(sink.usage().completionTokens()).isEqualTo(3);
    }

    @Test
    void anAnswerThatDoesNotFollowItsFormatIsContentWithAWarning() {
        JsonNode choice = ChatFixture.answering("Well <call").chat("").json().path("choices").path(0);
        List<JsonNode> events = ChatFixture.answering("Well <call").stream("").events();

        assertThat(choice.path("message").path("content").textValue()).isEqualTo("Well <call");
        assertThat(choice.path("warning").textValue()).contains("format");
        assertThat(events.getLast().path("choices").path(0).path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(events.getLast().path("choices").path(0).path("warning").textValue()).contains("format");
        assertThat(events.subList(0, events.size() - 1)).noneMatch(event -> event.path("choices").path(0).has("warning"));
    }

    @Test
    void anAnswerThatIsCutOffForItsLengthHasNoWarning() {
        JsonNode choice = ChatFixture.answering("Well <call").chat("\"max_tokens\":8").json().path("choices").path(0);

        assertThat(choice.path("finish_reason").textValue()).isEqualTo("length");
        assertThat(choice.has("warning")).isFalse();
    }

    @Test
    void usageHasAnEventOfItsOwnForThoseWhoAsk() {
        List<JsonNode> events = ChatFixture.answering("Hey").stream("\"stream_options\":{\"include_usage\":true}").events();

        assertThat(events.getLast().path("choices")).isEmpty();
        assertThat(events.getLast().path("usage").path("total_tokens").intValue()).isPositive();
        assertThat(events.getLast().has("timings")).isTrue();
        assertThat(events.get(events.size() - 2).has("usage")).isFalse();
        assertThat(events.get(events.size() - 2).path("choices").path(0).path("finish_reason").textValue()).isEqualTo("stop");
    }

    @Test
    void tokensThatWaitTogetherBecomeOneEvent() {
        RecordingSink sink = ChatFixture.answering(Script.of("Hello you").perAwait(4)).stream("");

        assertThat(joined(sink, 0, "content")).isEqualTo("Hello you");
        assertThat(sink.events().size()).isLessThan(9);
    }

    @Test
    void aSinkThatWantsFewEventsGetsTheTokensMerged() {
        ChatFixture fixture = ChatFixture.answering("a".repeat(200));
        NanoClock running = new NanoClock() { // while the request's thread waits, the generation goes on
            @Override
            public long nanoTime() {
                return fixture.clock.nanoTime();
            }

            @Override
            public void parkUntil(Object blocker, long deadlineNanos) {
                fixture.pool.generations().forEach(FakeGeneration::goOn);
            }
        };
        var sink = new RecordingSink().withEventGap(25_000_000);
        var completions = new Completions(fixture.pool, CompletionsSettings.defaults(), InstantSource.system(), running);
        try (Content body = OffHeap.body("{" + HELLO + ",\"stream\":true}")) {
            completions.run(Endpoint.CHAT_COMPLETIONS, new RequestId("r1"), body, sink);
        }

        assertThat(joined(sink, 0, "content")).isEqualTo("a".repeat(200));
        assertThat(sink.events().size()).isBetween(200 / 25, 200 / 25 + 4);
    }

    @Test
    void noEventSplitsACharacter() {
        RecordingSink sink = ChatFixture.answering("é漢🚀").stream("");

        List<String> pieces = new ArrayList<>();
        sink.events().forEach(event -> pieces.add(event.path("choices").path(0).path("delta").path("content").asText("")));
        assertThat(pieces).containsExactly("", "é", "漢", "🚀", "");
    }

    @Test
    void bytesThatNeverBecomeACharacterAreReplacedAtTheEnd() {
        var script = new Script(new int[] {'a', 0xF0, 0x9F, FakeTokenizer.END}, 1, 0, null);

        assertThat(joined(ChatFixture.answering(script).stream(""), 0, "content")).isEqualTo("a\uFFFD");
        assertThat(ChatFixture.answering(script).chat("").json().path("choices").path(0).path("message").path("content").textValue()).isEqualTo("a\uFFFD");
    }

    @Test
    void aStopStringEndsTheAnswerAndTheGeneration() {
        ChatFixture fixture = ChatFixture.answering("one two three four");
        JsonNode json = fixture.chat("\"stop\":[\"zzz\",\" three\"]").json();

        assertThat(json.path("choices").path(0).path("message").path("content").textValue()).isEqualTo("one two");
        assertThat(json.path("choices").path(0).path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(json.path("usage").path("completion_tokens").intValue()).isEqualTo("one two three".length());
        assertThat(fixture.pool.generations().getFirst().isCancelled()).isTrue();
    }

    @Test
    void theFormatsOwnStopStringsEndTheAnswerToo() {
        assertThat(joined(ChatFixture.answering("one<|stop|>two").stream(""), 0, "content")).isEqualTo("one");
    }

    @Test
    void aStopStringThatDoesNotHappenLosesNothing() {
        assertThat(joined(ChatFixture.answering("one tw").stream("\"stop\":\"two\""), 0, "content")).isEqualTo("one tw");
    }

    @Test
    void theTokenLimitEndsWithLength() {
        JsonNode json = ChatFixture.answering("Hello").chat("\"max_tokens\":2").json();

        assertThat(json.path("choices").path(0).path("finish_reason").textValue()).isEqualTo("length");
        assertThat(json.path("choices").path(0).path("message").path("content").textValue()).isEqualTo("He");
    }

    @Test
    void controlTokensAreNotPartOfTheAnswerUnlessTheFormatWantsThem() {
        var script = new Script(new int[] {'a', FakeTokenizer.CONTROL, FakeTokenizer.MARK, 'b', FakeTokenizer.END}, 1, 0, null);

        assertThat(joined(ChatFixture.answering(script).stream(""), 0, "content")).isEqualTo("a<mark>b");
    }

    @Test
    void reasoningIsToldApartAndCounted() {
        RecordingSink sink = ChatFixture.answering("<think>hm</think>\n\nYes").stream("");

        assertThat(joined(sink, 0, "reasoning_content")).isEqualTo("hm");
        assertThat(joined(sink, 0, "content")).isEqualTo("Yes");
        JsonNode details = sink.events().getLast().path("usage").path("completion_tokens_details");
        assertThat(details.path("reasoning_tokens").intValue()).isBetween(2, 13);
    }

    @Test
    void reasoningTokensAreTheSameHoweverTokensArrive() {
        var counts = new ArrayList<Integer>();
        for (int perAwait : List.of(1, 3, 50)) {
            counts.add(ChatFixture.answering(Script.of("<think>hmmm</think>\n\nYes").perAwait(perAwait)).chat("").usage().reasoningTokens());
        }
        assertThat(counts).containsOnly(counts.getFirst());
    }

    @Test
    void aDocumentHasReasoningBesideContent() {
        JsonNode message = ChatFixture.answering("<think>hm</think>\n\nYes").chat("").json().path("choices").path(0).path("message");

        assertThat(message.path("reasoning_content").textValue()).isEqualTo("hm");
        assertThat(message.path("content").textValue()).isEqualTo("Yes");
    }

    @Test
    void severalChoicesAreInterleavedByIndex() {
        ChatFixture fixture = new ChatFixture("demo");
        fixture.pool.answers(request -> Script.of("answer " + request.sampling().seed()));
        RecordingSink sink = fixture.stream("\"n\":3,\"seed\":7");

        assertThat(joined(sink, 0, "content")).isEqualTo("answer 7");
        assertThat(joined(sink, 1, "content")).isEqualTo("answer 8");
        assertThat(joined(sink, 2, "content")).isEqualTo("answer 9");
        assertThat(sink.events().stream().filter(event -> event.has("usage"))).hasSize(1);
        assertThat(sink.usage().completionTokens()).isEqualTo(24);
        assertThat(sink.usage().promptTokens()).isEqualTo(fixture.pool.generations().getFirst().request().promptTokens());
    }

    @Test
    void severalChoicesMakeOneDocument() {
        JsonNode choices = ChatFixture.answering("Hi").chat("\"n\":2").json().path("choices");

        assertThat(choices).hasSize(2);
        assertThat(choices.path(1).path("index").intValue()).isEqualTo(1);
    }

    @Test
    void whenOneOfSeveralIsRefusedTheOthersAreCancelled() {
        ChatFixture fixture = ChatFixture.answering("Hi");
        fixture.pool.room(2);

        assertThat(fixture.chatRefusal("\"n\":3").code()).isEqualTo(ErrorCode.QUEUE_FULL);
        assertThat(fixture.pool.generations()).hasSize(2).allMatch(FakeGeneration::isCancelled);
    }

    @Test
    void silenceIsFilledWithPings() {
        RecordingSink sink = ChatFixture.answering(Script.of("Hi").silentFor(50_000_000_000L)).stream("");

        assertThat(sink.pings()).isEqualTo(3);
        assertThat(joined(sink, 0, "content")).isEqualTo("Hi");
        assertThat(ChatFixture.answering(Script.of("Hi").silentFor(50_000_000_000L)).stream("\"sse_ping_interval\":7").pings()).isEqualTo(7);
        assertThat(ChatFixture.answering(Script.of("Hi").silentFor(50_000_000_000L)).stream("\"sse_ping_interval\":-1").pings()).isZero();
        assertThat(ChatFixture.answering(Script.of("Hi").silentFor(50_000_000_000L)).chat("").pings()).isZero();
    }

    @Test
    void aFailureBeforeTheFirstTokenIsAnErrorOfItsOwn() {
        var failed = new Outcome.Failed(new AgentException(ErrorCode.DEADLINE_EXCEEDED, "too late"));
        ChatFixture fixture = ChatFixture.answering(new Script(new int[0], 1, 0, failed));

        assertThat(fixture.chatRefusal("\"stream\":true").code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
        assertThat(fixture.chatRefusal("\"stream\":false").code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
    }

    @Test
    void aFailureInTheStreamIsToldInItWithoutDone() {
        var failed = new Outcome.Failed(new AgentException(ErrorCode.GENERATION_FAILED, "decode said -3"));
        RecordingSink sink = ChatFixture.answering(new Script(new int[] {'H', 'i'}, 1, 0, failed)).stream("");

        assertThat(joined(sink, 0, "content")).isEqualTo("Hi");
        JsonNode last = sink.events().getLast();
        assertThat(last.path("choices").toString()).isEqualTo("[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]");
        assertThat(last.path("error").toString())
                .isEqualTo("{\"message\":\"generation failed\",\"type\":\"server_error\",\"code\":\"generation_failure\"}");
        assertThat(sink.isAborted()).isTrue();
        assertThat(sink.hasEnded()).isFalse();
    }

    @Test
    void whenTheClientGoesAwayTheGenerationIsCancelledAndEverythingGivenBack() {
        ChatFixture fixture = ChatFixture.answering("a long answer that nobody reads");
        var sink = new RecordingSink(3);

        AgentException refused = catchThrowableOfType(AgentException.class,
                () -> fixture.ask(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + ",\"stream\":true,\"n\":2}", sink));

        assertThat(refused.code()).isEqualTo(ErrorCode.CANCELLED);
        assertThat(fixture.pool.generations()).hasSize(2).allMatch(FakeGeneration::isCancelled).allMatch(FakeGeneration::isFinished);
        assertThat(fixture.pool.leftOpen()).isZero();
        assertThat(sink.events()).hasSize(3);
    }

    @Test
    void aClientThatIsGoneBeforehandGetsNothing() {
        ChatFixture fixture = ChatFixture.answering(new Script(new int[] {'a'}, 1, 0, null));
        var sink = new RecordingSink();
        sink.goAway();

        AgentException refused = catchThrowableOfType(AgentException.class,
                () -> fixture.ask(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + "}", sink));

        assertThat(refused.code()).isEqualTo(ErrorCode.CANCELLED);
        assertThat(fixture.pool.leftOpen()).isZero();
    }

    @Test
    void interruptingTheRequestsThreadCancels() {
        ChatFixture fixture = ChatFixture.answering(new Script(new int[] {'a'}, 1, 0, new Outcome.Finished(FinishReason.STOP)));
        Thread.currentThread().interrupt();

        AgentException refused = catchThrowableOfType(AgentException.class,
                () -> fixture.ask(Endpoint.CHAT_COMPLETIONS, "{" + HELLO + "}"));

        assertThat(Thread.interrupted()).isTrue();
        assertThat(refused.code()).isEqualTo(ErrorCode.CANCELLED);
        assertThat(fixture.pool.leftOpen()).isZero();
    }

    @Test
    void logprobsComeWithTheTextTheyBelongTo() {
        RecordingSink sink = ChatFixture.answering("abc").stream("\"logprobs\":true,\"top_logprobs\":2");
        JsonNode content = sink.events().get(1).path("choices").path(0).path("logprobs").path("content");

        assertThat(content.toString()).isEqualTo("[{\"id\":97,\"token\":\"a\",\"bytes\":[97],\"logprob\":-5e-1,\"top_logprobs\":["
                .replace("-5e-1", "-0.5") + "{\"id\":97,\"token\":\"a\",\"bytes\":[97],\"logprob\":-1},{\"id\":98,\"token\":\"b\",\"bytes\":[98],\"logprob\":-2}]}]");
        JsonNode document = ChatFixture.answering("abc").chat("\"logprobs\":true").json().path("choices").path(0).path("logprobs").path("content");
        assertThat(document).hasSize(3);
        assertThat(document.path(2).path("top_logprobs")).isEmpty();
    }

    @Test
    void logprobsOfAStopStringAreNotTold() {
        JsonNode choice = ChatFixture.answering("ab STOP").chat("\"logprobs\":true,\"stop\":\"STOP\"").json().path("choices").path(0);

        assertThat(choice.path("message").path("content").textValue()).isEqualTo("ab ");
        assertThat(choice.path("logprobs").path("content")).hasSize(3);
    }

    @Test
    void bytesOfPartsOfACharacterAreToldAsTheyAre() {
        JsonNode content = ChatFixture.answering("é").chat("\"logprobs\":true").json().path("choices").path(0).path("logprobs").path("content");

        assertThat(content).hasSize(2);
        assertThat(content.path(0).path("token").textValue()).isEqualTo("\uFFFD");
        assertThat(content.path(0).path("bytes").toString()).isEqualTo("[195]");
    }
}
