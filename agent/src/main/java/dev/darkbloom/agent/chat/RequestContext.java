package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.TokenRing;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.engine.Origin;
import dev.darkbloom.agent.llama.LongCalls;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;

/**
 * What every kind of request needs while it is answered.
 *
 * @param pool where models come from
 * @param settings the owner's decisions
 * @param clock wall time, for {@code created} and for templates
 * @param nanoClock monotonic time, for pings and deadlines
 * @param id this request's
 * @param sink where its answer goes; borrowed
 * @param isRelayed whether a coordinator passes the request on, and wants some answers in a form that it lets through
 */
record RequestContext(ModelPool pool, CompletionsSettings settings, InstantSource clock, NanoClock nanoClock, RequestId id, ResponseSink sink,
        boolean isRelayed) {
    private static final int MAX_MODEL_BYTES = 512;

    /** Part of a request's work. */
    @FunctionalInterface
    interface Work {
        void run() throws InterruptedException;
    }

    /** Does {@code work}; what of it waits for its turn is not begun once the sink's other side is gone. */
    void whileWanted(Work work) throws InterruptedException {
        try {
            ScopedValue.where(LongCalls.WANTED, () -> !sink.isGone()).call(() -> {
                work.run();
                return null;
            });
        } catch (RuntimeException | InterruptedException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns the name of the model that a request asks for; the only one there is when it names none. */
    String modelName(RequestBody body) {
        Slice value = body.value("model", Kind.STRING);
        if (!value.isEmpty() && !body.json().isEmptyText(value)) {
            return body.json().setting(value, MAX_MODEL_BYTES).orElseThrow(() -> AgentException.ofParam(ErrorCode.UNKNOWN_MODEL, "model",
                    "a model name has at most " + MAX_MODEL_BYTES + " bytes"));
        }
        List<ModelStatus> models = pool.models();
        if (models.size() != 1) {
            throw RequestBody.invalid("model", "model is missing, and " + models.size() + " models are offered");
        }
        return models.getFirst().id();
    }

    /** Returns a hold on a model, which the caller closes; blocks while it is loaded. */
    ModelLease acquire(String model) throws InterruptedException {
        sink.chosen(model);
        try {
            return pool.acquire(model);
        } catch (AgentException e) {
            if (e.code() == ErrorCode.UNKNOWN_MODEL) {
                throw AgentException.ofParam(ErrorCode.UNKNOWN_MODEL, "model", "model '" + model + "' is not available on this node");
            }
            throw e;
        }
    }

    /** Returns a hold on a model that writes text. */
    ModelLease acquireForText(String model) throws InterruptedException {
        ModelLease lease = acquire(model);
        if (lease.spec().embedding()) {
            lease.close();
            throw RequestBody.invalid("model", "model '" + model + "' makes embeddings only");
        }
        return lease;
    }

    /** Returns an empty ring in {@code memory} for one answer, which takes it; {@code topLogprobs} as in {@link AnswerSettings}. */
    TokenRing ring(ContentArena memory, int topLogprobs) {
        return memory.ring(settings.ringTokens(), Math.max(0, topLogprobs));
    }

    /** Returns the wall clock's time in Unix seconds. */
    long nowSeconds() {
        return clock.instant().getEpochSecond();
    }

    /** Returns whose prompts' beginnings this request's may be compared with. */
    Origin origin() {
        return isRelayed ? Origin.RELAYED : Origin.LOCAL;
    }

    /** Returns what the answer's events begin with. */
    ResponseHead head(String prefix, String model) {
        return new ResponseHead(prefix + id.value(), nowSeconds(), model, settings.fingerprint());
    }

    /** Returns the deadline of a generation submitted now. */
    long deadlineNanos() {
        return settings.requestTimeout().isZero() ? Long.MAX_VALUE : nanoClock.nanoTime() + settings.requestTimeout().toNanos();
    }

    /** Returns whether a model thinks when its request does not say. */
    Optional<Boolean> thinkingByDefault(ModelLease lease) {
        return Optional.ofNullable(settings.enableThinking().get(lease.spec().id()));
    }
}
