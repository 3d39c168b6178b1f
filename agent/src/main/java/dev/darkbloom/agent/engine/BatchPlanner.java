package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.engine.Slot.Phase;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Fills one batch: a row for every slot that decodes, then prompt tokens up to a budget. Half of that budget, where several prompts are
 * read, goes to the one that has least left; the rest to all in the order of their placing. So streams keep their pace while a long prompt
 * is read, a short prompt does not wait for a long one before it, and prompts finish in turn instead of all late. Logits are asked for only
 * where a token will be sampled.
 */
@Confined("engine-<model>")
final class BatchPlanner {
    private final Slot[] slots;
    private TokenDecoder decoder;
    /** Where decoding rows begin; moves only when a batch has no room for all of them. */
    private int firstSlot;
    private int decodeRows;
    private int prefillRows;

    BatchPlanner(Slot[] slots, TokenDecoder decoder) {
        this.slots = slots;
        this.decoder = decoder;
    }

    /** Goes on with another context. */
    void use(TokenDecoder fresh) {
        decoder = fresh;
    }

    /** Empties the batch and adds a row for every slot that decodes and whose reader has room. */
    void planDecode() {
        decoder.clearBatch();
        decodeRows = 0;
        prefillRows = 0;
        int room = decodeRoom();
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            slot.plannedTokens = 0;
            slot.sampledRow = -1;
        }
        for (int i = 0; i < slots.length; i++) {
            int at = firstSlot + i;
            Slot slot = slots[at < slots.length ? at : at - slots.length];
            if (slot.phase() != Phase.DECODE || !slot.hasRingRoom()) {
                continue;
            }
            if (decodeRows == room) {
                firstSlot = slot.sequence;
                return;
            }
            slot.sampledRow = decoder.add(slot.nextToken(), slot.heldTokens(), slot.sequence, true);
            slot.plannedTokens = 1;
            decodeRows++;
        }
    }

    /** Returns the rows that decoding slots may take: all, or all but a few when a prompt waits that would never get one otherwise. */
    private int decodeRoom() {
        int room = decoder.batchTokens();
        for (int i = 0; i < slots.length; i++) {
            if (slots[i].phase() == Phase.PREFILL) {
                return Math.max(1, room - Math.max(1, room / 8));
            }
        }
        return room;
    }

    /** Adds up to {@code budget} prompt tokens; they go behind what is in the batch. */
    void planPrefill(int budget) {
        int left = Math.min(budget, decoder.batchTokens() - decoder.batchSize());
        Slot oldest = nextPrompt(Long.MIN_VALUE);
        Slot shortest = shortestPrompt();
        if (shortest != oldest && left > 1) {
            left -= addPrompt(shortest, left / 2);
        }
        for (Slot slot = oldest; slot != null && left > 0; slot = nextPrompt(slot.order())) {
            if (slot.plannedTokens == 0) {
                left -= addPrompt(slot, left);
            }
        }
    }

    /** Returns the prefilling slot with the least to read, the one placed first among equals, or null. */
    private Slot shortestPrompt() {
        Slot shortest = null;
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (slot.phase() == Phase.PREFILL && (shortest == null || slot.remainingPrompt() < shortest.remainingPrompt()
                    || slot.remainingPrompt() == shortest.remainingPrompt() && slot.order() < shortest.order())) {
                shortest = slot;
            }
        }
        return shortest;
    }

    /** Returns the prefilling slot that was placed first after the one placed as {@code after}, or null. */
    private Slot nextPrompt(long after) {
        Slot next = null;
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (slot.phase() == Phase.PREFILL && slot.order() > after && (next == null || slot.order() < next.order())) {
                next = slot;
            }
        }
        return next;
    }

    private int addPrompt(Slot slot, int most) {
        int remaining = slot.remainingPrompt();
        int count = Math.min(Math.min(remaining, most), slot.readUpTo - slot.heldTokens());
        boolean last = count == remaining;
        if (last && !slot.hasRingRoom()) {
            count--; // the prompt's last token waits until what it leads to can be handed out
            last = false;
        }
        MemorySegment prompt = slot.generation().request.prompt();
        int from = slot.heldTokens();
        for (int i = 0; i < count; i++) {
            boolean wantLogits = last && i == count - 1;
            int row = decoder.add(prompt.getAtIndex(ValueLayout.JAVA_INT, from + i), from + i, slot.sequence, wantLogits);
            if (wantLogits) {
                slot.sampledRow = row;
            }
        }
        slot.plannedTokens = count;
        prefillRows += count;
        return count;
    }

    /** Returns the rows of decoding slots in the batch. */
    int decodeRows() {
        return decodeRows;
    }

    /** Returns the prompt tokens in the batch. */
    int prefillRows() {
        return prefillRows;
    }
}
