package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime.MemoryKind;

/**
 * The KV cache as the sequences share it: what a copy costs, how many tokens lie in it, and whether more find room. All that the engine does
 * differently for the two {@link KvLayout}s is done here.
 *
 * <p>In streams each sequence has its own cells: it never lacks room, and taking over another one's tokens moves bytes. Unified, sequences
 * take cells from one store that may be smaller than all of them together; taking over costs nothing, and the tokens lie there once.
 */
@Confined("engine-<model>")
final class KvRoom {
    /** Bytes that a copy moves in a nanosecond, at least: any memory that a model is run from does this. */
    private static final double COPY_BYTES_PER_NANO = 4;
    /** A request is let in when this many tokens of its answer, or all of them, would find room behind its prompt. */
    private static final int ANSWER_ROOM = 256;

    /** Two rows among eight take what a second pass does (two-core x86 machine, CPU backend, llama.cpp v0.4.0). */
    private static final int FILLABLE_GAP = 2;

    private final Slot[] slots;
    private final boolean unified;
    private final long capacity;
    private final long bytesPerSequence;

    /**
     * Makes the room of a fresh context.
     *
     * @param capacity tokens that all sequences together may hold
     * @param contextBytes the size of the whole cache
     */
    KvRoom(Slot[] slots, KvLayout layout, long capacity, long contextBytes) {
        this.slots = slots;
        this.unified = layout == KvLayout.UNIFIED;
        this.capacity = capacity;
        this.bytesPerSequence = contextBytes / slots.length;
    }

    /**
     * Returns how many idle sequences between two busy ones get a row that nobody reads, so that the busy ones are computed together: a row or
     * two cost no more than another pass over the weights, and much less on a GPU. None where it does not matter which sequences are computed
     * together, or where memory cannot take a row back.
     */
    int fillableGap(MemoryKind kind) {
        return unified || kind != MemoryKind.ATTENTION ? 0 : FILLABLE_GAP;
    }

    /** Returns whether only neighbours are computed together. */
    boolean prefersNeighbours() {
        return !unified;
    }

    /** Returns what it takes to give one sequence another one's tokens, in nanoseconds: a stream is copied whole, however little it holds. */
    long copyNanos() {
        return unified ? 0 : (long) (bytesPerSequence / COPY_BYTES_PER_NANO);
    }

    /** Notes that {@code target}, which was empty, holds the first {@code tokens} of {@code source}. */
    void shared(Slot source, Slot target, int tokens) {
        if (unified) {
            share(target, source, tokens);
        }
    }

    /** Notes that a slot holds only its first {@code tokens} from now on; called before it forgets the others. */
    void forgets(Slot slot, int tokens) {
        Slot owner = slot.sharesWith;
        int owned = slot.sharedTokens; // the slot's first tokens that lie in the owner's name
        int kept = Math.max(tokens, owned);
        Slot heir = null;
        for (Slot other : slots) {
            if (other.sharesWith == slot && other.sharedTokens > kept && (heir == null || other.sharedTokens > heir.sharedTokens)) {
                heir = other;
            }
        }
        for (Slot other : slots) {
            if (other == heir || other.sharesWith != slot || other.sharedTokens <= tokens) {
                continue;
            }
            other.sharesWith = other.sharedTokens <= owned ? owner : heir; // who has the same beginning, and keeps it
        }
        if (heir != null) { // what the slot gives up lives on in the heir's name
            share(heir, owned > tokens ? owner : slot, kept);
        }
        share(slot, owner, Math.min(owned, tokens));
    }

    private static void share(Slot slot, Slot with, int tokens) {
        slot.sharesWith = tokens == 0 ? null : with;
        slot.sharedTokens = tokens;
    }

    /** Returns the tokens that lie in the cache, those that several sequences share counted once. */
    long used() {
        long used = 0;
        for (int i = 0; i < slots.length; i++) {
            used += slots[i].heldTokens() - slots[i].sharedTokens;
        }
        return used;
    }

    /** Returns whether there is room for whatever comes, so that nobody has to ask. */
    boolean isAmple() {
        return !unified;
    }

    /**
     * Returns whether a prompt of which {@code newTokens} have to be computed finds room, with a good part of its answer, beside what runs and
     * what is kept.
     */
    boolean hasRoomFor(int newTokens, int answerTokens) {
        long promised = 0;
        for (Slot slot : slots) {
            if (!slot.isIdle()) {
                EngineGeneration running = slot.generation();
                promised += slot.tokensToCompute() + Math.min(running.maxTokens - running.generatedTokens, ANSWER_ROOM);
            }
        }
        return used() + promised + newTokens + Math.min(answerTokens, ANSWER_ROOM) <= capacity;
    }

    /**
     * The same, told from outside by counts: whether a prompt finds room beside what runs, every kept prefix gone.
     *
     * @param runningTokens prompts and answers so far of {@code busySlots} requests that may produce {@code promisedTokens} more
     */
    static boolean hasRoomFor(long newTokens, long answerTokens, long runningTokens, long promisedTokens, int busySlots, long capacity) {
        return runningTokens + Math.min(promisedTokens, (long) busySlots * ANSWER_ROOM) + newTokens + Math.min(answerTokens, ANSWER_ROOM) <= capacity;
    }
}
