package dev.darkbloom.agent.api;

import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToDoubleFunction;

/**
 * Every model's counters and gauges, read when somebody scrapes.
 *
 * <p>What llama-server v0.4.0 counts too goes by its name ({@code llamacpp:…}), so that its dashboards work, with the model as a label;
 * everything goes by names of ours too ({@code darkbloom_…}), which stay. Counters start again when a model is loaded again, which
 * Prometheus understands.
 */
final class EngineMeters {
    private static final String MODEL = "model";

    private final ModelPool pool;
    private final PrometheusMeterRegistry registry;
    private final Map<String, Latest> models = new ConcurrentHashMap<>();

    /** The last status of one model; meters hold on to this and not to a status. */
    private static final class Latest {
        private volatile ModelStatus status;
    }

    EngineMeters(ModelPool pool, PrometheusMeterRegistry registry) {
        this.pool = pool;
        this.registry = registry;
    }

    /** Returns all metrics as Prometheus text. Any thread. */
    String scrape() {
        List<ModelStatus> now = pool.models();
        for (ModelStatus status : now) {
            models.computeIfAbsent(status.id(), id -> register(id, status)).status = status;
        }
        return registry.scrape();
    }

    private Latest register(String id, ModelStatus first) {
        var latest = new Latest();
        latest.status = first;
        counter(latest, id, "llamacpp:prompt_tokens_total", "prompt tokens computed", ModelStatus::promptTokens);
        counter(latest, id, "llamacpp:tokens_predicted_total", "tokens produced", ModelStatus::generatedTokens);
        counter(latest, id, "llamacpp:n_decode_total", "calls of llama_decode", ModelStatus::steps);
        gauge(latest, id, "llamacpp:prompt_tokens_seconds", "prompt tokens per second, lately", ModelStatus::prefillTokensPerSecond);
        gauge(latest, id, "llamacpp:predicted_tokens_seconds", "tokens produced per second, lately", ModelStatus::decodeTokensPerSecond);
        gauge(latest, id, "llamacpp:requests_processing", "requests in a slot", ModelStatus::busySlots);
        gauge(latest, id, "llamacpp:requests_deferred", "requests in the queue", ModelStatus::waiting);
        gauge(latest, id, "llamacpp:kv_cache_tokens", "tokens in memory, idle prefixes included", ModelStatus::usedTokens);

        counter(latest, id, "darkbloom.prompt.tokens", "prompt tokens computed", ModelStatus::promptTokens);
        counter(latest, id, "darkbloom.cached.tokens", "prompt tokens reused", ModelStatus::cachedTokens);
        counter(latest, id, "darkbloom.generated.tokens", "tokens produced", ModelStatus::generatedTokens);
        counter(latest, id, "darkbloom.steps", "calls of llama_decode", ModelStatus::steps);
        counter(latest, id, "darkbloom.requests.finished", "requests that ended well", ModelStatus::finished);
        counter(latest, id, "darkbloom.answers.brief", "answers that the model ended after at most one token", ModelStatus::brief);
        counter(latest, id, "darkbloom.requests.failed", "requests that failed", ModelStatus::failed);
        counter(latest, id, "darkbloom.requests.cancelled", "requests that were cancelled", ModelStatus::cancelled);
        counter(latest, id, "darkbloom.requests.refused", "requests turned away", ModelStatus::refused);
        gauge(latest, id, "darkbloom.requests.waiting", "requests in the queue", ModelStatus::waiting);
        gauge(latest, id, "darkbloom.queue.limit", "most requests that may wait", ModelStatus::queueLimit);
        gauge(latest, id, "darkbloom.slots", "places for requests", ModelStatus::slots);
        gauge(latest, id, "darkbloom.slots.busy", "places with a request", ModelStatus::busySlots);
        gauge(latest, id, "darkbloom.context.tokens", "tokens one slot holds", ModelStatus::contextTokens);
        gauge(latest, id, "darkbloom.used.tokens", "tokens in memory, idle prefixes included", ModelStatus::usedTokens);
        gauge(latest, id, "darkbloom.reserved.bytes", "memory that the ledger holds", ModelStatus::reservedBytes);
        gauge(latest, id, "darkbloom.load.progress", "0 to 1 while loading", ModelStatus::loadProgress);
        gauge(latest, id, "darkbloom.ready", "1 while the model serves", status -> status.state() == ModelState.READY ? 1 : 0);
        return latest;
    }

    private void counter(Latest latest, String id, String name, String description, ToDoubleFunction<ModelStatus> value) {
        FunctionCounter.builder(name, latest, held -> value.applyAsDouble(held.status))
                .description(description)
                .tag(MODEL, id)
                .register(registry);
    }

    private void gauge(Latest latest, String id, String name, String description, ToDoubleFunction<ModelStatus> value) {
        Gauge.builder(name, latest, held -> value.applyAsDouble(held.status))
                .description(description)
                .tag(MODEL, id)
                .register(registry);
    }
}
