package dev.darkbloom.agent.api;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts requests by route and status, and connections. Labels are routes and statuses, never anything that a client wrote. */
final class HttpMeters {
    /** What is recorded when the client went away first; nginx's number for it. */
    static final int CLIENT_GONE = 499;

    private final MeterRegistry registry;
    private final AtomicInteger connections = new AtomicInteger();

    HttpMeters(MeterRegistry registry, InFlight inFlight) {
        this.registry = registry;
        Gauge.builder("darkbloom.http.connections", connections, AtomicInteger::get)
                .description("open connections of the local endpoint")
                .register(registry);
        Gauge.builder("darkbloom.http.requests.in.flight", inFlight, InFlight::count)
                .description("requests whose last byte has not been written")
                .register(registry);
    }

    /** Counts a connection that opens; returns how many there are with it. */
    int opened() {
        return connections.incrementAndGet();
    }

    void closed() {
        connections.decrementAndGet();
    }

    /** Records an answered request; the time ends with the answer's last byte. */
    void answered(Exchange exchange, int status) {
        Timer.builder("darkbloom.http.request")
                .description("requests to the local endpoint, from the head's arrival to the answer's last byte")
                .tag("route", exchange.label())
                .tag("status", Integer.toString(status))
                .register(registry)
                .record(System.nanoTime() - exchange.startNanos(), TimeUnit.NANOSECONDS);
    }
}
