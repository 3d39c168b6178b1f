package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CoordinatorAddressTest {
    @ParameterizedTest
    @CsvSource({
        "wss://c.example/ws/provider, wss://c.example/ws/provider, https://c.example/health, 443, false",
        "wss://c.example,             wss://c.example/ws/provider, https://c.example/health, 443, false",
        "https://c.example/v1,        wss://c.example/ws/provider, https://c.example/health, 443, false",
        "http://127.0.0.1:8080/,      ws://127.0.0.1:8080/ws/provider, http://127.0.0.1:8080/health, 8080, true",
        "ws://[::1]:9/ws/provider,    ws://[::1]:9/ws/provider, http://[::1]:9/health, 9, true",
        "WS://localhost,              ws://localhost/ws/provider, http://localhost/health, 80, true",
        "ws://192.168.1.9/hub/ws/provider, ws://192.168.1.9/hub/ws/provider, http://192.168.1.9/hub/health, 80, false",
        "ws://127.example:1,          ws://127.example:1/ws/provider, http://127.example:1/health, 1, false",
    })
    void anAddressIsReadAsAPersonMeansIt(String text, String socket, String health, int port, boolean loopback) {
        var address = CoordinatorAddress.parse(text);

        assertThat(address.toString()).isEqualTo(socket);
        assertThat(address.http("/health").toString()).isEqualTo(health);
        assertThat(address.port()).isEqualTo(port);
        assertThat(address.isLoopback()).isEqualTo(loopback);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "c.example", "ftp://c.example", "ws://", "ws://u:p@c.example", "ws://c.example?x=1", "ws://c example", "ws://c.example#x"})
    void whatIsNoAddressIsRefusedByTheNameOfItsKey(String text) {
        assertThatThrownBy(() -> CoordinatorAddress.parse(text))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.param()).contains("coordinator.url"));
    }

    @Test
    void anAddressKeepsItsPathOnOtherMachines() {
        assertThat(CoordinatorAddress.parse("https://home.example/darkbloom/ws/provider").socket().getPath()).isEqualTo("/darkbloom/ws/provider");
    }
}
