package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.engine.Slot.Phase;
import dev.darkbloom.agent.llama.TokenDecoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Fills one batch: a row for every slot that decodes or has one prompt token left, then prompt tokens up to a budget, in the order of placing;
 * behind a long prompt half of the budget goes to the one that has least left. So streams keep their pace while a long prompt is read, a
 * short prompt does not wait for a long one before it, and prompts finish in turn instead of all late.
 * Logits are asked for only where a token will be sampled.
 *
 * <p>Single rows go in by sequence, since a cache with a stream for each sequence computes only neighbours together
 * ({@code llama_batch_allocr::split_equal} of llama.cpp): each gap is one more pass over all weights. A small gap gets a row that nobody reads.
 */
@Confined("engine-<model>")
final class BatchPlanner {
    /** The token of rows that nobody reads: every vocabulary has it. */
    private static final int FILLER_TOKEN = 0;
    /** So many single rows pay for one that nobody reads; beside fewer, a second pass is cheaper. */
    private static final int ROWS_PER_FILLER = 4;
    /** Tokens of a piece beside another prompt's; each piece is a pass of its own where every sequence has its own stream. */
    private static final int SMALLEST_FURTHER_PIECE = 8;

    private final Slot[] slots;
    private TokenDecoder decoder;
    private KvRoom room;
    /** Where decoding rows begin; moves only when a batch has no room for all of them. */
    private int firstSlot;
    private int decodeRows;
    private int prefillRows;
    private int lastRows;
    private int fillerRows;
    private boolean scattered;

    BatchPlanner(Slot[] slots, TokenDecoder decoder, KvRoom room) {
        this.slots = slots;
        this.decoder = decoder;
        this.room = room;
    }

    /** Goes on with another context. */
    void use(TokenDecoder fresh, KvRoom freshRoom) {
        decoder = fresh;
        room = freshRoom;
    }

    /** Begins a batch with what decodes and whose reader has room, and with prompts that only their last token is missing of. */
    void planDecode() {
        decodeRows = 0;
        prefillRows = 0;
        lastRows = 0;
        for (int i = 0; i < slots.length; i++) {
            slots[i].plannedTokens = 0;
            slots[i].sampledRow = -1;
        }
        int most = decodeRoom();
        for (int i = 0; i < slots.length; i++) {
            int at = firstSlot + i;
            Slot slot = slots[at < slots.length ? at : at - slots.length];
            boolean decodes = slot.phase() == Phase.DECODE;
            if (!decodes && !isAtLastToken(slot) || !slot.hasRingRoom()) {
                continue;
            }
            if (decodeRows + lastRows == most) {
                firstSlot = slot.sequence;
                return;
            }
            slot.plannedTokens = 1;
            if (decodes) {
                decodeRows++;
            } else {
                lastRows++;
            }
        }
    }

    /** Returns whether the slot has one prompt token left, which costs a step no more than a decoding row does. */
    private static boolean isAtLastToken(Slot slot) {
        return slot.phase() == Phase.PREFILL && slot.remainingPrompt() == 1;
    }

    /** Returns the rows that decoding slots may take: all, or all but a few when a prompt waits that would never get one otherwise. */
    private int decodeRoom() {
        int rows = decoder.batchTokens();
        for (int i = 0; i < slots.length; i++) {
            if (slots[i].phase() == Phase.PREFILL) {
                return Math.max(1, rows - Math.max(1, rows / 8));
            }
        }
        return rows;
    }

    /** Returns the tokens that are to be read of the prompt that has the least left, without those with one token left; 0 when none is read. */
    int shortestPromptTokens() {
        Slot shortest = shortestPrompt();
        return shortest == null ? 0 : shortest.remainingPrompt();
    }

    /** Returns the tokens that are to be read of the prompt that was placed first, without those with one token left; 0 when none is read. */
    int oldestPromptTokens() {
        Slot oldest = nextPrompt(Long.MIN_VALUE);
        return oldest == null ? 0 : oldest.remainingPrompt();
    }

    /**
     * Adds up to {@code budget} prompt tokens and puts all rows into the batch.
     *
     * @param inTurn whether prompts are read in the order of their placing; otherwise half of the budget goes to the one with the least left
     */
    void planPrefill(int budget, boolean inTurn) {
        int left = Math.min(budget, decoder.batchTokens() - decodeRows - lastRows);
        Slot oldest = nextPrompt(Long.MIN_VALUE);
        Slot shortest = inTurn ? oldest : shortestPrompt();
        if (shortest != oldest && left > 1) {
            left -= planPrompt(shortest, left / 2);
        }
        for (Slot slot = oldest; slot != null && left > 0; slot = nextPrompt(slot.order())) {
            if (slot.plannedTokens == 0 && (slot == oldest || isWorthAPass(slot, left))) {
                left -= planPrompt(slot, left);
            }
        }
        fillBatch();
    }

    /** Returns whether what is left of a budget may go to one more prompt: a crumb that does not end it costs more than it brings. */
    private static boolean isWorthAPass(Slot slot, int left) {
        return left >= SMALLEST_FURTHER_PIECE || slot.remainingPrompt() <= left;
    }

    /** Returns the prefilling slot with the least to read, the one placed first among equals, or null. */
    private Slot shortestPrompt() {
        Slot shortest = null;
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            if (isUnplannedPrompt(slot) && (shortest == null || slot.remainingPrompt() < shortest.remainingPrompt()
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
            if (isUnplannedPrompt(slot) && slot.order() > after && (next == null || slot.order() < next.order())) {
                next = slot;
            }
        }
        return next;
    }

    private static boolean isUnplannedPrompt(Slot slot) {
        return slot.phase() == Phase.PREFILL && slot.plannedTokens == 0;
    }

    private int planPrompt(Slot slot, int most) {
        int remaining = slot.remainingPrompt();
        int count = Math.min(Math.min(remaining, most), slot.readUpTo - slot.heldTokens());
        if (count == remaining && !slot.hasRingRoom()) {
            count--; // the prompt's last token waits until what it leads to can be handed out
        }
        slot.plannedTokens = count;
        prefillRows += count;
        return count;
    }

    private void fillBatch() {
        decoder.clearBatch();
        fillerRows = 0;
        scattered = false;
        for (int i = 0; i < slots.length; i++) {
            slots[i].filled = false;
            slots[i].joined = isSingle(slots[i]);
        }
        if (room.prefersNeighbours()) {
            bridgeGaps();
        }
        addPrompts(true);
        for (int i = 0; i < slots.length; i++) {
            if (slots[i].joined) {
                addRows(slots[i]);
            } else if (slots[i].filled) {
                decoder.add(FILLER_TOKEN, slots[i].heldTokens(), slots[i].sequence, false);
            }
        }
        addPrompts(false);
    }

    /** Returns whether a planned slot has one row in the batch. */
    private static boolean isSingle(Slot slot) {
        return slot.plannedTokens == 1;
    }

    /** Has single rows lie side by side where little is between them. */
    private void bridgeGaps() {
        int last = -1; // the single row before
        for (int i = 0; i < slots.length; i++) {
            if (isSingle(slots[i])) {
                if (last >= 0 && i > last + 1 && !bridge(last + 1, i)) {
                    scattered = true;
                }
                last = i;
            }
        }
        scattered |= fillerRows > 0;
    }

    /** Joins the slots {@code from} up to {@code to} to the single rows around them, prompts with what they have in the batch; false when they cannot be. */
    private boolean bridge(int from, int to) {
        int fillers = 0;
        for (int i = from; i < to; i++) {
            if (slots[i].plannedTokens == 0) {
                fillers++;
                if (slots[i].heldTokens() >= decoder.contextTokensPerSequence()) {
                    return false;
                }
            }
        }
        int singles = decodeRows + lastRows;
        int spare = Math.min(decoder.batchTokens() - singles - prefillRows, singles / ROWS_PER_FILLER) - fillerRows;
        if (fillers > Math.min(room.fillableGap(decoder.memoryKind()), spare)) {
            return false;
        }
        for (int i = from; i < to; i++) {
            slots[i].filled = slots[i].plannedTokens == 0;
            slots[i].joined = !slots[i].filled;
        }
        fillerRows += fillers;
        return true;
    }

    /**
     * Adds prompts that are computed apart from the single rows, {@code before} or behind them: where it is not the row that a pass over neighbours
     * would take next. Joined, their first token would be computed with the single rows and the others later, one perhaps all alone.
     */
    private void addPrompts(boolean before) {
        for (int i = 0; i < slots.length; i++) {
            Slot slot = slots[i];
            boolean followsRow = i > 0 && (slots[i - 1].joined || slots[i - 1].filled);
            if (slot.plannedTokens > 0 && !slot.joined && followsRow == before) {
                addRows(slot);
            }
        }
    }

    /** Takes rows that nobody reads out of memory; after every batch that has run, or has run in part. */
    void removeFillers() {
        for (int i = 0; fillerRows > 0 && i < slots.length; i++) {
            if (slots[i].filled) {
                slots[i].filled = false;
                decoder.removeFrom(slots[i].sequence, slots[i].heldTokens());
                fillerRows--;
            }
        }
    }

    private void addRows(Slot slot) {
        if (slot.phase() == Phase.DECODE) {
            slot.sampledRow = decoder.add(slot.nextToken(), slot.heldTokens(), slot.sequence, true);
            return;
        }
        MemorySegment prompt = slot.generation().request.prompt();
        int from = slot.heldTokens();
        int count = slot.plannedTokens;
        boolean whole = count == slot.remainingPrompt();
        for (int i = 0; i < count; i++) {
            boolean wantLogits = whole && i == count - 1;
            int row = decoder.add(prompt.getAtIndex(ValueLayout.JAVA_INT, from + i), from + i, slot.sequence, wantLogits);
            if (wantLogits) {
                slot.sampledRow = row;
            }
        }
    }

    /** Returns the rows that cost what a decoding row does: those of decoding slots, and last tokens of prompts. */
    int singleRows() {
        return decodeRows + lastRows;
    }

    /** Returns the prompt tokens in the batch that the budget counted. */
    int prefillRows() {
        return prefillRows;
    }

    /** Returns all prompt tokens in the batch. */
    int promptTokens() {
        return prefillRows + lastRows;
    }

    /** Returns whether the batch's single rows do not lie side by side, or need others between them for it. */
    boolean isScattered() {
        return scattered;
    }
}
