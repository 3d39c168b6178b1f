package dev.darkbloom.agent.service.account;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.coordinator.CoordinatorRoute;
import dev.darkbloom.agent.testing.coordinator.HttpPeer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceLoginTest {
    private static final String CODE = """
            {"device_code":"d3v1ce","user_code":"E5K8-QDSC","verification_uri":"https://c.example/link","expires_in":60,"interval":5}""";
    private static final String PENDING = "{\"status\":\"authorization_pending\"}";
    private static final String TOKEN = "eigeninference-pt-abababababababababababababababababababababababababababababababab";
    private static final CoordinatorAddress A = CoordinatorAddress.parse("wss://a.example");
    private static final String GRANTED = "{\"status\":\"authorized\",\"token\":\"" + TOKEN + "\",\"account_id\":\"acc-1\"}";

    @TempDir
    Path directory;

    private HttpPeer peer;
    private final List<Duration> pauses = new ArrayList<>();
    private final List<String> shown = new ArrayList<>();

    @BeforeEach
    void open() {
        peer = HttpPeer.open();
    }

    @AfterEach
    void close() {
        peer.close();
    }

    @Test
    void aConfirmedCodeGivesTheTokenOnce() throws Exception {
        peer.answer("/v1/device/code", 200, CODE);
        peer.answer("/v1/device/token", 200, PENDING);
        peer.answer("/v1/device/token", 200, PENDING);
        peer.answer("/v1/device/token", 200, GRANTED);

        var linked = login();

        assertThat(linked.token().reveal()).isEqualTo(TOKEN);
        assertThat(linked.account()).contains("acc-1");
        assertThat(shown).containsExactly("E5K8-QDSC https://c.example/link PT1M");
        assertThat(pauses).containsExactly(Duration.ofSeconds(5), Duration.ofSeconds(5), Duration.ofSeconds(5));
        assertThat(peer.requests()).containsExactly("POST /v1/device/code ", "POST /v1/device/token {\"device_code\":\"d3v1ce\"}",
                "POST /v1/device/token {\"device_code\":\"d3v1ce\"}", "POST /v1/device/token {\"device_code\":\"d3v1ce\"}");
    }

    @Test
    void aCoordinatorThatIsBusyIsAskedLessOften() throws Exception {
        peer.answer("/v1/device/code", 200, CODE);
        peer.answer("/v1/device/token", 400, "{\"error\":\"slow_down\"}");
        peer.answer("/v1/device/token", 503, "");
        peer.answer("/v1/device/token", 400, "{\"error\":{\"type\":\"authorization_pending\",\"message\":\"x\"}}");
        peer.answer("/v1/device/token", 200, GRANTED);

        login();

        assertThat(pauses).extracting(Duration::toSeconds).containsExactly(5L, 10L, 15L, 15L);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            410 | {"error":{"type":"expired_token"}}  | has expired
            404 | {"error":{"type":"invalid_grant"}}  | does not know the code
            400 | {"error":"access_denied"}           | refused in the browser
            400 | {"error":{"type":"odd"}}            | refused the login: odd
            400 | <html>                              | refused the login: HTTP 400
            200 | {"status":"authorized"}             | no usable token
            200 | []                                  | not a JSON object
            """)
    void aRefusalSaysWhatHappened(int status, String body, String message) {
        peer.answer("/v1/device/code", 200, CODE);
        peer.answer("/v1/device/token", status, body);

        assertThatThrownBy(this::login).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOGIN_FAILED))
                .hasMessageContaining(message);
    }

    @Test
    void aCodeThatNobodyConfirmsExpires() {
        peer.answer("/v1/device/code", 200, CODE);
        for (int i = 0; i < 12; i++) {
            peer.answer("/v1/device/token", 200, PENDING);
        }

        assertThatThrownBy(this::login).hasMessageContaining("has expired");
        assertThat(pauses).hasSize(12);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            404 | {}
            200 | {"device_code":"d","user_code":"U"}
            200 | {"device_code":"d","user_code":"U","verification_uri":"javascript:alert(1)"}
            200 | {"device_code":"d","user_code":"U\\u001b[2J","verification_uri":"https://c.example"}
            200 | nonsense
            """)
    void aCoordinatorWithoutUsableCodesIsRefused(int status, String body) {
        peer.answer("/v1/device/code", status, body);

        assertThatThrownBy(this::login).isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOGIN_FAILED));
        assertThat(shown).isEmpty();
    }

    @Test
    void nobodyThereIsSaidWithTheAddress() {
        peer.close();

        assertThatThrownBy(this::login)
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.COORDINATOR_UNREACHABLE))
                .hasMessageContaining("http://127.0.0.1:" + peer.port());
    }

    @Test
    void theTokenLiesInAFileOfItsOwners() throws Exception {
        Path file = directory.resolve("home/account_token");

        assertThat(AccountToken.read(file)).isEmpty();
        new AccountToken(A, new Redacted(TOKEN)).write(file);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        assertThat(AccountToken.read(file).orElseThrow().token().reveal()).isEqualTo(TOKEN);
        assertThat(AccountToken.remove(file)).isTrue();
        assertThat(AccountToken.remove(file)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://b.example", "wss://a.example:444", "ws://a.example", "wss://a.example/other"})
    void aTokenIsForNobodyButWhoGaveIt(String other) {
        Path file = directory.resolve("account_token");
        new AccountToken(A, new Redacted(TOKEN)).write(file);

        assertThat(AccountToken.of(file, CoordinatorAddress.parse("https://A.example:443/v1")).orElseThrow().reveal()).isEqualTo(TOKEN);
        assertThat(AccountToken.of(file, CoordinatorAddress.parse(other))).isEmpty();
        new AccountToken(CoordinatorAddress.parse(other), new Redacted("another-token")).write(file);
        assertThat(AccountToken.of(file, A)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "two words\n", TOKEN, "wss://a.example\ntwo words", "two words\n" + TOKEN, "wss://a.example\n" + TOKEN + "\nmore-words"})
    void aFileWithSomethingElseIsNotTakenForAToken(String text) throws Exception {
        Path file = Files.writeString(directory.resolve("t"), text);

        assertThatThrownBy(() -> AccountToken.read(file))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOGIN_FAILED))
                .hasMessageContaining("does not hold").hasMessageNotContaining("words").hasMessageNotContaining(TOKEN);
    }

    @Test
    void whatCannotBeReadOrIsNoTokenIsAFailedLogin() throws Exception {
        assertThatThrownBy(() -> AccountToken.read(directory))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOGIN_FAILED));
        assertThatThrownBy(() -> new AccountToken(A, new Redacted("a\nb")).write(directory.resolve("t"))).isInstanceOf(AgentException.class);
    }

    @ParameterizedTest
    @CsvSource({"ws://192.168.1.9, true", "http://c.example, true", "wss://c.example, false", "https://192.168.1.9, false", "ws://127.0.0.1:1, false",
            "http://localhost, false", "ws://[::1], false"})
    void aSecretThatOthersCanReadOnItsWayIsWarnedOf(String url, boolean warned) {
        assertThat(AccountLink.warning(url, "the key").isPresent()).isEqualTo(warned);
        AccountLink.warning(url, "the key").ifPresent(line -> assertThat(line).contains("the key can be read on its way").hasLineCount(1));
    }

    @Test
    void withoutACoordinatorThereIsNothingToLogInTo() {
        var home = new AgentHome(directory, directory);

        assertThatThrownBy(() -> AccountLink.at(home, AgentConfig.of(ConfigValues.DEFAULTS), Optional.empty(), Map.of()))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.COORDINATOR_MISSING));
    }

    private DeviceLogin.Linked login() throws InterruptedException {
        var address = CoordinatorAddress.parse("http://127.0.0.1:" + peer.port());
        try (var http = new CoordinatorHttp(CoordinatorRoute.of(address, Map.of(), Optional.empty()))) {
            return new DeviceLogin(http, pauses::add).run((code, uri, expiresIn) -> shown.add(code + " " + uri + " " + expiresIn));
        }
    }
}
