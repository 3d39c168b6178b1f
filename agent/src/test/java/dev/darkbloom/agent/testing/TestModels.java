package dev.darkbloom.agent.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/** Where the model files of the tests are. */
public final class TestModels {
    private static final String DEMO_RESOURCE = "/dev/darkbloom/agent/models/bloom-demo.gguf";
    private static final String SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf";

    private static Path demo; // guarded by the class

    private TestModels() {}

    /** Returns the demo model as a file, extracted once per test process. */
    public static synchronized Path demo() {
        if (demo == null) {
            try (InputStream resource = TestModels.class.getResourceAsStream(DEMO_RESOURCE)) {
                Path file = Files.createTempFile("bloom-demo", ".gguf");
                file.toFile().deleteOnExit();
                Files.copy(resource, file, StandardCopyOption.REPLACE_EXISTING);
                demo = file;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return demo;
    }

    /** Returns SmolLM2-135M-Instruct, or skips the calling test with a line that says how to get it. */
    public static Path smollm2() {
        Path file = cache().resolve("test-models").resolve(SMOLLM2);
        assumeTrue(Files.isRegularFile(file), () -> "skipped: " + SMOLLM2 + " is not in the cache; run scripts/fetch-test-models");
        return file;
    }

    /** Returns the user cache, as {@code scripts/fetch-test-models} finds it. */
    private static Path cache() {
        String configured = System.getenv("DARKBLOOM_AGENT_CACHE");
        if (configured != null && !configured.isEmpty()) {
            return Path.of(configured);
        }
        String home = System.getProperty("user.home");
        if (System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("mac")) {
            return Path.of(home, "Library", "Caches", "darkbloom-agent");
        }
        String xdg = System.getenv("XDG_CACHE_HOME");
        return (xdg == null || xdg.isEmpty() ? Path.of(home, ".cache") : Path.of(xdg)).resolve("darkbloom-agent");
    }
}
