package dev.darkbloom.agent.service;

import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.service.control.ControlClient;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntConsumer;

/** Ends an agent that runs in another process. */
public final class AgentStop {
    /** What an agent is given, after its last request, to free its models and go. */
    private static final Duration CLOSING = Duration.ofSeconds(30);

    /** How it went. */
    public enum Outcome { ENDED, NOT_RUNNING, STILL_RUNNING }

    private AgentStop() {}

    /**
     * Ends the agent of {@code home} and waits until its process has gone.
     *
     * @param timeout what running requests are given to finish; none with {@code force}
     * @param force whether to end the process where asking does not help
     * @param news hears the requests that still run or wait, now and then, when there are any
     */
    public static Outcome stop(AgentHome home, Duration timeout, boolean force, IntConsumer news) throws InterruptedException {
        var holder = HomeLock.holder(home);
        var process = holder.isPresent() ? ProcessHandle.of(holder.getAsLong()) : Optional.<ProcessHandle>empty();
        try (var client = ControlClient.connect(home).orElse(null)) {
            if (client != null) {
                client.stop(force ? Duration.ZERO : timeout, requests -> {
                    if (requests > 0) {
                        news.accept(requests);
                    }
                });
            } else if (process.isEmpty()) {
                return Outcome.NOT_RUNNING;
            }
        }
        if (process.isEmpty() || hasGone(process.get(), CLOSING)) {
            return Outcome.ENDED;
        }
        if (force) {
            process.get().destroyForcibly();
            return hasGone(process.get(), CLOSING) ? Outcome.ENDED : Outcome.STILL_RUNNING;
        }
        return Outcome.STILL_RUNNING;
    }

    private static boolean hasGone(ProcessHandle process, Duration patience) throws InterruptedException {
        try {
            process.onExit().get(patience.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException _) {
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException("the end of process " + process.pid() + " could not be awaited", e.getCause());
        }
    }
}
