package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.hardware.Chip.Family;
import dev.darkbloom.agent.hardware.Chip.Tier;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChipTest {
    @ParameterizedTest
    @CsvSource({
        "Apple M1, M1, BASE", "Apple M2 Pro, M2, PRO", "Apple M3 Max, M3, MAX", "Apple M5 Ultra, M5, ULTRA", "Apple M6, M6, BASE",
        "Apple M1 (Virtual), M1, UNKNOWN", "Apple M4 Max (Virtual), M4, UNKNOWN", "Apple A18 Pro, UNKNOWN, BASE",
        "Apple M7 Max, UNKNOWN, UNKNOWN", "Apple M11, UNKNOWN, UNKNOWN", "Apple M4 Mega, UNKNOWN, UNKNOWN",
        "VirtualApple @ 2.50GHz, UNKNOWN, UNKNOWN", "Intel(R) Xeon(R) Processor, UNKNOWN, UNKNOWN", "'', UNKNOWN, UNKNOWN"})
    void familyAndTierAreReadFromTheName(String name, Family family, Tier tier) {
        assertThat(Chip.named(name)).isEqualTo(new Chip(name, family, tier));
    }

    @Test
    void familiesAndTiersAreTheProtocolsWords() {
        assertThat(Family.values()).extracting(Family::toString).containsExactly("M1", "M2", "M3", "M4", "M5", "M6", "Unknown");
        assertThat(Tier.values()).extracting(Tier::toString).containsExactly("Base", "Pro", "Max", "Ultra", "Unknown");
    }

    @ParameterizedTest
    @CsvSource({
        "Apple M1, 8, 7, 8, 68", "Apple M1 Ultra, 20, 64, 128, 800", "Apple M2 Max, 12, 38, 96, 400",
        "Apple M3 Max, 14, 30, 36, 300", "Apple M3 Max, 16, 40, 64, 400", "Apple M4 Max, 14, 32, 36, 410", "Apple M4 Max, 16, 40, 48, 546",
        "Apple M5 Max, 18, 32, 36, 460", "Apple M5 Max, 18, 40, 64, 614", "Apple M6, 12, 12, 16, 153", "Apple M6, 12, 12, 24, 170",
        "Apple A18 Pro, 6, 5, 8, 60"})
    void bandwidthIsThatOfTheVariant(String chip, int cores, int gpuCores, int memoryGib, double expected) {
        assertThat(ChipTable.bandwidthGBps(chip, cores, OptionalInt.of(gpuCores), memoryGib)).hasValue(expected);
    }

    @Test
    void whereTheGpuIsNotCountedTheCoresOrTheMemoryTellTheVariant() {
        assertThat(ChipTable.bandwidthGBps("Apple M3 Max", 14, OptionalInt.empty(), 96)).hasValue(300);
        assertThat(ChipTable.bandwidthGBps("Apple M5 Max", 18, OptionalInt.empty(), 36)).hasValue(460);
        assertThat(ChipTable.bandwidthGBps("Apple M5 Max", 18, OptionalInt.empty(), 64)).hasValue(614);
    }

    @Test
    void aVariantThatIsNewHasABandwidthOnlyWhereAllOfItsChipHaveTheSame() {
        assertThat(ChipTable.bandwidthGBps("Apple M4 Pro", 13, OptionalInt.of(18), 96)).hasValue(273);
        assertThat(ChipTable.bandwidthGBps("Apple M4 Max", 15, OptionalInt.of(36), 40)).isEmpty();
    }

    @Test
    void aChipThatIsNotListedHasNoBandwidth() {
        assertThat(ChipTable.bandwidthGBps("Apple M1 (Virtual)", 3, OptionalInt.empty(), 7)).isEmpty();
        assertThat(ChipTable.bandwidthGBps("Apple M7", 12, OptionalInt.of(12), 16)).isEmpty();
        assertThat(ChipTable.bandwidthGBps("", 1, OptionalInt.empty(), 0)).isEmpty();
    }
}
