package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelStoreTest {
    @TempDir
    private Path folder;

    @Test
    void aFolderThatDoesNotExistHoldsNothing() {
        assertThat(new ModelStore(folder.resolve("none")).list()).isEmpty();
        assertThat(new ModelStore(folder.resolve("none")).find("a")).isEmpty();
    }

    @Test
    void modelsAreFoundInFoldersAndDescribed() throws IOException {
        Path below = Files.createDirectories(folder.resolve("publisher/model"));
        Path file = TinyModels.llama(1).write(below.resolve("Tiny.Q8_0.gguf"));

        ModelEntry entry = new ModelStore(folder).find("Tiny.Q8_0").orElseThrow();

        assertThat(entry).isEqualTo(new ModelEntry("Tiny.Q8_0", List.of(file), Files.size(file), "llama", "Q8_0", 1024, 111_808,
                Optional.empty()));
        assertThat(entry.orElseThrow()).isSameAs(entry);
    }

    @Test
    void modelsAreListedInTheOrderOfTheirIds() {
        for (String name : new String[] {"b.gguf", "a.gguf", "C.GGUF"}) {
            TinyModels.llama(1).write(folder.resolve(name));
        }

        assertThat(new ModelStore(folder).list()).extracting(ModelEntry::id).containsExactly("C", "a", "b");
    }

    @Test
    void filesThatAreNoModelsAreLeftOut() throws IOException {
        Files.writeString(folder.resolve("notes.txt"), "x");
        Files.writeString(folder.resolve("._model.gguf"), "resource fork");
        Files.writeString(folder.resolve("model.gguf.part"), "half");
        Files.createDirectory(folder.resolve("folder.gguf"));

        assertThat(new ModelStore(folder).list()).isEmpty();
    }

    @Test
    void aBrokenModelIsListedWithItsProblem() throws IOException {
        Files.writeString(folder.resolve("broken.gguf"), "this is not a model, whatever its name says");

        ModelEntry entry = new ModelStore(folder).find("broken").orElseThrow();

        assertThat(entry.problem()).hasValueSatisfying(problem -> assertThat(problem).startsWith("broken.gguf: file begins with"));
        assertThat(entry.sizeBytes()).isEqualTo(43);
        assertThatThrownBy(entry::orElseThrow)
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_INVALID));
    }

    @Test
    void aSenselessModelIsDescribedAsFarAsItsHeaderGoes() {
        TinyModels.llama(1).u32("llama.attention.head_count", 0).write(folder.resolve("headless.gguf"));

        ModelEntry entry = new ModelStore(folder).find("headless").orElseThrow();

        assertThat(entry.architecture()).isEqualTo("llama");
        assertThat(entry.problem()).isPresent();
    }

    @Test
    void theSecondModelOfOneIdSaysWhoHasIt() throws IOException {
        Files.createDirectories(folder.resolve("x"));
        Files.createDirectories(folder.resolve("y"));
        TinyModels.llama(1).write(folder.resolve("x/m.gguf"));
        TinyModels.llama(1).write(folder.resolve("y/m.gguf"));

        List<ModelEntry> entries = new ModelStore(folder).list();

        assertThat(entries).hasSize(2);
        assertThat(entries.get(0).problem()).isEmpty();
        assertThat(entries.get(1).problem()).hasValue("its id m is taken by x/m.gguf");
    }

    @Test
    void shardsAreOneModelEvenWhenTheFirstIsMissing() throws IOException {
        Files.writeString(folder.resolve("big-00002-of-00002.gguf"), "x");

        List<ModelEntry> entries = new ModelStore(folder).list();

        assertThat(entries).hasSize(1);
        assertThat(entries.getFirst().id()).isEqualTo("big");
        assertThat(entries.getFirst().problem()).hasValueSatisfying(problem -> assertThat(problem).contains("big-00001-of-00002.gguf"));
    }

    @Test
    void aLinkedModelIsFoundAndALoopOfLinksDoesNotHang() throws IOException {
        Path elsewhere = Files.createTempDirectory(folder, "elsewhere");
        Path models = Files.createDirectory(folder.resolve("models"));
        Path file = TinyModels.llama(1).write(elsewhere.resolve("real.gguf"));
        Files.createSymbolicLink(models.resolve("linked.gguf"), file);
        Files.createSymbolicLink(models.resolve("again"), models);
        Files.createSymbolicLink(models.resolve("dangling.gguf"), folder.resolve("nowhere"));

        assertThat(new ModelStore(models).list()).extracting(ModelEntry::id).containsExactly("linked");
    }

    @Test
    void aModelByItsPathIsCalledByItsFileName() {
        Path file = TinyModels.llama(1).write(folder.resolve("x-00001-of-00001.gguf"));

        assertThat(ModelStore.ofPath(file).id()).isEqualTo("x");
        assertThatThrownBy(() -> ModelStore.ofPath(folder.resolve("none.gguf")))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_MISSING));
    }
}
