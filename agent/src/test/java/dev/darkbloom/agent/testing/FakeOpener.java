package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.DoublePredicate;
import java.util.function.ToLongFunction;

/** Opens {@link FakeModel}s: each needs a fixed number of bytes for weights, one per token of context, and one per slot for computing. */
public final class FakeOpener implements ModelOpener {
    public static final long WEIGHT_BYTES = 1000;

    private final Map<String, FakeBehaviour> behaviours = new ConcurrentHashMap<>();
    private final List<ModelSpec> opened = new CopyOnWriteArrayList<>();
    private volatile ToLongFunction<ComputeSettings> computeBytes = _ -> 0;
    private volatile CountDownLatch gate = new CountDownLatch(0);

    /** Returns the behaviour of a model, which may be changed at any time. */
    public FakeBehaviour behaviour(String modelId) {
        return behaviours.computeIfAbsent(modelId, _ -> new FakeBehaviour());
    }

    /** Returns what was opened, in order. */
    public List<ModelSpec> opened() {
        return opened;
    }

    /** Makes settings need more bytes for computing. */
    public void computeBytes(ToLongFunction<ComputeSettings> more) {
        computeBytes = more;
    }

    /** Stops loads halfway until {@link #release}. */
    public void hold() {
        gate = new CountDownLatch(1);
    }

    /** Lets loads go on. */
    public void release() {
        gate.countDown();
    }

    @Override
    public MemoryNeed need(ModelSpec spec) {
        return new MemoryNeed(WEIGHT_BYTES, spec.kvTokens(), spec.slots() + computeBytes.applyAsLong(spec.compute()));
    }

    @Override
    public ModelRuntime open(ModelSpec spec, DoublePredicate progress) {
        FakeBehaviour behaviour = behaviour(spec.id());
        behaviour.loads.incrementAndGet();
        tell(spec, progress, 0);
        tell(spec, progress, 0.5);
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new AgentException(ErrorCode.INTERNAL, "interrupted", e);
        }
        RuntimeException failure = behaviour.openFailure;
        if (failure != null) {
            throw failure;
        }
        tell(spec, progress, 1);
        opened.add(spec);
        return new FakeModel(spec, behaviour);
    }

    private static void tell(ModelSpec spec, DoublePredicate progress, double share) {
        if (!progress.test(share)) {
            throw new AgentException(ErrorCode.CANCELLED, "loading " + spec.id() + " was given up");
        }
    }
}
