package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.ThreadOwner;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.llama.Tokenizer.PieceTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Iterator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes answers: puts requests into slots, runs one batch per step over all of them and hands out the sampled tokens. Allocates when a
 * request comes and goes, never per token.
 */
@Confined("engine-<model>")
final class Scheduler implements Workload {
    private static final Logger log = LoggerFactory.getLogger(Scheduler.class);
    private static final Outcome STOP = new Outcome.Finished(FinishReason.STOP);
    private static final Outcome LENGTH = new Outcome.Finished(FinishReason.LENGTH);

    private final String modelId;
    private final PieceTable pieces;
    private final NanoClock clock;
    private final ModelCounters counters;
    private final Finisher finisher;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment held;
    private final Slot[] slots;
    private final ModelSpec spec;
    private final long contextBytes;
    private final PromptCache cache;
    private final BatchPlanner planner;
    private final SlotPacker packer;
    private final StepPace pace;
    private final Announcer announcer;
    private ThreadPace threadPace;
    private final ArrayDeque<EngineGeneration> waiting = new ArrayDeque<>();
    private final ThreadOwner owner = new ThreadOwner();

    private TokenDecoder decoder;
    private KvRoom room;
    private long nextDeadlineNanos = Long.MAX_VALUE;
    private int busySlots;
    /** Counts placings and endings, which are the times of slots. */
    private long ticks;

    /**
     * Makes a scheduler for a context that was just opened.
     *
     * @param contextBytes what the KV cache takes
     */
    Scheduler(ModelSpec spec, long contextBytes, TokenDecoder decoder, PieceTable pieces, NanoClock clock, ModelCounters counters,
            Finisher finisher, Bell bell, StepPace pace, long stepTargetNanos) {
        this.modelId = spec.id();
        this.spec = spec;
        this.contextBytes = contextBytes;
        this.decoder = decoder;
        this.pieces = pieces;
        this.clock = clock;
        this.counters = counters;
        this.finisher = finisher;
        long slotBytes = (long) decoder.contextTokensPerSequence() * Integer.BYTES;
        held = arena.allocate(slotBytes * decoder.sequences(), Integer.BYTES);
        slots = new Slot[decoder.sequences()];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = new Slot(i, held.asSlice(i * slotBytes, slotBytes));
        }
        this.pace = pace;
        announcer = new Announcer(slots, bell, pace);
        threadPace = new ThreadPace(decoder.threads(), slots.length);
        room = new KvRoom(slots, spec.kvLayout(), spec.kvTokens(), contextBytes);
        planner = new BatchPlanner(slots, decoder, room);
        cache = new PromptCache(slots, decoder, room, pace, stepTargetNanos);
        packer = new SlotPacker(slots, cache, pace, stepTargetNanos);
    }

    @Override
    public void accept(Job job) {
        var generation = (EngineGeneration) job;
        if (generation.isCancelRequested()) {
            finisher.cancel(generation);
            return;
        }
        waiting.add(generation);
        counters.queuedTokens.add(mostTokens(generation));
        nextDeadlineNanos = Math.min(nextDeadlineNanos, generation.deadlineNanos);
    }

    @Override
    public void sweep(long nowNanos) {
        long next = Long.MAX_VALUE;
        for (Iterator<EngineGeneration> all = waiting.iterator(); all.hasNext(); ) {
            EngineGeneration generation = all.next();
            Outcome outcome = verdict(generation, nowNanos);
            if (outcome == null) {
                next = Math.min(next, generation.deadlineNanos);
            } else {
                all.remove();
                counters.queuedTokens.add(-mostTokens(generation));
                finisher.end(generation, outcome);
            }
        }
        for (Slot slot : slots) {
            if (slot.isIdle()) {
                continue;
            }
            Outcome outcome = verdict(slot.generation(), nowNanos);
            if (outcome == null) {
                next = Math.min(next, slot.generation().deadlineNanos);
            } else {
                end(slot, outcome);
            }
        }
        nextDeadlineNanos = next;
    }

    private static long mostTokens(EngineGeneration generation) {
        return (long) generation.request.promptTokens() + generation.maxTokens;
    }

    private static Outcome verdict(EngineGeneration generation, long nowNanos) {
        if (generation.isCancelRequested()) {
            return new Outcome.Finished(FinishReason.CANCELLED);
        }
        return generation.isPast(nowNanos)
                ? new Outcome.Failed(Finisher.deadlineExceeded(generation.submittedNanos, nowNanos))
                : null;
    }

    @Override
    public long nextDeadlineNanos() {
        return nextDeadlineNanos;
    }

    @Override
    public boolean isRunnable() {
        if (!waiting.isEmpty() && busySlots < slots.length) {
            return true;
        }
        for (int i = 0; i < slots.length; i++) {
            if (slots[i].isRunnable()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean step(long nowNanos) {
        owner.check();
        stopFollowing();
        packer.pack(room);
        while (busySlots < slots.length && !waiting.isEmpty() && makeRoom(waiting.peek())) {
            place(takeWaiting(), nowNanos);
        }
        if (busySlots == 0) {
            return false;
        }
        long start = clock.nanoTime();
        planner.planDecode();
        int budget = pace.chunk(decoder.batchTokens(), planner.singleRows() > 0, planner.shortestPromptTokens());
        planner.planPrefill(budget, pace.isShort(planner.oldestPromptTokens()));
        if (announcer.hasUntold() && (decoder.batchSize() == 0 || planner.prefillRows() > 0)) {
            announcer.tell(start);
        }
        if (decoder.batchSize() == 0) {
            return false;
        }
        long cpu = decoder.cpuNanos();
        if (decode()) {
            long decoded = clock.nanoTime();
            if (planner.prefillRows() == 0) {
                watchThreads(planner.singleRows(), decoded - start, decoder.cpuNanos() - cpu, decoded);
            }
            commit(decoded);
            handOut(decoded);
            pace.observe(planner.prefillRows(), planner.singleRows(), clock.nanoTime() - start);
            packer.observe(planner.isScattered() && planner.prefillRows() == 0);
            counters.prefillMilliRate.set((long) (pace.prefillTokensPerSecond() * 1000));
            counters.decodeMilliRate.set((long) (pace.decodeTokensPerSecond() * 1000));
            counters.streamMilliRate.set((long) (pace.streamTokensPerSecond() * 1000));
        }
        return true;
    }

    private void watchThreads(int rows, long nanos, long cpuNanos, long nowNanos) {
        int before = threadPace.threads();
        threadPace.observe(rows, nanos, cpuNanos, nowNanos);
        if (threadPace.threads() != before) {
            decoder.computeWith(threadPace.threads());
            log.debug("cores are shared with others model={} computeThreads={}", modelId, threadPace.threads());
        }
    }

    /** Lets slots go on whose leader has come to where their prompts part, or is gone; and has leaders stop there where they must. */
    private void stopFollowing() {
        boolean exact = cache.needsExactBorder();
        for (int i = 0; i < slots.length; i++) {
            slots[i].readUpTo = Integer.MAX_VALUE;
        }
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (slot.leader() == null) {
                continue;
            }
            if (slot.canStopFollowing()) {
                takeOver(slot);
            } else if (exact) {
                slot.leader().readUpTo = Math.min(slot.leader().readUpTo, slot.followedTokens());
            }
        }
    }

    private void takeOver(Slot slot) {
        EngineGeneration generation = slot.generation();
        Origin origin = generation.request.origin();
        MemorySegment prompt = generation.request.prompt();
        int promptTokens = generation.request.promptTokens();
        int kept = cache.prepare(slot, origin, prompt, promptTokens);
        slot.stopFollowing(kept);
        countCached(generation, kept);
        Slot leader = cache.leader(slot.order(), origin, prompt, promptTokens, kept);
        if (leader != null) { // the one before has gone; all that followed it share with the oldest of them
            slot.follow(leader, cache.sharedWith(leader, origin, prompt, promptTokens));
        }
    }

    private void countCached(EngineGeneration generation, int kept) {
        counters.cachedTokens.add(kept - generation.cachedTokens);
        generation.cachedTokens = kept;
        generation.prefilledTokens = kept;
    }

    /** Returns whether a request finds room in the KV cache, for which old prefixes go if they must. */
    private boolean makeRoom(EngineGeneration generation) {
        if (room.isAmple()) {
            return true;
        }
        Origin origin = generation.request.origin();
        MemorySegment prompt = generation.request.prompt();
        int promptTokens = generation.request.promptTokens();
        boolean reuses = generation.request.reusesCache();
        // An eviction may take what would have been kept; it is looked at anew.
        while (!room.hasRoomFor(promptTokens - (reuses ? cache.expected(origin, prompt, promptTokens) : 0), generation.maxTokens)) {
            if (!cache.evictOldest()) {
                return busySlots == 0; // it is alone: what there is has to do
            }
        }
        return true;
    }

    private EngineGeneration takeWaiting() {
        EngineGeneration next = waiting.poll();
        counters.queuedTokens.add(-mostTokens(next));
        return next;
    }

    private void place(EngineGeneration generation, long nowNanos) {
        Origin origin = generation.request.origin();
        MemorySegment prompt = generation.request.prompt();
        int promptTokens = generation.request.promptTokens();
        Slot slot;
        Slot leader;
        int kept;
        try {
            if (generation.request.reusesCache()) {
                slot = cache.choose(origin, prompt, promptTokens);
                kept = cache.prepare(slot, origin, prompt, promptTokens);
                leader = cache.leader(ticks + 1, origin, prompt, promptTokens, kept);
            } else {
                slot = cache.spare();
                cache.clear(slot);
                kept = 0;
                leader = null;
            }
        } catch (RuntimeException | Error e) { // the request is in no list at this moment: it must not get lost
            finisher.end(generation, new Outcome.Failed(failure(e)));
            return;
        }
        generation.slotNanos = nowNanos;
        slot.begin(generation, generation.takeSampler(), kept, ++ticks);
        counters.busySlots.set(++busySlots);
        counters.admitted.add(1);
        counters.runningTokens.add(promptTokens);
        counters.promisedTokens.add(generation.maxTokens);
        countCached(generation, kept);
        if (leader != null) {
            slot.follow(leader, cache.sharedWith(leader, origin, prompt, promptTokens));
        }
    }

    /** Runs the batch, making room when there is none; false when nothing of it was run. */
    private boolean decode() {
        boolean shrunk = false;
        while (decoder.batchSize() > 0) {
            int code = decoder.decode();
            switch (code) {
                case TokenDecoder.DECODED -> {
                    planner.removeFillers();
                    return true;
                }
                case TokenDecoder.NO_KV_ROOM -> {
                    // Half a chunk often fits beside what is there. Before it gets much smaller than that, old prefixes go; and a
                    // request is given up only when not even one token finds room.
                    int budget = planner.prefillRows();
                    if (budget > 1 && !shrunk) {
                        budget /= 2;
                        shrunk = true;
                    } else if (!cache.evictOldest()) {
                        if (budget > 1 || budget == 1 && planner.singleRows() > 0) {
                            budget /= 2;
                        } else {
                            giveUpNewest();
                        }
                    }
                    planner.planDecode();
                    planner.planPrefill(budget, pace.isShort(planner.oldestPromptTokens()));
                }
                case TokenDecoder.ABORTED -> {
                    settleAborted();
                    return false;
                }
                default -> throw new AgentException(ErrorCode.DECODE_FATAL, "decoding failed with code " + code);
            }
        }
        return false;
    }

    private void giveUpNewest() {
        Slot newest = null;
        for (Slot slot : slots) {
            if (!slot.isIdle() && (newest == null || slot.order() > newest.order())) {
                newest = slot;
            }
        }
        var error = new AgentException(ErrorCode.NO_KV_SPACE, "no room for more tokens beside " + (busySlots - 1)
                + " other requests; this one held " + newest.heldTokens());
        cache.clear(newest);
        countUsed();
        end(newest, new Outcome.Failed(error));
    }

    /** Takes back what an aborted batch left in memory, so that the next step can run it again. */
    private void settleAborted() {
        planner.removeFillers();
        for (Slot slot : slots) {
            if (slot.plannedTokens == 0) {
                continue;
            }
            slot.plannedTokens = 0;
            if (!decoder.removeFrom(slot.sequence, slot.heldTokens())) {
                cache.clear(slot);
                countUsed();
                end(slot, new Outcome.Failed(new AgentException(ErrorCode.GENERATION_FAILED,
                        "decoding was aborted and this model's memory cannot be taken back")));
            }
        }
    }

    /** Notes what the batch has put into memory; before anyone learns that a request of it has ended. */
    private void commit(long nowNanos) {
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (slot.plannedTokens > 0) {
                slot.commitPlanned();
            }
        }
        counters.countStep(nowNanos);
        counters.promptTokens.add(planner.promptTokens());
        countUsed();
    }

    /** Samples the rows that asked for it and passes the tokens on. */
    private void handOut(long nowNanos) {
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (slot.sampledRow >= 0) {
                sample(slot, nowNanos);
            }
        }
        for (int i = 0; i < slots.length; i++) {
            if (!slots[i].isIdle()) {
                slots[i].generation().show();
            }
        }
        announcer.stepped(nowNanos, planner.promptTokens());
    }

    private void sample(Slot slot, long nowNanos) {
        EngineGeneration generation = slot.generation();
        Outcome outcome;
        try {
            outcome = sampleInto(generation, slot, nowNanos);
        } catch (RuntimeException e) {
            outcome = new Outcome.Failed(failure(e));
        }
        if (outcome != null) {
            end(slot, outcome);
        }
    }

    /** Returns how the generation ends with the token sampled now, or null when it goes on. */
    private Outcome sampleInto(EngineGeneration generation, Slot slot, long nowNanos) {
        GenerationRequest request = generation.request;
        int row = slot.sampledRow;
        slot.sampledRow = -1;
        int token = decoder.sample(slot.sampler(), row);
        if (token < 0) {
            return new Outcome.Failed(new AgentException(ErrorCode.GENERATION_FAILED, "the grammar allows no token here, or takes too much work to tell"));
        }
        if (pieces.isEndOfGeneration(token)) {
            return STOP;
        }
        if (request.topLogprobs() >= 0) {
            decoder.logprobs(row, token, request.topLogprobs(), request.ring().memory(), request.ring().nextEntry() + Integer.BYTES);
        }
        request.ring().put(token);
        generation.countToken(nowNanos);
        if (generation.generatedTokens == 1) {
            counters.countFirstToken(request.promptTokens(), generation.slotNanos, nowNanos);
        }
        counters.generatedTokens.add(1);
        counters.runningTokens.add(1);
        counters.promisedTokens.add(-1);
        if (generation.generatedTokens >= generation.maxTokens) {
            return LENGTH;
        }
        slot.continueWith(token);
        return null;
    }

    /** Returns what a request's holder is told about an exception that only concerns this request. */
    private AgentException failure(Throwable e) {
        if (e instanceof AgentException known) {
            return known;
        }
        log.error("generation failed model={}", modelId, e);
        return new AgentException(ErrorCode.GENERATION_FAILED, "generating failed: " + e.getClass().getSimpleName(), e);
    }

    private void countUsed() {
        counters.usedTokens.set(room.used());
    }

    private void end(Slot slot, Outcome outcome) {
        EngineGeneration generation = slot.generation();
        try {
            slot.release(++ticks);
        } catch (RuntimeException e) {
            log.error("closing a sampler failed model={}", modelId, e);
        }
        counters.busySlots.set(--busySlots);
        counters.runningTokens.add(-generation.request.promptTokens() - generation.generatedTokens);
        counters.promisedTokens.add(generation.generatedTokens - generation.maxTokens);
        finisher.end(generation, outcome);
    }

    @Override
    public void endRunning(AgentException error) {
        for (Slot slot : slots) {
            if (!slot.isIdle()) {
                end(slot, new Outcome.Failed(error));
            }
        }
    }

    @Override
    public void endAll(AgentException error) {
        endRunning(error);
        while (!waiting.isEmpty()) {
            finisher.end(takeWaiting(), new Outcome.Failed(error));
        }
        nextDeadlineNanos = Long.MAX_VALUE;
    }

    @Override
    public void use(TokenDecoder fresh) {
        decoder = fresh;
        threadPace = new ThreadPace(fresh.threads(), slots.length);
        for (Slot slot : slots) {
            room.forgets(slot, 0);
            slot.forgetFrom(0);
        }
        room = new KvRoom(slots, spec.kvLayout(), spec.kvTokens(), contextBytes);
        planner.use(fresh, room);
        cache.use(fresh, room);
        countUsed();
    }

    @Override
    public void close() {
        held.fill((byte) 0);
        arena.close();
    }
}
