package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class LifecycleTest {
    private final Lifecycle lifecycle = new Lifecycle();

    @Test
    void anAgentGoesFromStartingOverLoadingToReadyAndEnds() {
        assertThat(lifecycle.move(AgentState.STARTING, AgentState.LOADING)).isTrue();
        assertThat(lifecycle.move(AgentState.LOADING, AgentState.READY)).isTrue();
        assertThat(lifecycle.moveTo(AgentState.DRAINING)).isTrue();
        assertThat(lifecycle.moveTo(AgentState.STOPPED)).isTrue();
    }

    @Test
    void ofTwoThatMoveItOnlyOneSucceeds() {
        assertThat(lifecycle.move(AgentState.STARTING, AgentState.LOADING)).isTrue();
        assertThat(lifecycle.move(AgentState.STARTING, AgentState.DRAINING)).isFalse();

        assertThat(lifecycle.state()).isEqualTo(AgentState.LOADING);
    }

    @Test
    void theEndIsReachedFromEverywhere() {
        lifecycle.move(AgentState.STARTING, AgentState.LOADING);
        lifecycle.move(AgentState.LOADING, AgentState.READY);

        lifecycle.end();
        lifecycle.end();

        assertThat(lifecycle.state()).isEqualTo(AgentState.STOPPED);
    }

    @Test
    void thereIsNoWayBackFromTheEnd() {
        lifecycle.moveTo(AgentState.STOPPED);

        assertThat(lifecycle.moveTo(AgentState.DRAINING)).isFalse();
        assertThat(lifecycle.state()).isEqualTo(AgentState.STOPPED);
        assertThatThrownBy(() -> lifecycle.move(AgentState.STOPPED, AgentState.READY)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void everyStateSaysWhatToDoAndReadsAsAWord() {
        assertThat(Arrays.stream(AgentState.values()).map(AgentState::word))
                .containsExactly("starting", "loading", "ready", "needs-model", "draining", "stopped");
        assertThat(AgentState.values()).allSatisfy(state -> assertThat(state.advice()).isNotBlank());
    }
}
