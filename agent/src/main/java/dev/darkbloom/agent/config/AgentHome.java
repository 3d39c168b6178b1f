package dev.darkbloom.agent.config;

import dev.darkbloom.agent.base.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * The agent's places on disk. Everything it writes lies under one of the two.
 *
 * @param root settings, keys, state, logs and models; for its owner only
 * @param cache what can be made or fetched again
 */
public record AgentHome(Path root, Path cache) {
    /** Environment variable that moves {@link #root}. */
    public static final String HOME_VARIABLE = "DARKBLOOM_AGENT_HOME";
    /** Environment variable that moves {@link #cache}. */
    public static final String CACHE_VARIABLE = "DARKBLOOM_AGENT_CACHE";

    public AgentHome {
        root = root.toAbsolutePath().normalize();
        cache = cache.toAbsolutePath().normalize();
    }

    /** Returns the home of the user who runs this process. */
    public static AgentHome locate() {
        return locate(System.getenv(), Path.of(System.getProperty("user.home")), System.getProperty("os.name"));
    }

    /**
     * Returns the home by the environment, then by the platform's custom.
     *
     * @param environment {@link #HOME_VARIABLE}, {@link #CACHE_VARIABLE} and {@code XDG_CACHE_HOME} are read; empty ones count as absent
     * @param osName as in {@code os.name}
     */
    static AgentHome locate(Map<String, String> environment, Path userHome, String osName) {
        Path root = orElse(environment, HOME_VARIABLE, userHome.resolve(".darkbloom-agent"));
        Path caches = osName.startsWith("Mac")
                ? userHome.resolve("Library/Caches")
                : orElse(environment, "XDG_CACHE_HOME", userHome.resolve(".cache"));
        return new AgentHome(root, orElse(environment, CACHE_VARIABLE, caches.resolve("darkbloom-agent")));
    }

    private static Path orElse(Map<String, String> environment, String variable, Path otherwise) {
        String value = environment.getOrDefault(variable, "");
        return value.isEmpty() ? otherwise : Path.of(value);
    }

    /** Makes the directories that are missing, mode 0700, and takes others' rights away from {@link #root}. */
    public AgentHome create() {
        try {
            AtomicFile.createDirectory(root);
            AtomicFile.createDirectory(logs());
            AtomicFile.createDirectory(models());
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot use the home " + root, e);
        }
    }

    /** Returns the settings file. */
    public Path configFile() {
        return root.resolve("agent.toml");
    }

    /** Returns the key of the local endpoint. */
    public Path localToken() {
        return root.resolve("local_token");
    }

    /** Returns the discovery record of the local endpoint, there while it is bound. */
    public Path discoveryRecord() {
        return root.resolve("local.json");
    }

    /** Returns the file whose kernel lock the one running agent holds. */
    public Path lock() {
        return root.resolve("agent.lock");
    }

    /** Returns what calibrations have found; it can be made again. */
    public Path calibrations() {
        return root.resolve("calibration.json");
    }

    /** Returns the Unix socket on which the running agent answers the command line. */
    public Path controlSocket() {
        return root.resolve("agent.sock");
    }

    /** Returns the token that binds this machine to an account; there after {@code login}. */
    public Path accountToken() {
        return root.resolve("account_token");
    }

    /** Returns what the coordinator last said it thinks of this machine; it can be lost. */
    public Path trust() {
        return root.resolve("trust");
    }

    /** Returns the key that signs what this machine says of itself, where no Secure Enclave holds it. */
    public Path signingKey() {
        return root.resolve("signing_key");
    }

    /** Returns the handle of the signing key that a Secure Enclave holds; of no use on another machine. */
    public Path enclaveKey() {
        return root.resolve("enclave_key");
    }

    public Path logs() {
        return root.resolve("logs");
    }

    public Path logFile() {
        return logs().resolve("agent.log");
    }

    /** Returns the folder of builds that were fetched from a coordinator's catalogue. */
    public Path builds() {
        return root.resolve("builds");
    }

    /** Returns the folder whose GGUF files can be named by id. */
    public Path models() {
        return root.resolve("models");
    }
}
