package dev.darkbloom.agent.engine.calibration;

import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What is tried for each choice: the settings in use first, then the others in the order of their promise, should time run out. */
final class Candidates {
    /** Covers the few milliseconds between two steps; then threads sleep soon after the last one. */
    private static final int SHORT_POLL = 1;
    /** What llama.cpp's own programs do: threads spin for a tenth of a second and more after every step. */
    private static final int LONG_POLL = 50;
    private static final int SMALL_UBATCH = 128;
    private static final int LARGE_UBATCH = 1024;

    private Candidates() {}

    /**
     * Returns the candidates; the first one is the settings in use, but for threads' polling: how many threads are best is asked of threads
     * that are awake, if that is open. Whether it pays to keep them awake is asked afterwards, and where it does not, waking them costs little.
     *
     * @param promptTokens length of the prompts that are measured; a ubatch that they do not fill cannot be told from another such one
     */
    static List<ComputeSettings> of(Choice choice, ComputeSettings current, Search search, int promptTokens) {
        return switch (choice) {
            case THREADS -> {
                ComputeSettings awake = search.open().contains(Choice.POLL) ? current.withPoll(SHORT_POLL) : current;
                int most = search.mostThreads();
                yield others(awake, awake::withThreads, IntStream.of(most, (most + 1) / 2, most - 1, 1).filter(n -> n >= 1));
            }
            case POLL -> others(current, current::withPoll, current.threads() == 1 ? IntStream.of(0) : IntStream.of(0, SHORT_POLL, LONG_POLL));
            case FLASH_ATTENTION -> Stream.of(current, current.withFlashAttention(FlashAttention.OFF)).distinct().toList();
            case UBATCH -> others(current, current::withUbatchTokens, IntStream.of(SMALL_UBATCH, LARGE_UBATCH)
                    .filter(n -> Math.min(n, current.ubatchTokens()) < promptTokens && n <= current.batchTokens()));
        };
    }

    /** Returns {@code current} with what {@code pick} is about. */
    static ComputeSettings taken(Choice choice, ComputeSettings current, ComputeSettings pick) {
        return choice == Choice.THREADS ? current.withThreads(pick.threads()) : pick;
    }

    private static List<ComputeSettings> others(ComputeSettings current, IntFunction<ComputeSettings> with, IntStream values) {
        return Stream.concat(Stream.of(current), values.mapToObj(with)).distinct().toList();
    }
}
