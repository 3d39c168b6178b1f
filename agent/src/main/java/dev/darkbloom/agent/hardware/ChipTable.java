package dev.darkbloom.agent.hardware;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * What Apple sells, as its technical specifications state it (support.apple.com/specs, cross-checked with the chip tables of exelban/stats,
 * kudit/Device and macmon). Nothing in macOS tells the memory's bandwidth. The rows of M5 Ultra and M6 are from their announcements.
 */
final class ChipTable {
    /**
     * One thing that can be bought.
     *
     * @param cores of all kinds, each number sold
     * @param gpuCores each number sold
     * @param memoryGib each size sold
     * @param bandwidthGBps in 10⁹ bytes a second
     */
    private record Row(String chip, Set<Integer> cores, Set<Integer> gpuCores, Set<Integer> memoryGib, double bandwidthGBps) {}

    private static final List<Row> ROWS = List.of(
            new Row("Apple M1", Set.of(8), Set.of(7, 8), Set.of(8, 16), 68),
            new Row("Apple M1 Pro", Set.of(8, 10), Set.of(14, 16), Set.of(16, 32), 200),
            new Row("Apple M1 Max", Set.of(10), Set.of(24, 32), Set.of(32, 64), 400),
            new Row("Apple M1 Ultra", Set.of(20), Set.of(48, 64), Set.of(64, 128), 800),
            new Row("Apple M2", Set.of(8), Set.of(8, 10), Set.of(8, 16, 24), 100),
            new Row("Apple M2 Pro", Set.of(10, 12), Set.of(16, 19), Set.of(16, 32), 200),
            new Row("Apple M2 Max", Set.of(12), Set.of(30, 38), Set.of(32, 64, 96), 400),
            new Row("Apple M2 Ultra", Set.of(24), Set.of(60, 76), Set.of(64, 128, 192), 800),
            new Row("Apple M3", Set.of(8), Set.of(8, 10), Set.of(8, 16, 24), 100),
            new Row("Apple M3 Pro", Set.of(11, 12), Set.of(14, 18), Set.of(18, 36), 150),
            new Row("Apple M3 Max", Set.of(14), Set.of(30), Set.of(36, 96), 300),
            new Row("Apple M3 Max", Set.of(16), Set.of(40), Set.of(48, 64, 128), 400),
            new Row("Apple M3 Ultra", Set.of(28, 32), Set.of(60, 80), Set.of(96, 256, 512), 819),
            new Row("Apple M4", Set.of(8, 10), Set.of(8, 10), Set.of(16, 24, 32), 120),
            new Row("Apple M4 Pro", Set.of(12, 14), Set.of(16, 20), Set.of(24, 48, 64), 273),
            new Row("Apple M4 Max", Set.of(14), Set.of(32), Set.of(36), 410),
            new Row("Apple M4 Max", Set.of(16), Set.of(40), Set.of(48, 64, 128), 546),
            new Row("Apple M5", Set.of(10), Set.of(8, 10), Set.of(16, 24, 32), 153),
            new Row("Apple M5 Pro", Set.of(15, 18), Set.of(16, 20), Set.of(24, 48, 64), 307),
            new Row("Apple M5 Max", Set.of(18), Set.of(32), Set.of(36), 460),
            new Row("Apple M5 Max", Set.of(18), Set.of(40), Set.of(48, 64, 128), 614),
            new Row("Apple M5 Ultra", Set.of(30, 36), Set.of(60, 64, 80), Set.of(96, 256, 512), 1200),
            new Row("Apple M6", Set.of(12), Set.of(12), Set.of(16), 153),
            new Row("Apple M6", Set.of(12), Set.of(12), Set.of(24, 32), 170),
            new Row("Apple A18 Pro", Set.of(6), Set.of(5), Set.of(8), 60));

    private ChipTable() {}

    /**
     * Returns the memory's bandwidth in 10⁹ bytes a second; empty for a chip that is not listed, and where what is known of the machine
     * fits two that differ.
     *
     * @param gpuCores empty where the system did not say
     */
    static OptionalDouble bandwidthGBps(String chip, int cores, OptionalInt gpuCores, int memoryGib) {
        double[] found = fitting(chip, cores, gpuCores, memoryGib).stream().mapToDouble(Row::bandwidthGBps).distinct().toArray();
        return found.length == 1 ? OptionalDouble.of(found[0]) : OptionalDouble.empty();
    }

    /** Returns the GPU's cores where the chip, its cores and its memory leave only one number; for systems that do not say. */
    static OptionalInt gpuCores(String chip, int cores, int memoryGib) {
        int[] found = fitting(chip, cores, OptionalInt.empty(), memoryGib).stream().flatMap(row -> row.gpuCores().stream())
                .mapToInt(Integer::intValue).distinct().toArray();
        return found.length == 1 ? OptionalInt.of(found[0]) : OptionalInt.empty();
    }

    /** The chip's rows, fewer by each thing that is known; a thing that fits no row is passed over, for Apple sells new ones each year. */
    private static List<Row> fitting(String chip, int cores, OptionalInt gpuCores, int memoryGib) {
        List<Row> rows = ROWS.stream().filter(row -> row.chip().equals(chip)).toList();
        var known = Stream.<Predicate<Row>>of(
                row -> gpuCores.isPresent() && row.gpuCores().contains(gpuCores.getAsInt()),
                row -> row.cores().contains(cores),
                row -> row.memoryGib().contains(memoryGib)).toList();
        for (Predicate<Row> fits : known) {
            List<Row> fewer = rows.stream().filter(fits).toList();
            rows = fewer.isEmpty() ? rows : fewer;
        }
        return rows;
    }
}
