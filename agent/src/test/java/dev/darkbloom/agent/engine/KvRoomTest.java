package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.KvLayout;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What lies in a unified cache, counted by who shares with whom, against a cache that knows each token's cell. */
class KvRoomTest {
    private static final int SLOTS = 6;
    private static final int TOKENS = 40;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whatIsSharedIsCountedOnceWhoeverForgets(long seed) {
        var random = new Random(seed);
        try (Arena arena = Arena.ofConfined()) {
            Slot[] slots = new Slot[SLOTS];
            for (int i = 0; i < SLOTS; i++) {
                slots[i] = new Slot(i, arena.allocate(4L * TOKENS, 4));
            }
            var room = new KvRoom(slots, KvLayout.UNIFIED, 1000, 0);
            long[][] cells = new long[SLOTS][0];
            long next = 0;
            for (int turn = 0; turn < 3000; turn++) {
                int i = random.nextInt(SLOTS);
                int other = random.nextInt(SLOTS);
                switch (random.nextInt(4)) {
                    case 0, 1 -> { // computes more
                        int length = Math.min(TOKENS, cells[i].length + 1 + random.nextInt(5));
                        for (int at = cells[i].length; at < length; at++) {
                            cells[i] = Arrays.copyOf(cells[i], at + 1);
                            cells[i][at] = next++;
                        }
                        slots[i].hold(length);
                    }
                    case 2 -> { // forgets
                        int kept = random.nextInt(cells[i].length + 1);
                        room.forgets(slots[i], kept);
                        slots[i].forgetFrom(kept);
                        cells[i] = Arrays.copyOf(cells[i], kept);
                    }
                    default -> { // takes over
                        if (i != other && cells[other].length > 0) {
                            room.forgets(slots[i], 0);
                            slots[i].forgetFrom(0);
                            slots[i].copyHeld(slots[other], cells[other].length);
                            room.shared(slots[other], slots[i], cells[other].length);
                            cells[i] = cells[other].clone();
                        }
                    }
                }
                assertThat(room.used()).as("turn %d", turn).isEqualTo(Arrays.stream(cells).flatMapToLong(Arrays::stream).distinct().count());
            }
        }
    }
}
