package dev.darkbloom.agent.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AgentConfigTest {
    @TempDir
    Path directory;

    @Test
    void everyKeyHasThisNameTypeAndDefault() {
        var table = ConfigKey.all().stream()
                .map(key -> key.name() + " | " + key.type().description() + " | " + key.defaultToml())
                .toList();

        assertThat(table).containsExactly(
                "provider.memory_reserve_gb | a number from 0 to 1024 | 4",
                "backend.enabled_models | a list of model ids or GGUF paths | []",
                "backend.parallel | a whole number from 1 to 256 | 8",
                "backend.context_length | a whole number from 0 to 16777216 | 0",
                "backend.threads | a whole number from 0 to 512 | 0",
                "backend.gpu_layers | a whole number from -1 to 100000 | -1",
                "backend.flash_attention | one of auto, off, on | \"auto\"",
                "backend.kv_layout | one of auto, streams, unified | \"auto\"",
                "backend.thread_polling | a whole number from -1 to 100 | -1",
                "backend.ubatch_tokens | a whole number from 0 to 16384 | 0",
                "backend.prefill_chunk_tokens | a whole number from 0 to 16384 | 0",
                "backend.calibration | one of auto, off | \"auto\"",
                "backend.startup_preload | true or false | true",
                "backend.queue_limit | a whole number from 1 to 100000 | 64",
                "models.<id>.path | the path of a GGUF file, or demo | \"\"",
                "models.<id>.context_length | a whole number from 0 to 16777216 | 0",
                "models.<id>.template | the path of a Jinja file | \"\"",
                "local.port | a whole number from 0 to 65535 | 8000",
                "local.bind | an IP address of this machine | \"127.0.0.1\"",
                "local.allowed_origins | a list of origins such as \"https://app.example\" | []",
                "local.ping_seconds | whole seconds from 1 to 3600 | 15",
                "coordinator.url | an address such as \"wss://coordinator.example/ws/provider\" | \"\"",
                "coordinator.ca_file | the path of a PEM file | \"\"",
                "coordinator.private_only | true or false | false",
                "coordinator.heartbeat_seconds | whole seconds from 1 to 60 | 5",
                "coordinator.backend_name | a word that the coordinator knows | \"llama.cpp\"",
                "coordinator.reported_version | a dotted number | \"\"",
                "coordinator.runtime_hash | 64 hexadecimal digits | \"\"",
                "coordinator.sign_responses | true or false | false",
                "coordinator.test_posture | true, false, or a table of the fields that differ | false",
                "coordinator.downloads | true or false | true",
                "coordinator.files_url | an address such as \"https://models.example\" | \"\"",
                "coordinator.disk_reserve_gb | a number from 0 to 1000000 | 20",
                "coordinator.disk_quota_gb | a number from 0 to 1000000 | 200");
    }

    @Test
    void anAbsentFileGivesTheDefaults() {
        var config = AgentConfig.of(new ConfigFile(directory.resolve("agent.toml"), false).load());

        assertThat(config).isEqualTo(new AgentConfig(
                new AgentConfig.Provider(new DataSize(4L << 30)),
                new AgentConfig.Backend(List.of(), 8, 0, 0, -1, AgentConfig.FlashAttention.AUTO, AgentConfig.KvLayout.AUTO, -1, 0, 0,
                        AgentConfig.Calibration.AUTO, true, 64),
                new AgentConfig.Local(8000, "127.0.0.1", List.of(), Duration.ofSeconds(15)),
                new AgentConfig.Coordinator(Optional.empty(), Optional.empty(), false, Duration.ofSeconds(5), "llama.cpp",
                        Optional.empty(), Optional.empty(), false,
                        TestPosture.OFF, new AgentConfig.Downloads(true, Optional.empty(), new DataSize(20L << 30), new DataSize(200L << 30))),
                Map.of()));
    }

    @Test
    void everyKeyCanBeSet() throws IOException {
        var config = read("""
                [provider]
                memory_reserve_gb = 1.5

                [backend]
                enabled_models = ["demo", "~/m.gguf"]
                parallel = 2
                context_length = 4096
                threads = 6
                gpu_layers = 0
                flash_attention = "on"
                kv_layout = "unified"
                thread_polling = 2
                ubatch_tokens = 256
                prefill_chunk_tokens = 128
                calibration = "off"
                startup_preload = false
                queue_limit = 1

                [models."org/model-1.5"]
                path = "/m/file.gguf"
                context_length = 512
                template = "/m/chat.jinja"

                [models.demo]

                [local]
                port = 0
                bind = "0.0.0.0"
                allowed_origins = ["https://app.example"]
                ping_seconds = 3

                [coordinator]
                url = "ws://127.0.0.1:8080/ws/provider"
                private_only = true
                heartbeat_seconds = 1
                backend_name = "inprocess-mlx"
                reported_version = "0.6.0"
                runtime_hash = "abababababababababababababababababababababababababababababababab"
                sign_responses = true
                downloads = false
                files_url = "https://models.example"
                disk_reserve_gb = 1
                disk_quota_gb = 2

                [coordinator.test_posture]
                sip_enabled = false
                thermal_state = "critical"
                """);

        assertThat(config).isEqualTo(new AgentConfig(
                new AgentConfig.Provider(new DataSize(3L << 29)),
                new AgentConfig.Backend(List.of("demo", "~/m.gguf"), 2, 4096, 6, 0, AgentConfig.FlashAttention.ON,
                        AgentConfig.KvLayout.UNIFIED, 2, 256, 128, AgentConfig.Calibration.OFF, false, 1),
                new AgentConfig.Local(0, "0.0.0.0", List.of("https://app.example"), Duration.ofSeconds(3)),
                new AgentConfig.Coordinator(Optional.of("ws://127.0.0.1:8080/ws/provider"), Optional.empty(), true, Duration.ofSeconds(1), "inprocess-mlx",
                        Optional.of("0.6.0"), Optional.of("ab".repeat(32)), true,
                        new TestPosture(true, Map.of("sip_enabled", false), Map.of("thermal_state", "critical")),
                        new AgentConfig.Downloads(false, Optional.of("https://models.example"), new DataSize(1L << 30), new DataSize(2L << 30))),
                Map.of("org/model-1.5", new AgentConfig.Model(
                        Optional.of(Path.of("/m/file.gguf")), 512, Optional.of(Path.of("/m/chat.jinja"))))));
    }

    @Test
    void aFlagWinsOverTheFile() throws IOException {
        Files.writeString(directory.resolve("agent.toml"), "backend.parallel = 2\n");

        var values = file().load().with(ConfigAddress.of(ConfigKey.PARALLEL), "16", "--parallel");

        assertThat(AgentConfig.of(values).backend().parallel()).isEqualTo(16);
        assertThat(values.origin(ConfigAddress.of(ConfigKey.PARALLEL))).contains("--parallel");
    }

    @ParameterizedTest
    @CsvSource({"url, not-an-address", "url, ftp://c.example", "url, ws://", "url, ws://u:p@c.example", "url, 'wss://c example'", "files_url, ftp://x",
            "files_url, wss://x", "files_url, models.example", "runtime_hash, nonsense", "runtime_hash, abab", "reported_version, v1", "reported_version, 1."})
    void whatHasNotTheFormOfItsKeyIsRefusedWhereverItComesFrom(String word, String value) throws IOException {
        var address = ConfigAddress.parse("coordinator." + word);
        String refusal = "coordinator." + word + " must be " + address.key().type().description() + "; it is \"" + value + "\"";

        assertThatThrownBy(() -> file().set(address, value)).isInstanceOf(AgentException.class).hasMessageContaining(refusal);
        assertThat(directory.resolve("agent.toml")).doesNotExist();

        Files.writeString(directory.resolve("agent.toml"), "[coordinator]\n" + word + " = \"" + value + "\"\n");
        assertThatThrownBy(() -> file().load()).isInstanceOf(AgentException.class).hasMessageContaining(refusal).hasMessageContaining(":2:");
    }

    @ParameterizedTest
    @CsvSource({"url, ws://[::1]:9/hub/ws/provider", "url, HTTPS://c.example/v1", "url, ''", "files_url, http://127.0.0.1:1/f", "files_url, ''",
            "runtime_hash, ''", "reported_version, 0.6.0", "reported_version, 12"})
    void whatHasTheFormOfItsKeyIsTaken(String word, String value) {
        var address = ConfigAddress.parse("coordinator." + word);

        file().set(address, value);

        assertThat((Object) file().load().value(address.key())).isEqualTo(value);
    }

    @Test
    void aFlagOutOfRangeIsRefusedByItsOwnName() {
        assertThatThrownBy(() -> ConfigValues.DEFAULTS.with(ConfigAddress.of(ConfigKey.PARALLEL), "many", "--parallel"))
                .isInstanceOf(AgentException.class)
                .hasMessage("--parallel must be a whole number from 1 to 256; it is \"many\"");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            [backend]\\n\\nparalel = 4            | :3: unknown key backend.paralel; did you mean backend.parallel?
            [backend]\\nport = 4                  | :2: unknown key backend.port; did you mean local.port?
            zebra = 1                             | :1: unknown key zebra
            # c\\n[zebra]\\n                      | :2: unknown key zebra
            [models.demo]\\npth = "x"             | :2: unknown key models.demo.pth; did you mean models.demo.path?
            [models.demo]\\ncolour = "x"          | :2: unknown key models.demo.colour; a model has path, context_length, template
            [models.a-1.5]\\npath = "x"           | :2: unknown key models.a-1.5.path; a model id with dots is written in quotes: models."my.model".path
            [hub]\\nurl = "wss://x"               | :2: unknown key hub.url; did you mean coordinator.url?
            [coordinator]\\ntest_posture = "yes"  | :2: coordinator.test_posture must be true, false, or a table of the fields that differ; it is "yes"
            [coordinator.test_posture]\\nsip = 1  | :2: coordinator.test_posture has no field sip
            [coordinator.test_posture]\\nsip_enabled = 1 | :2: coordinator.test_posture takes true or false for sip_enabled
            [backend]\\nparallel = 0              | :2: backend.parallel must be a whole number from 1 to 256; it is 0
            [backend]\\nparallel = 2.5            | :2: backend.parallel must be a whole number from 1 to 256; it is 2.5
            [backend]\\nparallel = "4"            | :2: backend.parallel must be a whole number from 1 to 256; it is "4"
            [backend.parallel]\\nx = 1            | :2: backend.parallel must be a whole number from 1 to 256; it is a table
            backend = {parallel = 99999999999}    | :1: backend.parallel must be a whole number from 1 to 256; it is 99999999999
            [backend]\\nflash_attention = "yes"   | :2: backend.flash_attention must be one of auto, off, on; it is "yes"
            [backend]\\nstartup_preload = 1       | :2: backend.startup_preload must be true or false; it is 1
            [local]\\nallowed_origins = "x"       | :2: local.allowed_origins must be a list of origins such as "https://app.example"; it is "x"
            [local]\\nallowed_origins = [1]       | :2: local.allowed_origins must be a list of origins such as "https://app.example"; it is a list
            [provider]\\nmemory_reserve_gb = -1   | :2: provider.memory_reserve_gb must be a number from 0 to 1024; it is -1
            """)
    void aWrongFileIsRefusedWithLineAndHelp(String text, String message) {
        assertThatThrownBy(() -> read(text.replace("\\n", "\n")))
                .isInstanceOf(AgentException.class)
                .hasMessage(directory.resolve("agent.toml") + message);
    }

    @Test
    void aSyntaxErrorNamesItsLine() {
        assertThatThrownBy(() -> read("[backend]\nparallel = = 3\n"))
                .isInstanceOf(AgentException.class)
                .hasMessageStartingWith(directory.resolve("agent.toml") + ":2: ");
    }

    @Test
    void aFileThatWasNamedMustExist() {
        var named = ConfigFile.locate(Optional.of(directory.resolve("other.toml")), Map.of(), new AgentHome(directory, directory));

        assertThatThrownBy(named::load).isInstanceOf(AgentException.class).hasMessageContaining("there is no such file");
    }

    @Test
    void theFlagNamesTheFileThenTheEnvironmentThenTheHome() {
        var home = new AgentHome(Path.of("/h"), Path.of("/c"));
        var environment = Map.of("DARKBLOOM_AGENT_CONFIG", "/e.toml");

        assertThat(ConfigFile.locate(Optional.of(Path.of("/f.toml")), environment, home)).isEqualTo(new ConfigFile(Path.of("/f.toml"), true));
        assertThat(ConfigFile.locate(Optional.empty(), environment, home)).isEqualTo(new ConfigFile(Path.of("/e.toml"), true));
        assertThat(ConfigFile.locate(Optional.empty(), Map.of(), home)).isEqualTo(new ConfigFile(Path.of("/h/agent.toml"), false));
    }

    private ConfigFile file() {
        return new ConfigFile(directory.resolve("agent.toml"), false);
    }

    private AgentConfig read(String text) throws IOException {
        Files.writeString(directory.resolve("agent.toml"), text);
        return AgentConfig.of(file().load());
    }
}
