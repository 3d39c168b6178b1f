package dev.darkbloom.agent.service;

import dev.darkbloom.agent.coordinator.LinkCounts;
import dev.darkbloom.agent.coordinator.LinkCounts.CancelStage;
import dev.darkbloom.agent.coordinator.LinkEnd;
import dev.darkbloom.agent.coordinator.LinkState;
import dev.darkbloom.agent.crypto.PayloadFailure;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The coordinator's counters and gauges, read when somebody scrapes. Labels are words of ours: no id, no address, nothing that was received. */
final class LinkMeters {
    private final MeterRegistry registry;
    private final LinkCounts.Source link;

    private LinkMeters(MeterRegistry registry, LinkCounts.Source link) {
        this.registry = registry;
        this.link = link;
    }

    /**
     * Makes a link's numbers known to a registry.
     *
     * @param link held weakly, as Micrometer does
     */
    static void register(MeterRegistry registry, LinkCounts.Source link, InstantSource wall) {
        new LinkMeters(registry, link).registerAll(wall);
    }

    private void registerAll(InstantSource wall) {
        for (LinkState state : LinkState.values()) {
            gauge("state", "1 for the state that the connection is in", Tags.of("state", state.word()), at -> at.status().state() == state ? 1 : 0);
        }
        gauge("connected.seconds", "age of the connection, 0 without one", Tags.empty(), at -> at.status().connectedAt()
                .map(since -> Math.max(0, Duration.between(since, wall.instant()).toMillis() / 1000.0)).orElse(0.0));
        gauge("failures.in.a.row", "attempts to connect that failed since the last connection that lasted", Tags.empty(), at -> at.status().attempts());
        gauge("requests.in.flight", "requests that have not ended", Tags.empty(), at -> at.counts().inFlight());
        counter("attempts", "attempts to connect", Tags.empty(), LinkCounts::attempts);
        counter("reconnects", "connections behind the first one", Tags.empty(), counts -> Math.max(0, counts.registrations() - 1));
        counter("heartbeats", "reports that were written", Tags.empty(), LinkCounts::heartbeats);
        for (LinkEnd.Kind kind : LinkEnd.Kind.values()) {
            counter("ends", "ends of connections and of attempts", tag("why", kind), counts -> counts.ends().getOrDefault(kind, 0L));
        }
        counter("requests", "requests that have ended", Tags.of("outcome", "served"), LinkCounts::served);
        counter("requests", "requests that have ended", Tags.of("outcome", "failed"), LinkCounts::failed);
        counter("requests", "requests that have ended", Tags.of("outcome", "cancelled"),
                counts -> counts.cancels().values().stream().mapToLong(Long::longValue).sum());
        for (CancelStage stage : CancelStage.values()) {
            counter("cancels", "cancels, by where the request stood", tag("stage", stage), counts -> counts.cancels().getOrDefault(stage, 0L));
        }
        counter("cancels", "cancels, by where the request stood", Tags.of("stage", "ended"), LinkCounts::lateCancels);
        counter("tokens", "tokens of answers", Tags.empty(), LinkCounts::tokens);
        counter("chunks", "sealed chunks that were sent", Tags.empty(), LinkCounts::chunks);
        for (PayloadFailure.Reason reason : PayloadFailure.Reason.values()) {
            counter("not.opened", "requests that could not be opened", tag("reason", reason), counts -> counts.notOpened().getOrDefault(reason, 0L));
        }
        counter("duplicates", "requests whose id had been used before", Tags.empty(), LinkCounts::duplicates);
        counter("unknown.types", "messages of types that are not known here", Tags.empty(), LinkCounts::unknownTypes);
        counter("unknown.fields", "fields that are not known here", Tags.empty(), LinkCounts::unknownFields);
        counter("malformed", "messages that are none", Tags.empty(), LinkCounts::malformed);
        counter("challenges.ignored", "challenges whose nonce or time is none", Tags.empty(), LinkCounts::challengesIgnored);
    }

    private static Tags tag(String key, Enum<?> value) {
        return Tags.of(Tag.of(key, value.name().toLowerCase(Locale.ROOT)));
    }

    private void counter(String name, String description, Tags tags, ToDoubleFunction<LinkCounts> value) {
        FunctionCounter.builder("darkbloom.coordinator." + name, link, at -> value.applyAsDouble(at.counts()))
                .description(description)
                .tags(tags)
                .register(registry);
    }

    private void gauge(String name, String description, Tags tags, ToDoubleFunction<LinkCounts.Source> value) {
        Gauge.builder("darkbloom.coordinator." + name, link, value)
                .description(description)
                .tags(tags)
                .register(registry);
    }
}
