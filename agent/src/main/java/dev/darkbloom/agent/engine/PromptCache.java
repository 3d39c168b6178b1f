package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.lang.foreign.MemorySegment;

/**
 * Finds the slot whose memory already holds the beginning of a prompt, and makes its sequence hold exactly that.
 *
 * <p>Only what is certain to give the same answer as a fresh sequence is kept; what that is depends on how the model remembers. At least one
 * prompt token is always left to run, since the first token is sampled from its logits.
 */
@Confined("engine-<model>")
final class PromptCache {
    /** A prefix is worth a slot's memory when it saves at least one part in this many of the prompt. */
    private static final int WORTHWHILE = 10;

    private final Slot[] slots;
    private TokenDecoder decoder;

    PromptCache(Slot[] slots, TokenDecoder decoder) {
        this.slots = slots;
        this.decoder = decoder;
    }

    /** Goes on with another context, whose sequences are empty. */
    void use(TokenDecoder fresh) {
        decoder = fresh;
    }

    /**
     * Returns the idle slot for a prompt: the one that saves most of it, otherwise an empty one, otherwise the least recently used; null
     * when all are busy.
     *
     * <p>A short common beginning, such as a template's first words, does not count: it would cost a slot that holds a whole conversation.
     */
    Slot choose(MemorySegment prompt, int promptTokens) {
        Slot best = null;
        int bestReusable = 0;
        Slot spare = null;
        for (Slot slot : slots) {
            if (!slot.isIdle()) {
                continue;
            }
            int reusable = reusable(slot, prompt, promptTokens);
            if ((long) reusable * WORTHWHILE >= promptTokens && reusable > bestReusable) {
                best = slot;
                bestReusable = reusable;
            }
            if (spare == null || isBetterSpare(slot, spare)) {
                spare = slot;
            }
        }
        return best != null ? best : spare;
    }

    private static boolean isBetterSpare(Slot slot, Slot than) {
        boolean empty = slot.heldTokens() == 0;
        boolean otherEmpty = than.heldTokens() == 0;
        return empty == otherEmpty ? slot.lastUsed() < than.lastUsed() : empty;
    }

    /** Makes an idle slot's sequence hold a beginning of the prompt and nothing else; returns how many tokens that is. */
    int prepare(Slot slot, MemorySegment prompt, int promptTokens) {
        int keep = reusable(slot, prompt, promptTokens);
        if (keep < slot.heldTokens() && (keep == 0 || !decoder.removeFrom(slot.sequence, keep))) {
            clear(slot);
            return 0;
        }
        slot.forgetFrom(keep);
        return keep;
    }

    /** Empties a slot's sequence. */
    void clear(Slot slot) {
        decoder.removeFrom(slot.sequence, 0);
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
    private int reusable(Slot slot, MemorySegment prompt, int promptTokens) {
        int common = slot.commonPrefix(prompt, promptTokens);
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
