package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProxyChoiceTest {
    private static final CoordinatorAddress SECURE = CoordinatorAddress.parse("wss://c.example:8443");
    private static final CoordinatorAddress PLAIN = CoordinatorAddress.parse("ws://c.example");

    @Test
    void eachSchemeHasItsVariableAndOneServesBoth() {
        var environment = Map.of("HTTPS_PROXY", "http://a:1", "HTTP_PROXY", "b:2", "ALL_PROXY", "socks5://c");

        assertThat(name(environment, SECURE)).contains("http://a:1");
        assertThat(name(environment, PLAIN)).contains("http://b:2");
        assertThat(name(Map.of("ALL_PROXY", "socks5h://c"), PLAIN)).contains("socks5://c:1080");
        assertThat(name(Map.of(), PLAIN)).isEmpty();
    }

    @Test
    void smallLettersWin() {
        assertThat(name(Map.of("https_proxy", "http://small:1", "HTTPS_PROXY", "http://large:1"), SECURE)).contains("http://small:1");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            c.example           | true
            .example            | true
            example             | true
            *.example           | true
            *                   | true
            c.example:8443      | true
            c.example:443       | false
            ample               | false
            x.c.example         | false
            other, c.example    | true
            other c.example     | true
            ''                  | false
            """)
    void hostsThatNeedNoProxyAreLeftAlone(String list, boolean excluded) {
        var environment = Map.of("https_proxy", "http://a:1", "no_proxy", list);

        assertThat(ProxyChoice.of(environment, SECURE).isEmpty()).isEqualTo(excluded);
    }

    @Test
    void thisMachineIsNeverReachedThroughAProxy() {
        assertThat(ProxyChoice.of(Map.of("ALL_PROXY", "http://a:1"), CoordinatorAddress.parse("ws://127.0.0.1:9"))).isEmpty();
    }

    @Test
    void aLoginIsReadAndItsPasswordIsNotShown() {
        var choice = ProxyChoice.of(Map.of("https_proxy", "http://me:s%40cret@a:1"), SECURE).orElseThrow();

        assertThat(choice.login()).contains(new ProxyChoice.Login("me", "s@cret"));
        assertThat(choice.toString() + choice.login().orElseThrow()).doesNotContain("s@cret");
    }

    @ParameterizedTest
    @CsvSource({"https://a:1, kind", "ftp://a:1, kind", ":::, no host", "http://, no address", "me:secret@, no host"})
    void aProxyThatCannotBeUsedIsAnErrorAndIsNotGonePast(String value, String reason) {
        assertThatThrownBy(() -> ProxyChoice.of(Map.of("https_proxy", value), SECURE)).isInstanceOfSatisfying(AgentException.class, e -> {
            assertThat(e.code()).isEqualTo(ErrorCode.CONFIG_INVALID);
            assertThat(e.getMessage()).contains("HTTPS_PROXY").contains(reason).doesNotContain("secret");
        });
        assertThat(ProxyChoice.of(Map.of("https_proxy", value, "no_proxy", "c.example"), SECURE)).isEmpty();
    }

    private static Optional<String> name(Map<String, String> environment, CoordinatorAddress address) {
        return ProxyChoice.of(environment, address).map(ProxyChoice::toString);
    }
}
