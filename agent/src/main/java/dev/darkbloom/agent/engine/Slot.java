package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.llama.TokenSampler;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The scheduler's place for one request. It stands for one sequence of the context, and knows which tokens that sequence holds, also while
 * no request is in it: they may be the beginning of the next one's prompt.
 */
@Confined("engine-<model>")
final class Slot {
    /** What a slot does with its next batch. */
    enum Phase {
        /** No request; what the sequence holds is kept for reuse. */
        IDLE,
        /** Another slot is computing what this one's prompt begins with; it will be taken over. */
        FOLLOW,
        /** Prompt tokens are still to be run. */
        PREFILL,
        /** The prompt is in memory; each step runs the last token and samples the next one. */
        DECODE
    }

    final int sequence;
    /** {@code int32[contextTokens]}, the tokens that the sequence holds in memory, off-heap since they are content. */
    private final MemorySegment held;
    private int heldTokens;
    /** Whose requests may reuse what is held; of no meaning while nothing is. */
    private Origin origin = Origin.LOCAL;

    private Phase phase = Phase.IDLE;
    private EngineGeneration generation;
    private TokenSampler sampler;
    /** The token sampled last, which is not in memory yet. */
    private int nextToken;
    /** Order of the requests' placing; the newest has the largest. */
    private long order;
    /** Tokens of the prompt that was put in last; 0 before the first. */
    private int promptTokens;
    /** Order of the requests' ending; the least recently used idle slot has the smallest. */
    private long lastUsed;

    /** While following: the slot that is followed, the request that was in it then, and up to how many tokens. */
    private Slot leader;
    private EngineGeneration leaderGeneration;
    private int followedTokens;

    /** Kept by {@link KvRoom}: the slot whose cells the first {@link #sharedTokens} of this one's tokens lie in; null when in its own. */
    Slot sharesWith;
    int sharedTokens;

    /** Set by the scheduler: prompt tokens beyond which a batch does not read yet, since others wait for exactly these. */
    int readUpTo = Integer.MAX_VALUE;
    /** Set by the planner: tokens of this slot in the batch. */
    int plannedTokens;
    /** Set by the planner: the row to sample after the batch has run, or -1. */
    int sampledRow = -1;
    /** Set by the planner: the batch has a row behind what is held that nobody reads. */
    boolean filled;
    /** Set by the planner: this slot's rows are computed with those of its neighbours. */
    boolean joined;

    /**
     * Makes an idle slot.
     *
     * @param held {@code int32[contextTokens]}, owned by whoever owns the slot
     */
    Slot(int sequence, MemorySegment held) {
        this.sequence = sequence;
        this.held = held;
    }

    /** Puts a request in; the sequence holds exactly {@code keptTokens} of its prompt. Takes {@code requestSampler}. */
    void begin(EngineGeneration request, TokenSampler requestSampler, int keptTokens, long placedAs) {
        generation = request;
        sampler = requestSampler;
        heldTokens = keptTokens;
        promptTokens = request.request.promptTokens();
        origin = request.request.origin();
        order = placedAs;
        phase = Phase.PREFILL;
    }

    /** Has the slot, in which a request was just put, wait until {@code followed} holds its first {@code tokens}. */
    void follow(Slot followed, int tokens) {
        leader = followed;
        leaderGeneration = followed.generation;
        followedTokens = tokens;
        phase = Phase.FOLLOW;
    }

    /** Goes on by itself; the sequence holds {@code keptTokens} of the prompt. */
    void stopFollowing(int keptTokens) {
        leader = null;
        leaderGeneration = null;
        heldTokens = keptTokens;
        phase = Phase.PREFILL;
    }

    /** Returns whether the followed slot holds what is waited for, or never will. */
    boolean canStopFollowing() {
        return leader.generation != leaderGeneration || leader.heldTokens >= followedTokens;
    }

    /** Returns the slot that is followed, or null. */
    Slot leader() {
        return phase == Phase.FOLLOW ? leader : null;
    }

    /** Returns up to how many tokens the leader is followed. */
    int followedTokens() {
        return followedTokens;
    }

    /** Returns whether prompt tokens are still to come into the sequence, computed or taken over. */
    boolean isReadingPrompt() {
        return phase == Phase.PREFILL || phase == Phase.FOLLOW;
    }

    /** Takes the request out; what the sequence holds stays. */
    void release(long endedAs) {
        TokenSampler closing = sampler;
        generation = null;
        sampler = null;
        leader = null;
        leaderGeneration = null;
        phase = Phase.IDLE;
        plannedTokens = 0;
        sampledRow = -1;
        lastUsed = endedAs;
        closing.close();
    }

    /** Says that the sequence holds only its first {@code tokens}, or nothing. */
    void forgetFrom(int tokens) {
        long from = (long) tokens * Integer.BYTES;
        held.asSlice(from, (long) heldTokens * Integer.BYTES - from).fill((byte) 0);
        heldTokens = tokens;
    }

    /** Goes on in {@code target}, an idle slot whose sequence has just been made to hold what this one's does; this one is idle and empty then. */
    void moveTo(Slot target) {
        target.copyHeld(this, heldTokens);
        target.phase = phase;
        target.generation = generation;
        target.sampler = sampler;
        target.nextToken = nextToken;
        target.order = order;
        target.promptTokens = promptTokens;
        phase = Phase.IDLE;
        generation = null;
        sampler = null;
    }

    /** For tests: says that the sequence holds so many tokens. */
    void hold(int tokens) {
        heldTokens = tokens;
    }

    /** Notes that what {@code from}, an idle slot, held is this idle slot's now, with its place in the order of use. */
    void inheritFrom(Slot from) {
        copyHeld(from, from.heldTokens);
        promptTokens = from.promptTokens;
        lastUsed = from.lastUsed;
    }

    /** Notes that the sequence, which was empty, holds what the first {@code tokens} of another one are. */
    void copyHeld(Slot source, int tokens) {
        MemorySegment.copy(source.held, 0, held, 0, (long) tokens * Integer.BYTES);
        heldTokens = tokens;
        origin = source.origin;
    }

    /** Notes that the batch with this slot's planned tokens has run: they are in memory now. */
    void commitPlanned() {
        if (phase == Phase.DECODE) {
            held.setAtIndex(ValueLayout.JAVA_INT, heldTokens, nextToken);
            heldTokens++;
        } else {
            long from = (long) heldTokens * Integer.BYTES;
            MemorySegment.copy(generation.request.prompt(), from, held, from, (long) plannedTokens * Integer.BYTES);
            heldTokens += plannedTokens;
            generation.prefilledTokens = heldTokens;
        }
        plannedTokens = 0;
    }

    /** Returns how many tokens from the start the sequence and a prompt have in common; none if the two are of different origin. */
    int commonPrefix(Origin of, MemorySegment prompt, int promptTokens) {
        if (of != origin) {
            return 0;
        }
        long bytes = (long) Math.min(heldTokens, promptTokens) * Integer.BYTES;
        long differs = MemorySegment.mismatch(held, 0, bytes, prompt, 0, bytes);
        return (int) ((differs < 0 ? bytes : differs) / Integer.BYTES);
    }

    /** Goes on with a sampled token. */
    void continueWith(int token) {
        nextToken = token;
        phase = Phase.DECODE;
    }

    /** Returns the prompt tokens that are not in memory yet. */
    int remainingPrompt() {
        return generation.request.promptTokens() - heldTokens;
    }

    /** Returns the prompt tokens that this slot is going to compute, those that it waits to take over not counted. */
    int tokensToCompute() {
        return Math.max(0, phase == Phase.FOLLOW ? generation.request.promptTokens() - followedTokens : remainingPrompt());
    }

    /** Returns the tokens that the answer may still get. */
    int tokensToCome() {
        return generation.maxTokens - generation.generatedTokens;
    }

    /** Returns whether a sampled token could be handed out. */
    boolean hasRingRoom() {
        return generation.request.ring().hasRoom();
    }

    /** Returns whether the slot can take part in a batch now; one whose reader is behind cannot once a token would be sampled. */
    boolean isRunnable() {
        return switch (phase) {
            case IDLE -> false;
            case FOLLOW -> canStopFollowing();
            case PREFILL -> remainingPrompt() > 1 || hasRingRoom();
            case DECODE -> hasRingRoom();
        };
    }

    boolean isIdle() {
        return phase == Phase.IDLE;
    }

    Phase phase() {
        return phase;
    }

    EngineGeneration generation() {
        return generation;
    }

    TokenSampler sampler() {
        return sampler;
    }

    int nextToken() {
        return nextToken;
    }

    /** Returns the tokens of the prompt that was put in last; 0 before the first. */
    int promptTokens() {
        return promptTokens;
    }

    int heldTokens() {
        return heldTokens;
    }

    long order() {
        return order;
    }

    long lastUsed() {
        return lastUsed;
    }
}
