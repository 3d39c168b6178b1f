package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ModelOpener.MemoryNeed;
import org.junit.jupiter.api.Test;

class MemoryLedgerTest {
    private final MemoryLedger ledger = new MemoryLedger(1000);

    @Test
    void reservationIsCountedUntilItIsClosed() {
        MemoryLedger.Reservation reservation = ledger.reserve("m", new MemoryNeed(500, 300, 100));
        assertThat(ledger.reservedBytes()).isEqualTo(900);
        assertThat(ledger.freeBytes()).isEqualTo(100);

        reservation.close();
        reservation.close();

        assertThat(ledger.reservedBytes()).isZero();
    }

    @Test
    void whatDoesNotFitIsRefusedAndNothingIsReserved() {
        ledger.reserve("a", new MemoryNeed(600, 0, 0));

        assertThatThrownBy(() -> ledger.reserve("b", new MemoryNeed(300, 100, 1)))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.OUT_OF_MEMORY))
                .hasMessage("model b needs 401 bytes; 400 of 1000 are free");
        assertThat(ledger.reservedBytes()).isEqualTo(600);
    }

    @Test
    void lastByteMayBeReserved() {
        ledger.reserve("m", new MemoryNeed(1000, 0, 0));

        assertThat(ledger.freeBytes()).isZero();
    }

    @Test
    void negativeBudgetIsAMistake() {
        assertThatThrownBy(() -> new MemoryLedger(-1)).isInstanceOf(IllegalArgumentException.class);
    }
}
