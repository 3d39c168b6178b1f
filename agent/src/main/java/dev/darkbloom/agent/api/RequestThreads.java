package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.AgentException;
import java.time.Duration;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs requests on virtual threads, {@code request-<id>}, and sees to it that each one is answered. Any thread. */
final class RequestThreads {
    private static final Logger log = LoggerFactory.getLogger(RequestThreads.class);

    private final InFlight running = new InFlight();

    /**
     * Starts a request's thread.
     *
     * @param body taken, closed when the work is done; null where the request has none
     * @param work answers through the sink, or throws before it has begun to
     */
    void start(Exchange exchange, HttpSink sink, BodyIntake body, Consumer<HttpSink> work) {
        running.begin();
        Thread.ofVirtual().name("request-" + exchange.id()).start(() -> {
            try (body) {
                work.accept(sink);
                if (!sink.hasEnded() && !sink.isGone()) {
                    throw new IllegalStateException("the request was left without an answer");
                }
            } catch (AgentException e) {
                note(exchange, e);
                end(sink, e);
            } catch (Throwable t) {
                log.error("request failed id={} route={}", exchange.id(), exchange.label(), WithoutMessages.of(t));
                end(sink, ErrorEnvelope.internal());
            } finally {
                running.end();
            }
        });
    }

    /** Waits until no request's thread runs; returns whether that came before {@code limit}. */
    boolean awaitNone(Duration limit) {
        return running.awaitNone(limit);
    }

    private static void end(HttpSink sink, AgentException error) {
        try {
            sink.fail(error);
        } catch (AgentException _) {
            // The client went away first; there is nobody to tell.
        }
    }

    private static void note(Exchange exchange, AgentException error) {
        String code = error.code().wireCode();
        String id = exchange.id().value();
        String route = exchange.label();
        switch (error.code().kind()) {
            case REQUEST -> log.debug("request refused id={} route={} code={}", id, route, code);
            case CAPACITY, EXTERNAL -> log.info("request refused id={} route={} code={}", id, route, code);
            case SETUP -> log.error("request failed id={} route={} code={} remedy={}", id, route, code, error.code().remedy());
            case INTERNAL -> log.error("request failed id={} route={} code={}", id, route, code, WithoutMessages.of(error));
        }
    }
}
