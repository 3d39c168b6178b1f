package dev.darkbloom.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.testing.Builds;
import dev.darkbloom.agent.testing.TinyModels;
import dev.darkbloom.agent.testing.coordinator.FilePeer;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CommandLineTest {
    @TempDir
    Path directory;

    private record Result(int exitCode, String out, String err) {}

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ''                     | a verb is missing                                 | see: darkbloom-agent --help
            statsu                 | Unmatched argument at index 0: 'statsu'           | did you mean status
            config                 | config needs one of get, set, unset, explain      | see: darkbloom-agent config --help
            models                 | models needs one of list, inspect, add, map, unbind, catalog, download, remove | see: darkbloom-agent models --help
            stop --timeout soon    | Invalid value for option '--timeout'              | see: darkbloom-agent stop --help
            stop --timeout -1      | --timeout is 0 to 86400 seconds                   | see: darkbloom-agent stop --help
            start --local --parallel 0    | --parallel must be a whole number from 1 to 256 | see: darkbloom-agent start --help
            start --local --ctx-size big  | --ctx-size must be a whole number               | see: darkbloom-agent start --help
            chat --max-tokens 0    | --max-tokens is 1 or more                         | see: darkbloom-agent chat --help
            benchmark --runs 0     | --prompt-tokens, --runs and --streams are 1       | see: darkbloom-agent benchmark --help
            benchmark              | no agent is running; --model MODEL starts one     | see: darkbloom-agent benchmark --help
            status --jsn           | Unknown option: '--jsn'                           | did you mean --json
            config set local.port  | Missing required parameter: 'VALUE'               | see: darkbloom-agent config set --help
            """)
    void wrongUsageIsOneLineWithHelpAndExitCode2(String line, String problem, String help) {
        var result = run(line.isEmpty() ? new String[0] : line.split(" "));

        assertThat(result.exitCode()).isEqualTo(2);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).startsWith("darkbloom-agent: ").contains(problem).contains(help).doesNotContain("Exception");
        assertThat(result.err().lines()).hasSizeLessThanOrEqualTo(3);
    }

    @Test
    void aFileIsBoundToAnIdListedAndUnbound() {
        var added = run("models", "add", "demo", "--id", "org/model-1.5-8bit");
        var map = run("models", "map");
        var listed = run("models", "list");
        var removed = run("models", "unbind", "org/model-1.5-8bit");

        assertThat(added.err() + added.out()).contains("org/model-1.5-8bit is ").contains("start --model org/model-1.5-8bit");
        assertThat(map.out()).contains("org/model-1.5-8bit").contains("demo.gguf");
        assertThat(listed.out()).contains("org/model-1.5-8bit");
        assertThat(removed.exitCode()).isZero();
        assertThat(run("models", "map").out()).doesNotContain("org/model");
        assertThat(run("models", "unbind", "org/model-1.5-8bit").exitCode()).isEqualTo(1);
    }

    @Test
    void theDemoStaysBoundWhenItsFileInTheCacheIsRemoved() throws Exception {
        run("models", "add", "demo", "--id", "org/demo");
        run("models", "add", "org/demo", "--id", "org/other");
        assertThat(directory.resolve("home/agent.toml")).content().doesNotContain("cache").contains("path = \"demo\"");
        try (Stream<Path> files = Files.walk(directory.resolve("cache"))) {
            assertThat(files.filter(Files::isRegularFile).map(Path::toFile).filter(java.io.File::delete)).isNotEmpty();
        }

        var map = run("models", "map");

        assertThat(map.out()).contains("org/demo", "org/other").doesNotContain("cannot be loaded");
        assertThat(run("models", "inspect", "org/demo").exitCode()).isZero();
    }

    @Test
    void aBuildOfTheCatalogueIsListedFetchedServedByItsIdAndRemoved() {
        try (FilePeer peer = FilePeer.open()) {
            byte[] model = TinyModels.llama(3).toBytes();
            peer.put("/v1/models/catalog", """
                    {"models":[{"id":"org/m","display_name":"Emm","model_type":"text","size_gb":1.25,"min_ram_gb":8},{"id":"org/other"}]}"""
                    .getBytes(StandardCharsets.UTF_8));
            peer.put("/v1/models/catalog/manifest/org%2Fm", Builds.manifest("org/m", Map.of("m.gguf", model)).toString().getBytes(StandardCharsets.UTF_8));
            peer.put("/b/org-m/m.gguf", model);

            var before = run("models", "catalog", "--coordinator-url", peer.url());
            var missing = run("models", "download", "org/other", "--coordinator-url", peer.url());
            var fetched = run("models", "download", "org/m", "--coordinator-url", peer.url());
            var after = run("models", "catalog", "--json", "--coordinator-url", peer.url());
            var listed = run("models", "list");
            var inspected = run("models", "inspect", "org/m");
            var removed = run("models", "remove", "org/m");

            assertThat(before.out()).contains("org/m").contains("Emm").contains("1.3").contains("8 GB").doesNotContain("fetched");
            assertThat(missing.exitCode()).isEqualTo(1);
            assertThat(missing.err()).contains("the catalogue has no manifest of org/other").doesNotContain("Exception");
            assertThat(fetched.exitCode()).as(fetched.err()).isZero();
            assertThat(fetched.err()).contains("start --model org/m");
            assertThat(after.out()).contains("\"here\" : \"fetched\"");
            assertThat(listed.out()).contains("org/m");
            assertThat(inspected.exitCode()).isZero();
            assertThat(removed.out()).contains("org/m is deleted");
            assertThat(run("models", "list").out()).doesNotContain("org/m");
            assertThat(run("models", "remove", "org/m").exitCode()).isEqualTo(1);
        }
    }

    @Test
    void withoutACoordinatorThereIsNoCatalogue() {
        assertThat(run("models", "catalog").err()).contains("no coordinator is set").contains("config set coordinator.url");
    }

    @Test
    void aFileThatIsNoModelIsNotBound() throws Exception {
        Path file = Files.writeString(directory.resolve("x.gguf"), "nonsense");

        assertThat(run("models", "add", file.toString(), "--id", "a/b").exitCode()).isEqualTo(1);
        assertThat(run("models", "add", "demo", "--id", "a b").exitCode()).isEqualTo(2);
        assertThat(run("models", "map", "--json").out().strip()).isEqualTo("[ ]");
    }

    @Test
    void loginNeedsACoordinatorAndLogoutNone() {
        assertThat(run("login").exitCode()).isEqualTo(1);
        assertThat(run("login").err()).contains("no coordinator is set").contains("coordinator.url");
        assertThat(run("logout").out()).contains("belonged to no account");
    }

    @Test
    void withoutARunningAgentStatusAndStopSaySoWithExitCode3() {
        var status = run("status");
        var json = run("status", "--json");
        var stop = run("stop");

        assertThat(status.exitCode()).isEqualTo(3);
        assertThat(status.out()).startsWith("state      stopped  (start it: darkbloom-agent start --local)");
        assertThat(json.exitCode()).isEqualTo(3);
        assertThat(json.out().strip()).isEqualTo("{\"state\":\"stopped\"}");
        assertThat(stop.exitCode()).isEqualTo(3);
    }

    @Test
    void aBareStartNamesTheThreeWaysAndStartsNothing() {
        var result = run("start");

        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).contains("--local", "--hub", "--coordinator-url", "nothing was sent anywhere");
        assertThat(directory.resolve("home")).doesNotExist();
    }

    @Test
    void withoutARunningAgentItsClientsSaySoWithExitCode3() {
        var json = run("local", "--json");

        assertThat(json.exitCode()).isEqualTo(3);
        assertThat(json.out().strip()).isEqualTo("{}");
        assertThat(run("local").exitCode()).isEqualTo(3);
        assertThat(run("chat").exitCode()).isEqualTo(3);
        assertThat(run("chat").err()).startsWith("darkbloom-agent: no agent answers on a local endpoint").contains("start --local");
    }

    @Test
    void versionNamesAgentLlamaCppJavaAndPlatform() {
        var result = run("--version");

        assertThat(result.exitCode()).isZero();
        assertThat(result.out().lines()).hasSize(4).anyMatch(line -> line.equals("llama.cpp v0.4.0")).anyMatch(line -> line.startsWith("Java 25"));
    }

    @Test
    void helpListsTheVerbsInGroupsWithExamples() {
        var result = run("--help");

        assertThat(result.exitCode()).isZero();
        assertThat(result.out()).contains("Run it:", "  status      Say how the agent stands", "Use it:", "  chat        ", "Set it up:", "  config      ", "Examples:");
    }

    @ParameterizedTest
    @ValueSource(strings = {"start", "stop", "status", "chat", "local", "benchmark", "models", "models list", "models inspect", "config", "config get", "config set", "config unset",
        "config explain"})
    void everyVerbExplainsItself(String verb) {
        var result = run((verb + " --help").split(" "));

        assertThat(result.exitCode()).isZero();
        assertThat(result.out()).startsWith("Usage: darkbloom-agent " + verb).contains("-h, --help");
        assertThat(result.out().lines()).allMatch(line -> line.length() <= 110);
    }

    @Test
    void settingsAreSetReadAndRemoved() {
        assertThat(run("config", "set", "local.port", "8123").exitCode()).isZero();
        assertThat(run("config", "get", "local.port").out().strip()).isEqualTo("8123");
        assertThat(run("config", "get").out()).contains("local.port                    = 8123   # " + directory + "/home/agent.toml:2");
        assertThat(run("config", "unset", "local.port").exitCode()).isZero();
        assertThat(run("config", "get", "local.port").out().strip()).isEqualTo("8000");
    }

    @Test
    void anUnknownKeyIsRefusedWithASuggestionAndExitCode1() {
        var result = run("config", "set", "local.prot", "1");

        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.err()).startsWith("darkbloom-agent: unknown key local.prot; did you mean local.port?");
    }

    @Test
    void aNamedSettingsFileWinsOverTheHomes() throws Exception {
        Path other = Files.writeString(directory.resolve("other.toml"), "local.port = 9000\n");

        assertThat(run("config", "get", "local.port", "--config", other.toString()).out().strip()).isEqualTo("9000");
        assertThat(run("-c", other.toString(), "config", "get", "local.port").out().strip()).isEqualTo("9000");
    }

    @Test
    void aBrokenSettingsFileIsNamedWithItsLine() throws Exception {
        Path broken = Files.writeString(directory.resolve("broken.toml"), "[local]\nport = x\n");

        var result = run("config", "get", "-c", broken.toString());

        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.err()).startsWith("darkbloom-agent: " + broken + ":2: ");
    }

    @Test
    void aStackTraceComesOnlyWithVerbose() {
        assertThat(run("config", "set", "local.prot", "1").err()).doesNotContain("\tat ");
        assertThat(run("config", "set", "local.prot", "1", "-v").err()).contains("AgentException", "\tat ");
    }

    @Test
    void theDemoIsListedAndCanBeInspected() {
        assertThat(run("models", "list").out()).contains("demo", "Q8_0");
        assertThat(run("models", "list", "--json").out()).contains("\"id\" : \"demo\"", "\"size_bytes\" : ");
        assertThat(run("models", "inspect", "demo").out()).contains("loadable       yes");
        assertThat(run("models", "inspect", "demo", "--json").out()).startsWith("{");
    }

    @Test
    void aModelThatIsNotThereIsRefusedWithTheNearestName() {
        assertThat(run("models", "inspect", "demp").err()).startsWith("darkbloom-agent: no model demp; did you mean demo?");
        assertThat(run("models", "inspect", "/nowhere/x.gguf").err()).startsWith("darkbloom-agent: no model file /nowhere/x.gguf");
    }

    private Result run(String... args) {
        var out = new StringWriter();
        var err = new StringWriter();
        var terminal = new Terminal(InputStream.nullInputStream(), new PrintWriter(out, true), new PrintWriter(err, true), false);
        var home = new AgentHome(directory.resolve("home"), directory.resolve("cache"));
        int exitCode = DarkbloomAgent.commandLine(home, Map.of(), terminal, args).execute(args);
        return new Result(exitCode, out.toString(), err.toString());
    }
}
