package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class UnitsTest {
    @Test
    void numbersReadAsPeopleWriteThem() {
        assertThat(Units.bytes(1023)).isEqualTo("1023 B");
        assertThat(Units.bytes(1536)).isEqualTo("1.5 KiB");
        assertThat(Units.bytes(17L << 30)).isEqualTo("17 GiB");
        assertThat(Units.count(32768)).isEqualTo("32,768");
        assertThat(Units.rate(8.306)).isEqualTo("8.31");
        assertThat(Units.rate(83.06)).isEqualTo("83.1");
        assertThat(Units.rate(8306)).isEqualTo("8,306");
        assertThat(Units.time(Duration.ofSeconds(59))).isEqualTo("59 s");
        assertThat(Units.time(Duration.ofMinutes(61))).isEqualTo("1 h 1 min");
        assertThat(Units.time(Duration.ofHours(49))).isEqualTo("2 d 1 h");
    }

    @Test
    void columnsAreAlignedAndLinesDoNotEndInBlanks() {
        assertThat(new TextTable("A", "LONG", "").row("value", "x", "").toString()).isEqualToNormalizingNewlines("A      LONG\nvalue  x\n");
    }
}
