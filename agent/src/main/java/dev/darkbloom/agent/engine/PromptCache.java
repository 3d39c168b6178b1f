package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.lang.foreign.MemorySegment;

/**
 * Finds what a prompt has in common with what sequences hold, or are about to hold, and has it taken over instead of computed.
 *
 * <p>Only what a request of the same {@link Origin} brought counts as common. An idle slot of the other one may be taken like any other; it is
 * emptied then.
 *
 * <p>Only what is certain to give the same answer as a fresh sequence is kept; what that is depends on how the model remembers. At least one
 * prompt token is always left to run, since the first token is sampled from its logits.
 */
@Confined("engine-<model>")
final class PromptCache {
    /** A prefix is worth taking over when it saves at least one part in this many of the prompt. */
    private static final int WORTHWHILE = 10;
    /** Fewer tokens than this are computed sooner than waited for. */
    private static final int WORTH_WAITING = 16;

    private final Slot[] slots;
    private final StepPace pace;
    private final long stepTargetNanos;
    private KvRoom room;
    private TokenDecoder decoder;

    PromptCache(Slot[] slots, TokenDecoder decoder, KvRoom room, StepPace pace, long stepTargetNanos) {
        this.slots = slots;
        this.decoder = decoder;
        this.room = room;
        this.pace = pace;
        this.stepTargetNanos = stepTargetNanos;
    }

    /** Goes on with another context, whose sequences are empty. */
    void use(TokenDecoder fresh, KvRoom freshRoom) {
        decoder = fresh;
        room = freshRoom;
    }

    /**
     * Returns the idle slot for a prompt; null when all are busy. It is the one that holds a beginning of it and would lose nothing or little
     * by going on from there; otherwise an empty one, otherwise the least recently used.
     *
     * <p>A short common beginning, such as a template's first words, does not count: it would cost a slot that holds a whole conversation.
     */
    Slot choose(Origin origin, MemorySegment prompt, int promptTokens) {
        Slot best = null;
        int bestReusable = 0;
        for (Slot slot : slots) {
            if (!slot.isIdle()) {
                continue;
            }
            int reusable = reusable(slot, origin, prompt, promptTokens);
            if (isWorthwhile(reusable, promptTokens) && reusable > bestReusable) {
                best = slot;
                bestReusable = reusable;
            }
        }
        Slot spare = spare();
        if (best == null || best == spare) {
            return spare;
        }
        return belongsTo(best, bestReusable) || !copyPays(bestReusable) ? best : spare;
    }

    /** Returns the idle slot whose tokens are least of a loss: an empty one, otherwise the least recently used; null when all are busy. */
    Slot spare() {
        Slot spare = null;
        for (Slot slot : slots) {
            if (slot.isIdle() && (spare == null || isBetterSpare(slot, spare))) {
                spare = slot;
            }
        }
        return spare;
    }

    /**
     * Returns whether a prompt is of the conversation that a slot holds: it goes on from there, or asks again what the slot has answered. A
     * prompt that only begins like it gets a copy of the beginning instead, since the conversation may go on.
     */
    private static boolean belongsTo(Slot slot, int reusable) {
        long unshared = slot.promptTokens() - reusable;
        return unshared * WORTHWHILE <= slot.promptTokens();
    }

    private boolean isBetterSpare(Slot slot, Slot than) {
        boolean empty = slot.heldTokens() == 0;
        if (empty != (than.heldTokens() == 0)) {
            return empty;
        }
        int more = empty ? busyNeighbours(slot) - busyNeighbours(than) : 0; // neighbours are computed together, see BatchPlanner
        return more == 0 ? slot.lastUsed() < than.lastUsed() : more > 0;
    }

    private int busyNeighbours(Slot slot) {
        int at = slot.sequence;
        return (at > 0 && !slots[at - 1].isIdle() ? 1 : 0) + (at + 1 < slots.length && !slots[at + 1].isIdle() ? 1 : 0);
    }

    private static boolean isWorthwhile(int tokens, int promptTokens) {
        return tokens > 0 && (long) tokens * WORTHWHILE >= promptTokens;
    }

    /** Returns whether copying is quicker than computing so many tokens, and short enough for a step. */
    private boolean copyPays(int tokens) {
        long copy = room.copyNanos();
        return copy <= stepTargetNanos && (pace.prefillNanosPerToken() == 0 || copy <= tokens * pace.prefillNanosPerToken());
    }

    /**
     * Makes an idle slot's sequence hold a beginning of the prompt and nothing else, its own or one that it takes over from the slot that has
     * most of it, busy or idle; returns how many tokens that is.
     */
    int prepare(Slot slot, Origin origin, MemorySegment prompt, int promptTokens) {
        int own = reusable(slot, origin, prompt, promptTokens);
        Slot donor = null;
        int most = own;
        for (Slot other : slots) {
            if (other != slot) {
                int reusable = reusable(other, origin, prompt, promptTokens);
                if (reusable > most) {
                    donor = other;
                    most = reusable;
                }
            }
        }
        if (donor == null || !isWorthwhile(most - own, promptTokens) || !copyPays(most - own)) {
            return keep(slot, own);
        }
        clear(slot);
        return takeOver(donor, slot, most);
    }

    /** Cuts what the slot holds down to its first {@code tokens}, or to nothing where that cannot be done; returns what is left. */
    private int keep(Slot slot, int tokens) {
        if (tokens < slot.heldTokens() && (tokens == 0 || !decoder.removeFrom(slot.sequence, tokens))) {
            clear(slot);
            return 0;
        }
        room.forgets(slot, tokens);
        slot.forgetFrom(tokens);
        return tokens;
    }

    private int takeOver(Slot donor, Slot slot, int tokens) {
        decoder.copySequence(donor.sequence, slot.sequence);
        slot.copyHeld(donor, donor.heldTokens());
        room.shared(donor, slot, donor.heldTokens());
        return keep(slot, tokens);
    }

    /**
     * Returns the busy slot whose prompt, still being computed, will soon have more in common with this one than {@code kept} tokens, by
     * enough to wait for it; null when there is none. {@link #sharedWith} says how much that is.
     *
     * @param before slots placed at this time or later are not waited for: otherwise two might wait for each other
     */
    Slot leader(long before, Origin origin, MemorySegment prompt, int promptTokens, int kept) {
        Slot leader = null;
        int most = kept;
        for (Slot slot : slots) {
            if (slot.isReadingPrompt() && slot.order() < before) {
                int shared = sharedWith(slot, origin, prompt, promptTokens);
                if (shared > most && shared > slot.heldTokens()) {
                    leader = slot;
                    most = shared;
                }
            }
        }
        int saved = most - kept;
        boolean worthwhile = leader != null && saved >= WORTH_WAITING && isWorthwhile(saved, promptTokens) && copyPays(saved);
        return worthwhile && canFollow() ? leader : null;
    }

    private boolean canFollow() {
        return switch (decoder.memoryKind()) {
            case ATTENTION, SLIDING_WINDOW, RECURRENT, HYBRID -> true;
            case NONE -> false;
        };
    }

    /**
     * Returns how many tokens of a prompt the prompt that {@code leader} reads begins with. Never its last one: that one waits for the
     * leader's reader, for whom nobody else is to wait. None if the two are of different origin.
     */
    int sharedWith(Slot leader, Origin origin, MemorySegment prompt, int promptTokens) {
        GenerationRequest request = leader.generation().request;
        if (request.origin() != origin) {
            return 0;
        }
        long bytes = (long) Math.min(request.promptTokens() - 1, promptTokens - 1) * Integer.BYTES;
        long differs = MemorySegment.mismatch(request.prompt(), 0, bytes, prompt, 0, bytes);
        return (int) ((differs < 0 ? bytes : differs) / Integer.BYTES);
    }

    /** Returns how many tokens of a prompt would not have to be computed: what a slot holds of it, or what one that reads its prompt will. */
    int expected(Origin origin, MemorySegment prompt, int promptTokens) {
        int most = 0;
        for (Slot slot : slots) {
            most = Math.max(most, reusable(slot, origin, prompt, promptTokens));
            if (slot.isReadingPrompt()) {
                most = Math.max(most, sharedWith(slot, origin, prompt, promptTokens));
            }
        }
        return most;
    }

    /** Returns whether a sequence can only be taken over while it holds exactly what is shared: then its prompt is read up to there first. */
    boolean needsExactBorder() {
        return switch (decoder.memoryKind()) {
            case ATTENTION, NONE -> false;
            case SLIDING_WINDOW, RECURRENT, HYBRID -> true;
        };
    }

    /** Moves what an idle slot holds to another idle one, whose own is given up. */
    void moveHeld(Slot from, Slot to) {
        clear(to);
        decoder.copySequence(from.sequence, to.sequence);
        to.inheritFrom(from);
        clear(from);
    }

    /** Moves an answer that is being written to an idle slot, whose own tokens are given up. */
    void moveRunning(Slot from, Slot to) {
        clear(to);
        decoder.copySequence(from.sequence, to.sequence);
        from.moveTo(to);
        clear(from);
    }

    /** Empties a slot's sequence. */
    void clear(Slot slot) {
        decoder.removeFrom(slot.sequence, 0);
        room.forgets(slot, 0);
        slot.forgetFrom(0);
    }

    /** Empties the idle slot that was used longest ago; false when no idle slot holds anything. */
    boolean evictOldest() {
        Slot oldest = null;
        for (Slot slot : slots) {
            if (slot.isIdle() && slot.heldTokens() > 0 && (oldest == null || slot.lastUsed() < oldest.lastUsed())) {
                oldest = slot;
            }
        }
        if (oldest == null) {
            return false;
        }
        clear(oldest);
        return true;
    }

    /** Returns the tokens of {@code prompt} that the slot's sequence can contribute exactly. */
    int reusable(Slot slot, Origin origin, MemorySegment prompt, int promptTokens) {
        int common = slot.commonPrefix(origin, prompt, promptTokens);
        int cut = Math.min(common, promptTokens - 1);
        // Nothing has to be taken back: the sequence is a true beginning of the prompt.
        boolean whole = common == slot.heldTokens() && common < promptTokens;
        return switch (decoder.memoryKind()) {
            case ATTENTION -> cut;
            // Windowed layers have dropped what lay before the window. Going back needs tokens before the cut that may be gone, unless
            // nothing was dropped yet (llama_memory_seq_pos_min is the windowed layers' own).
            case SLIDING_WINDOW -> whole || cut > 0 && decoder.firstPosition(slot.sequence) == 0 ? cut : 0;
            // A state is the sum of everything it has read; it cannot be asked what it was earlier.
            case RECURRENT, HYBRID -> whole ? cut : 0;
            case NONE -> 0;
        };
    }
}
