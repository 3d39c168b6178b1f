package dev.darkbloom.agent.service.account;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.service.control.StatusReport;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Sends one real request through the coordinator, asking that only the caller's own machines answer, and finds out whether this one did.
 *
 * <p>A streamed answer names its job ({@code X-Inference-Job-ID}), which is the id under which the node saw the request. Blocks.
 */
public final class SelfRouteCheck {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration PAUSE = Duration.ofMillis(100);
    private static final int LOOKS = 30;
    private static final String JOB = "x-inference-job-id";

    private final CoordinatorHttp http;
    private final Supplier<StatusReport> status;
    private final DeviceLogin.Pause pause;

    /** Borrows {@code http}; {@code status} asks the running agent. */
    public SelfRouteCheck(CoordinatorHttp http, Supplier<StatusReport> status) {
        this(http, status, Thread::sleep);
    }

    SelfRouteCheck(CoordinatorHttp http, Supplier<StatusReport> status, DeviceLogin.Pause pause) {
        this.http = http;
        this.status = status;
        this.pause = pause;
    }

    /** What was found. */
    public sealed interface Finding {
        /** This machine answered, under {@code job}. */
        record ServedHere(String job) implements Finding {}

        /** Somebody answered, and it was not this machine. */
        record ServedElsewhere(String job, List<StatusReport.Gate> closed) implements Finding {}

        /** Nobody answered; {@code status} is HTTP's, 0 where the answer broke off. */
        record NotServed(int status, List<StatusReport.Gate> closed) implements Finding {}
    }

    /**
     * Checks.
     *
     * @param key the owner's API key
     * @throws AgentException {@code COORDINATOR_UNREACHABLE}
     */
    public Finding run(String model, Redacted key) throws InterruptedException {
        String job;
        boolean whole;
        try (CoordinatorHttp.LineAnswer answer = http.stream("/v1/chat/completions", AccountCodec.checkRequest(model), key,
                Map.of("X-Darkbloom-Route", "self"), LIMIT)) {
            if (answer.status() != 200) {
                return new Finding.NotServed(answer.status(), closed());
            }
            job = Optional.ofNullable(answer.headers().get(JOB)).orElse("");
            // To the end: who leaves earlier has the coordinator cancel the request, and nobody has served it.
            whole = answer.lines().filter(line -> line.startsWith("data:")).filter(AccountCodec::isAnswer).count() > 0;
        } catch (java.io.UncheckedIOException e) {
            throw new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "the answer broke off", e);
        }
        if (!whole) {
            return new Finding.NotServed(0, closed());
        }
        for (int i = 0; i < LOOKS; i++) {
            if (!job.isEmpty() && status.get().coordinator().map(StatusReport.Coordinator::recent).orElse(List.of()).contains(job)) {
                return new Finding.ServedHere(job);
            }
            pause.sleep(PAUSE);
        }
        return new Finding.ServedElsewhere(job, closed());
    }

    private List<StatusReport.Gate> closed() {
        return status.get().coordinator().map(StatusReport.Coordinator::gates).orElse(List.of()).stream()
                .filter(gate -> !gate.verdict().equals("pass")).toList();
    }
}
