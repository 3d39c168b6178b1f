package dev.darkbloom.agent.api;

import dev.darkbloom.agent.engine.ModelPool;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.Objects;

/**
 * What the endpoint asks of the rest of the agent.
 *
 * @param runner answers requests
 * @param models what can be asked for
 * @param cards what the models page says beside that
 * @param props what the properties page says
 * @param registry where the endpoint counts and what {@code /metrics} prints; borrowed
 */
public record ApiServices(RequestRunner runner, ModelPool models, ModelCards cards, PropsSource props, PrometheusMeterRegistry registry) {
    public ApiServices {
        Objects.requireNonNull(runner);
        Objects.requireNonNull(models);
        Objects.requireNonNull(cards);
        Objects.requireNonNull(props);
        Objects.requireNonNull(registry);
    }
}
