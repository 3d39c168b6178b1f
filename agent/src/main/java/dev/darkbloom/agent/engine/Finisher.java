package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.EngineListener.GenerationStats;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.llama.TokenSampler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends jobs, always in the same order: what the job still owns is freed, it is counted, its place is given back, and only then its holder is
 * told. So whoever sees the end also sees counters that include it, and finds a place for the next request.
 */
@Confined("engine-<model>")
final class Finisher {
    private static final Logger log = LoggerFactory.getLogger(Finisher.class);

    private final String modelId;
    private final NanoClock clock;
    private final ModelCounters counters;
    private final Admission admission;
    private final Bell bell;
    private final EngineListener listener;

    Finisher(String modelId, NanoClock clock, ModelCounters counters, Admission admission, Bell bell, EngineListener listener) {
        this.modelId = modelId;
        this.clock = clock;
        this.counters = counters;
        this.admission = admission;
        this.bell = bell;
        this.listener = listener;
    }

    /** Ends a job that is in no slot any more. */
    void end(Job job, Outcome outcome) {
        switch (job) {
            case EngineGeneration generation -> settle(generation, outcome);
            case EmbeddingJob _ -> { }
        }
        counters.countEnd(outcome);
        admission.leave();
        job.publish(outcome);
        job.tellListener();
        bell.note(job);
        admission.ended();
    }

    private void settle(EngineGeneration generation, Outcome outcome) {
        TokenSampler unused = generation.takeSampler();
        if (unused != null) {
            unused.close();
        }
        generation.endNanos = clock.nanoTime();
        if (outcome instanceof Outcome.Finished(var reason) && reason == FinishReason.STOP && generation.generatedTokens <= 1) {
            counters.brief.add(1);
        }
        generation.show();
        try {
            listener.onFinished(new GenerationStats(modelId, generation.request.id(), generation.request.origin(), outcome,
                    generation.finalProgress()));
        } catch (RuntimeException e) {
            log.warn("engine listener failed model={} error={}", modelId, e.getClass().getName());
        }
    }

    void cancel(Job job) {
        end(job, new Outcome.Finished(FinishReason.CANCELLED));
    }

    /** Returns the error of a request whose time is over. */
    static AgentException deadlineExceeded(long submittedNanos, long nowNanos) {
        return new AgentException(ErrorCode.DEADLINE_EXCEEDED, "the request's deadline passed " + (nowNanos - submittedNanos) / 1_000_000
                + " ms after it was accepted");
    }
}
