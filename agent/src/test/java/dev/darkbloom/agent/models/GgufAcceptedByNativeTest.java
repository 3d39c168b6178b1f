package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.testing.GgufMutator;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.LoadInChild;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Nothing that {@link ModelCheck} accepts makes llama.cpp abort: it decodes, or throws and is refused.
 *
 * <p>Every model is loaded in a child process, which may die without taking the test with it. {@code -Ddarkbloom.native.mutants=20000}
 * tries more of them.
 */
@Tag("native")
class GgufAcceptedByNativeTest {
    private static final int MUTANTS = Integer.getInteger("darkbloom.native.mutants", 1500);

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(TinyModels.Kind.class)
    void everyTinyModelDecodes(TinyModels.Kind kind) throws Exception {
        Path file = kind.writer(1).write(folder.resolve(fileName(kind, 0)));

        try (var child = new Child()) {
            assertThat(child.load(file)).isEqualTo("decoded");
            assertThat(child.end()).isZero();
        }
    }

    @Test
    void noAcceptedMutantEndsTheProcess() throws Exception {
        var verdicts = new HashMap<String, Integer>();
        var deadly = new ArrayList<String>();
        var child = new Child();
        try {
            for (int seed = 0; seed < MUTANTS; seed++) {
                Path file = mutant(seed);
                if (file != null) {
                    String verdict = child.load(file);
                    verdicts.merge(verdict, 1, Integer::sum);
                    if (verdict.equals("died")) {
                        deadly.add(file.getFileName() + " with exit code " + child.end());
                        child.close();
                        child = new Child();
                    }
                    Files.delete(file);
                }
            }
            assertThat(deadly).as("mutants that ended the process, of %s", verdicts).isEmpty();
            assertThat(child.end()).isZero();
            assertThat(verdicts.get("decoded")).isGreaterThan(MUTANTS / 20);
        } finally {
            child.close();
        }
    }

    /** Returns the file of a mutant, or null when the check refuses it. */
    private Path mutant(int seed) {
        TinyModels.Kind kind = TinyModels.Kind.values()[seed % TinyModels.Kind.values().length];
        GgufWriter writer = kind.writer(1);
        new GgufMutator(seed).mutate(writer);
        Path file = writer.write(folder.resolve(fileName(kind, seed)));
        try (var model = GgufModel.open(file)) {
            ModelCheck.check(model);
            return file;
        } catch (AgentException e) {
            return null;
        }
    }

    private static String fileName(TinyModels.Kind kind, int seed) {
        return kind.name().toLowerCase(Locale.ROOT) + "-" + seed + ".gguf";
    }

    /** A process that loads models, one line in and one line out. */
    private static final class Child implements AutoCloseable {
        private final Process process;
        private final BufferedWriter in;
        private final BufferedReader out;

        Child() throws IOException {
            var command = List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED",
                    "-Ddarkbloom.native.lib=" + System.getProperty("darkbloom.native.lib"),
                    "-Xmx512m",
                    "-XX:-CreateCoredumpOnCrash",
                    "-XX:ErrorFile=/dev/null",
                    "-cp", System.getProperty("java.class.path"),
                    LoadInChild.class.getName());
            var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
            Map<String, String> environment = builder.environment();
            environment.put("GGML_NO_BACKTRACE", "1");
            process = builder.start();
            in = process.outputWriter();
            out = process.inputReader();
        }

        /** Returns {@code decoded} or {@code refused}, or {@code died} when no answer came. */
        String load(Path file) {
            try {
                in.write(file + "\n");
                in.flush();
                for (String line = out.readLine(); line != null; line = out.readLine()) {
                    if (line.equals("decoded") || line.equals("refused")) {
                        return line;
                    }
                }
                return "died";
            } catch (IOException e) {
                return "died";
            }
        }

        /** Tells the child that there is no more, and returns its exit code. */
        int end() throws InterruptedException {
            try {
                in.close();
            } catch (IOException e) {
                // A child that has died reads nothing; its exit code tells.
            }
            return process.waitFor();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
