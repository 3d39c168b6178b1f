package dev.darkbloom.agent.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigFileEditTest {
    @TempDir
    Path directory;

    private Path path;
    private ConfigFile file;

    @BeforeEach
    void nameTheFile() {
        path = directory.resolve("home/agent.toml");
        file = new ConfigFile(path, false);
    }

    @Test
    void theFirstValueMakesTheFileAndItsTable() throws IOException {
        file.set(ConfigAddress.parse("local.port"), "8123");

        assertThat(path).hasContent("[local]\nport = 8123\n");
    }

    @Test
    void aValueIsReplacedWhereItStands() throws IOException {
        write("# mine\n[backend]\nparallel = 2   # two streams\nthreads = 4\n");

        file.set(ConfigAddress.parse("backend.parallel"), "3");

        assertThat(path).hasContent("# mine\n[backend]\nparallel = 3   # two streams\nthreads = 4\n");
    }

    @Test
    void aNewKeyJoinsItsTable() throws IOException {
        write("[backend]\nparallel = 2 # two\n\n[local]\nport = 1\n");

        file.set(ConfigAddress.parse("backend.threads"), "4");

        assertThat(path).hasContent("[backend]\nparallel = 2 # two\nthreads = 4\n\n[local]\nport = 1\n");
    }

    @Test
    void aNewTableGoesToTheEnd() throws IOException {
        write("[backend]\nparallel = 2");

        file.set(ConfigAddress.parse("models.\"org/m.1\".path"), "/m \"x\".gguf");

        assertThat(path).hasContent("[backend]\nparallel = 2\n\n[models.\"org/m.1\"]\npath = \"/m \\\"x\\\".gguf\"\n");
    }

    @Test
    void listsAreTypedWithCommas() throws IOException {
        file.set(ConfigAddress.parse("backend.enabled_models"), "demo, other");

        assertThat(path).hasContent("[backend]\nenabled_models = [\"demo\", \"other\"]\n");
    }

    @Test
    void unsettingRemovesTheLinesOfTheValue() throws IOException {
        write("[local]\nallowed_origins = [\n  \"https://a\", # ]\n  'https://b',\n]\nport = 1\n");

        file.unset(ConfigAddress.parse("local.allowed_origins"));
        file.unset(ConfigAddress.parse("local.bind"));

        assertThat(path).hasContent("[local]\nport = 1\n");
    }

    @Test
    void aDottedOrInlineValueIsEditedInPlace() throws IOException {
        write("backend.parallel = 2\nlocal = { port = 1, bind = \"127.0.0.1\" }\n");

        file.set(ConfigAddress.parse("backend.parallel"), "5");
        file.set(ConfigAddress.parse("local.port"), "2");

        assertThat(path).hasContent("backend.parallel = 5\nlocal = { port = 2, bind = \"127.0.0.1\" }\n");
    }

    @Test
    void whatTheEditCannotDoIsLeftToAnEditor() throws IOException {
        String text = "backend.parallel = 2\nlocal = { port = 1 }\n";
        write(text);

        assertThatThrownBy(() -> file.set(ConfigAddress.parse("local.bind"), "::1"))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("only an editor can change");
        assertThatThrownBy(() -> file.unset(ConfigAddress.parse("local.port"))).isInstanceOf(AgentException.class);

        assertThat(path).hasContent(text);
    }

    @Test
    void aValueOutOfRangeChangesNothing() {
        assertThatThrownBy(() -> file.set(ConfigAddress.parse("local.port"), "70000"))
                .isInstanceOf(AgentException.class)
                .hasMessage("local.port must be a whole number from 0 to 65535; it is 70000");

        assertThat(path).doesNotExist();
    }

    @Test
    void anUnknownKeyIsRefusedWithTheNearestName() {
        assertThatThrownBy(() -> ConfigAddress.parse("local.prot"))
                .isInstanceOf(AgentException.class)
                .hasMessage("unknown key local.prot; did you mean local.port?");
        assertThatThrownBy(() -> ConfigAddress.parse("local port")).isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> ConfigAddress.parse("")).isInstanceOf(AgentException.class);
    }

    private void write(String text) throws IOException {
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }
}
