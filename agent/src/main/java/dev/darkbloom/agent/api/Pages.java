package dev.darkbloom.agent.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.chat.StoredResponses;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** The answers that need no model: health, models, properties, metrics. On the request's thread; holds no content. */
final class Pages {
    private static final String PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";
    private static final JsonMapper JSON = new JsonMapper();

    private final ApiServices services;
    private final EngineMeters engine;
    private final Instant opened = Instant.now();

    Pages(ApiServices services, EngineMeters engine) {
        this.services = services;
        this.engine = engine;
    }

    /**
     * Answers a page.
     *
     * @param method the request's; one of those that the route takes
     * @param id the model or response named in the path, where the route has one
     * @throws AgentException {@code UNKNOWN_MODEL}
     */
    void answer(Route route, String method, String id, QueryStringDecoder query, HttpSink sink) {
        switch (route) {
            case ROOT -> json(sink, Map.of("name", "darkbloom-agent", "status", "ok", "api", "/v1"));
            case HEALTH -> json(sink, Map.of("status", "ok"));
            case MODELS -> json(sink, models());
            case MODEL -> json(sink, model(status(id)));
            case PROPS -> json(sink, props(query));
            case METRICS -> sink.page(PROMETHEUS_TEXT, heap(engine.scrape().getBytes(StandardCharsets.UTF_8)));
            case RESPONSE -> {
                if (method.equals("DELETE")) {
                    responses().delete(id, sink);
                } else {
                    responses().retrieve(id, method.equals("HEAD") ? Map.of() : query.parameters(), sink);
                }
            }
            case RESPONSE_CANCEL -> responses().cancel(id, sink);
            case RESPONSE_ITEMS -> responses().inputItems(id, query.parameters(), sink);
            case CHAT_COMPLETIONS, RESPONSES, INPUT_TOKENS, MESSAGES, COUNT_TOKENS, COMPLETIONS, EMBEDDINGS, RERANK, TOKENIZE, DETOKENIZE,
                    APPLY_TEMPLATE ->
                    throw new IllegalArgumentException(route + " is no page");
        }
    }

    private StoredResponses responses() {
        return services.responses().orElseThrow(() -> new AgentException(ErrorCode.NOT_FOUND, "no responses are kept here"));
    }

    private static void json(HttpSink sink, Map<String, Object> page) {
        try {
            sink.document(heap(JSON.writeValueAsBytes(page)));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MemorySegment heap(byte[] page) {
        return MemorySegment.ofArray(page);
    }

    /** One list for the clients of both APIs: OpenAI's {@code object} and {@code data}, Anthropic's paging, which ends with this page. */
    private Map<String, Object> models() {
        List<ModelStatus> all = services.models().models();
        var page = new LinkedHashMap<String, Object>();
        page.put("object", "list");
        page.put("data", all.stream().map(this::model).toList());
        page.put("has_more", false);
        page.put("first_id", all.isEmpty() ? null : all.getFirst().id());
        page.put("last_id", all.isEmpty() ? null : all.getLast().id());
        return page;
    }

    private ModelStatus status(String id) {
        List<ModelStatus> all = services.models().models();
        return all.stream()
                .filter(model -> model.id().equals(id))
                .findFirst()
                .orElseThrow(() -> AgentException.ofParam(ErrorCode.UNKNOWN_MODEL, "model", unknown(all)));
    }

    /** The name that was asked for is not repeated: it is the client's text, and error messages are logged. */
    private static String unknown(List<ModelStatus> all) {
        return "this model is not available on this node; it has " + String.join(", ", all.stream().map(ModelStatus::id).toList());
    }

    /** An OpenAI model object and an Anthropic one in one, with what {@code spec/direct-mode-api.md}, A5 adds. */
    private Map<String, Object> model(ModelStatus status) {
        Optional<ModelCards.Card> card = services.cards().card(status.id());
        Instant created = card.map(ModelCards.Card::created).orElse(opened).truncatedTo(ChronoUnit.SECONDS);
        var page = new LinkedHashMap<String, Object>();
        page.put("id", status.id());
        page.put("object", "model");
        page.put("created", created.getEpochSecond());
        page.put("owned_by", "local");
        int contextTokens = status.contextTokens() > 0
                ? status.contextTokens()
                : card.map(ModelCards.Card::contextTokens).orElseGet(OptionalInt::empty).orElse(0);
        if (contextTokens > 0) {
            page.put("context_length", contextTokens);
        }
        card.flatMap(ModelCards.Card::quantization).ifPresent(quantization -> page.put("quantization", quantization));
        page.put("loaded", status.state() == ModelState.READY || status.state() == ModelState.DRAINING);
        page.put("type", "model");
        page.put("display_name", status.id());
        page.put("created_at", created.toString());
        return page;
    }

    private Map<String, Object> props(QueryStringDecoder query) {
        Optional<String> wanted = query.parameters().getOrDefault("model", List.of()).stream().findFirst();
        PropsSource.Props props = services.props()
                .props(wanted)
                .orElseThrow(() -> AgentException.ofParam(ErrorCode.UNKNOWN_MODEL, "model", unknown(services.models().models())));
        var generation = new LinkedHashMap<String, Object>();
        generation.put("n_ctx", props.contextTokens());
        generation.put("params", props.sampling());
        var page = new LinkedHashMap<String, Object>();
        page.put("default_generation_settings", generation);
        page.put("total_slots", props.totalSlots());
        page.put("model_alias", props.modelAlias());
        page.put("model_path", props.modelFile());
        page.put("chat_template", props.chatTemplate());
        page.put("bos_token", props.bosToken());
        page.put("eos_token", props.eosToken());
        page.put("modalities", Map.of("vision", false, "audio", false));
        page.put("build_info", props.buildInfo());
        return page;
    }
}
