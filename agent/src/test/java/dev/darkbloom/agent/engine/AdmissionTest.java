package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.Admission.Verdict;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private final AtomicInteger emptied = new AtomicInteger();
    private final Admission admission = new Admission(2, emptied::incrementAndGet);

    @Test
    void asManyAsTheLimitComeIn() {
        assertThat(admission.enter()).isEqualTo(Verdict.ENTERED);
        assertThat(admission.enter()).isEqualTo(Verdict.ENTERED);
        assertThat(admission.enter()).isEqualTo(Verdict.FULL);

        admission.leave();

        assertThat(admission.enter()).isEqualTo(Verdict.ENTERED);
        assertThat(admission.taken()).isEqualTo(2);
    }

    @Test
    void closedAdmissionSaysWhyAndTellsWhenTheLastOneHasEnded() {
        admission.enter();
        admission.close(new AgentException(ErrorCode.DRAINING, "first"));
        admission.close(new AgentException(ErrorCode.INTERNAL, "second"));

        assertThat(admission.enter()).isEqualTo(Verdict.CLOSED);
        assertThat(admission.closedBecause()).hasMessage("first");
        assertThat(emptied).hasValue(0);
        admission.leave();
        admission.ended();

        assertThat(emptied).hasValue(1);
        assertThat(admission.isEmpty()).isTrue();
        assertThat(admission.taken()).isZero();
    }

    @Test
    void openAdmissionDoesNotTellThatItIsEmpty() {
        admission.enter();
        admission.leave();
        admission.ended();

        assertThat(emptied).hasValue(0);
    }
}
