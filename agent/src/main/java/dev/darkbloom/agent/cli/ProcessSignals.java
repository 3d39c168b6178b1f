package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.StopSignal;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import org.jline.utils.Signals;

/**
 * Turns Ctrl-C, SIGTERM and a closed terminal into the wish that the agent ends.
 *
 * <p>Handlers and not a shutdown hook: with a hook the process would die while the main thread still frees models, and a second Ctrl-C would
 * do nothing. The first one drains, the second one cancels what runs, the third one ends the process as it is.
 */
final class ProcessSignals implements AutoCloseable {
    private static final Duration PATIENCE_AT_THE_KEYBOARD = Duration.ofSeconds(30);
    private static final Duration PATIENCE_OF_A_SERVICE = Duration.ofSeconds(600);
    private static final int ENDED_BY_INTERRUPT = 130;

    private record Previous(String name, Object handler) {}

    private final StopSignal stop;
    private final Terminal terminal;
    private final Deque<Previous> previous = new ArrayDeque<>();
    private final AtomicInteger interrupts = new AtomicInteger();
    private volatile IntSupplier requestsInFlight = () -> 0;

    private ProcessSignals(StopSignal stop, Terminal terminal) {
        this.stop = stop;
        this.terminal = terminal;
    }

    /** Begins to listen; {@link #close} puts the previous handlers back. */
    static ProcessSignals forwardTo(StopSignal stop, Terminal terminal) {
        var signals = new ProcessSignals(stop, terminal);
        signals.handle("INT", signals::interrupted);
        signals.handle("TERM", () -> stop.request(PATIENCE_OF_A_SERVICE));
        signals.handle("HUP", () -> stop.request(PATIENCE_OF_A_SERVICE));
        return signals;
    }

    private void handle(String name, Runnable action) {
        previous.push(new Previous(name, Signals.register(name, action)));
    }

    /** Tells who knows how many requests would have to be finished. */
    void running(IntSupplier requests) {
        requestsInFlight = requests;
    }

    private void interrupted() {
        switch (interrupts.incrementAndGet()) {
            case 1 -> {
                int requests = requestsInFlight.getAsInt();
                if (requests > 0) {
                    terminal.err().println("finishing " + requests + (requests == 1 ? " request" : " requests") + "; Ctrl-C again cancels");
                }
                stop.request(PATIENCE_AT_THE_KEYBOARD);
            }
            case 2 -> stop.request(Duration.ZERO);
            default -> Runtime.getRuntime().halt(ENDED_BY_INTERRUPT);
        }
    }

    @Override
    public void close() {
        previous.forEach(signal -> Signals.unregister(signal.name(), signal.handler()));
    }
}
