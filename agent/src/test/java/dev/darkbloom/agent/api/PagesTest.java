package dev.darkbloom.agent.api;

import static dev.darkbloom.agent.api.Texts.segment;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.engine.ModelState;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoBufferLeaks.class)
class PagesTest {
    private static final PropsSource PROPS = model -> model.filter(id -> !id.equals("demo")).isPresent()
            ? Optional.empty()
            : Optional.of(new PropsSource.Props(
                    "demo",
                    "bloom-demo.gguf",
                    8,
                    2048,
                    Map.of("temperature", 0.8),
                    "{{ messages }}",
                    "",
                    "<|im_end|>",
                    "darkbloom-agent 0.1.0"));

    private static TestServer server() {
        return TestServer.open(
                TestServer.settings(ApiLimits.DEFAULT), (endpoint, id, body, sink) -> sink.document(segment("{\"canary\":\"x\"}")), PROPS);
    }

    @Test
    void propertiesReadLikeLlamaServers() throws Exception {
        try (var server = server()) {
            JsonNode props = new JsonMapper().readTree(server.get("/props").body());

            assertThat(props.at("/default_generation_settings/n_ctx").asInt()).isEqualTo(2048);
            assertThat(props.at("/default_generation_settings/params/temperature").asDouble()).isEqualTo(0.8);
            assertThat(props.at("/total_slots").asInt()).isEqualTo(8);
            assertThat(props.at("/model_path").asText()).isEqualTo("bloom-demo.gguf");
            assertThat(props.at("/chat_template").asText()).isEqualTo("{{ messages }}");
            assertThat(props.at("/build_info").asText()).startsWith("darkbloom-agent");

            assertThat(server.get("/props?model=demo").statusCode()).isEqualTo(200);
            assertThat(server.get("/props?model=other").statusCode()).isEqualTo(404);
        }
    }

    @Test
    void metricsCountRequestsByRouteAndStatus() {
        try (var server = server()) {
            server.post("/chat/completions", "{}");
            server.post("/v1/chat/completions", "{}");
            server.get("/v1/nowhere/secret-path");
            server.send(server.anonymous("/v1/models"));

            String metrics = server.get("/metrics").body();
            assertThat(metrics)
                    .contains("darkbloom_http_request_seconds_count{route=\"/v1/chat/completions\",status=\"200\"} 2")
                    .contains("darkbloom_http_request_seconds_count{route=\"other\",status=\"404\"} 1")
                    .contains("darkbloom_http_request_seconds_count{route=\"/v1/models\",status=\"401\"} 1")
                    .contains("darkbloom_http_requests_in_flight 1.0")
                    .contains("darkbloom_http_connections 1.0")
                    .doesNotContain("secret-path")
                    .doesNotContain("canary");
        }
    }

    @Test
    void metricsShowEveryModelUnderLlamaServersNamesAndOurs() {
        try (var server = server()) {
            assertThat(server.get("/metrics").headers().firstValue("content-type")).contains("text/plain; version=0.0.4; charset=utf-8");
            assertThat(server.get("/metrics").body())
                    .contains("llamacpp:tokens_predicted_total{model=\"demo\"} 41.0")
                    .contains("llamacpp:prompt_tokens_total{model=\"demo\"} 120.0")
                    .contains("llamacpp:requests_processing{model=\"demo\"} 2.0")
                    .contains("llamacpp:requests_deferred{model=\"demo\"} 1.0")
                    .contains("llamacpp:n_decode_total{model=\"demo\"} 50.0")
                    .contains("darkbloom_ready{model=\"demo\"} 1.0")
                    .contains("darkbloom_slots_busy{model=\"demo\"} 2.0")
                    .contains("darkbloom_generated_tokens_total{model=\"demo\"} 41.0")
                    .contains("darkbloom_ready{model=\"org/some.model-7B\"} 0.0")
                    .contains("darkbloom_requests_refused_total{model=\"demo\"} 3.0");

            server.models.statuses =
                    List.of(FakeModels.status("demo", ModelState.READY, 99), FakeModels.status("late", ModelState.READY, 1));
            assertThat(server.get("/metrics").body())
                    .contains("llamacpp:tokens_predicted_total{model=\"demo\"} 99.0")
                    .contains("llamacpp:tokens_predicted_total{model=\"late\"} 1.0");
        }
    }
}
