package dev.darkbloom.agent.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentHomeTest {
    private static final Path USER = Path.of("/Users/someone");

    @TempDir
    Path directory;

    @Test
    void withoutVariablesTheHomeIsInTheUsersHomeAndTheCacheWhereThePlatformKeepsCaches() {
        var mac = AgentHome.locate(Map.of(), USER, "Mac OS X");
        var linux = AgentHome.locate(Map.of("XDG_CACHE_HOME", ""), USER, "Linux");

        assertThat(mac).isEqualTo(new AgentHome(USER.resolve(".darkbloom-agent"), USER.resolve("Library/Caches/darkbloom-agent")));
        assertThat(linux).isEqualTo(new AgentHome(USER.resolve(".darkbloom-agent"), USER.resolve(".cache/darkbloom-agent")));
    }

    @Test
    void variablesMoveHomeAndCache() {
        var moved = AgentHome.locate(Map.of("DARKBLOOM_AGENT_HOME", "/h", "DARKBLOOM_AGENT_CACHE", "/c"), USER, "Linux");
        var xdg = AgentHome.locate(Map.of("XDG_CACHE_HOME", "/x"), USER, "Linux");

        assertThat(moved).isEqualTo(new AgentHome(Path.of("/h"), Path.of("/c")));
        assertThat(xdg.cache()).isEqualTo(Path.of("/x/darkbloom-agent"));
    }

    @Test
    void everythingInTheHomeHasItsName() {
        var home = new AgentHome(Path.of("/h"), Path.of("/c"));

        assertThat(home.configFile()).hasToString("/h/agent.toml");
        assertThat(home.localToken()).hasToString("/h/local_token");
        assertThat(home.discoveryRecord()).hasToString("/h/local.json");
        assertThat(home.lock()).hasToString("/h/agent.lock");
        assertThat(home.controlSocket()).hasToString("/h/agent.sock");
        assertThat(home.logFile()).hasToString("/h/logs/agent.log");
        assertThat(home.models()).hasToString("/h/models");
    }

    @Test
    void theHomeIsMadeForItsOwnerOnly() throws IOException {
        var home = new AgentHome(directory.resolve("a/home"), directory.resolve("cache")).create();

        for (Path made : new Path[] {home.root(), home.logs(), home.models()}) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made))).as(made.toString()).isEqualTo("rwx------");
        }
    }
}
