package dev.darkbloom.agent.api;

import dev.darkbloom.agent.chat.StoredResponses;
import dev.darkbloom.agent.engine.ModelPool;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.Objects;
import java.util.Optional;

/**
 * What the endpoint asks of the rest of the agent.
 *
 * @param runner answers requests
 * @param models what can be asked for
 * @param cards what the models page says beside that
 * @param props what the properties page says
 * @param registry where the endpoint counts and what {@code /metrics} prints; borrowed
 * @param responses answers about responses that are kept; empty where none are
 */
public record ApiServices(RequestRunner runner, ModelPool models, ModelCards cards, PropsSource props, PrometheusMeterRegistry registry,
        Optional<StoredResponses> responses) {
    /** As the other, where no responses are kept. */
    public ApiServices(RequestRunner runner, ModelPool models, ModelCards cards, PropsSource props, PrometheusMeterRegistry registry) {
        this(runner, models, cards, props, registry, Optional.empty());
    }

    public ApiServices {
        Objects.requireNonNull(runner);
        Objects.requireNonNull(models);
        Objects.requireNonNull(cards);
        Objects.requireNonNull(props);
        Objects.requireNonNull(registry);
        Objects.requireNonNull(responses);
    }
}
