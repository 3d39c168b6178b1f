package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MemoryBudgetTest {
    private static final long GIB = 1L << 30;

    @Test
    void aSmallMachineKeepsTheSystemsFloorOrTheOwnersReserve() {
        var budget = new MemoryBudget(8 * GIB, 8 * GIB, 0);

        assertThat(budget.hardCapBytes()).isEqualTo(6 * GIB);
        assertThat(budget.forModelsBytes()).isEqualTo(6 * GIB);
        assertThat(new MemoryBudget(8 * GIB, 8 * GIB, 4 * GIB).forModelsBytes()).isEqualTo(4 * GIB);
    }

    @Test
    void aLargeMachineKeepsATenth() {
        var budget = new MemoryBudget(100 * GIB, 100 * GIB, 4 * GIB);

        assertThat(budget.hardCapBytes()).isEqualTo(90 * GIB);
        assertThat(budget.keptBytes()).isEqualTo(10 * GIB);
        assertThat(budget.forModelsBytes()).isEqualTo(90 * GIB);
    }

    @Test
    void whatOtherProgramsHoldIsNotGivenAway() {
        assertThat(new MemoryBudget(16 * GIB, 7 * GIB, 4 * GIB).forModelsBytes()).isEqualTo(3 * GIB);
        assertThat(new MemoryBudget(16 * GIB, 2 * GIB, 4 * GIB).forModelsBytes()).isZero();
    }

    @Test
    void aMachineBelowTheFloorGivesNothing() {
        assertThat(new MemoryBudget(GIB, GIB, 0).forModelsBytes()).isZero();
    }
}
