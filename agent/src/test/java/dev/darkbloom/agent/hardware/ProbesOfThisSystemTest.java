package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProbesOfThisSystemTest {
    @Test
    void thePowerCanBeAskedFor() {
        assertThatCode(() -> PowerProbe.ofThisSystem().power()).doesNotThrowAnyException();
    }

    @Test
    void theLoadOfOthersIsAShare() throws InterruptedException {
        var share = LoadProbe.ofThisSystem(Duration.ofMillis(20)).othersShare();

        assertThat(share.orElse(0)).isBetween(0.0, 1.0);
    }

    @Test
    void aToolIsReadInPlainEnglish() {
        assertThat(Tool.output(List.of("/usr/bin/env"), Duration.ofSeconds(20)).orElseThrow().lines()).contains("LC_ALL=C");
    }

    @Test
    void aToolThatIsMissingOrHangsSaysNothing() {
        assertThat(Tool.output(List.of("/nowhere/pmset"), Duration.ofSeconds(20))).isEmpty();
        assertThat(Tool.output(List.of("/bin/sleep", "600"), Duration.ofMillis(1))).isEmpty();
    }
}
