package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufModelTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void aSplitModelIsWholeByWhicheverShardItIsOpened(int shard) {
        writeShards();

        try (var model = GgufModel.open(shard(shard))) {
            assertThat(model.files()).containsExactly(shard(1), shard(2), shard(3));
            assertThat(model.tensors()).extracting(GgufTensor::name).containsExactly("a", "b", "c");
            assertThat(model.architecture()).isEqualTo("llama");
        }
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        writeShards();
        Files.delete(shard(2));

        assertThatThrownBy(() -> GgufModel.open(shard(1)))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_MISSING))
                .hasMessageContaining("m-00002-of-00003.gguf");
    }

    @Test
    void shardsOfTwoModelsDoNotMix() throws IOException {
        writeShards();
        shardWriter(3, "b", 2).write(shard(3));

        refused("tensor b is in an earlier shard too");
    }

    @Test
    void aShardInAnothersPlaceIsRefused() throws IOException {
        writeShards();
        Files.copy(shard(3), shard(2), StandardCopyOption.REPLACE_EXISTING);

        refused("split.no is 2; for this file name it must be 1");
    }

    @Test
    void aTensorThatNoShardHasIsMissed() {
        writeShards();
        shardWriter(1, "a", 0).i32("split.tensors.count", 4).write(shard(1));

        refused("split.tensors.count is 4, but the 3 shards hold 3 tensors");
    }

    @Test
    void aSplitNumberOfAnotherTypeIsRefusedBecauseUpstreamAbortsOnIt() {
        writeShards();
        shardWriter(2, "b", 1).u32("split.no", 1).write(shard(2));

        refused("split.no has type u32; it must be u16");
    }

    @Test
    void aShardUnderAnotherNameIsRefused() {
        Path alone = shardWriter(1, "a", 0).write(folder.resolve("alone.gguf"));

        assertThatThrownBy(() -> GgufModel.open(alone)).hasMessageContaining("is one of 3 shards by its split.count");
    }

    @Test
    void aFileThatIsCalledTheOnlyShardIsAModelOfItsOwn() {
        Path only = TinyModels.llama(1).write(folder.resolve("only-00001-of-00001.gguf"));

        try (var model = GgufModel.open(only)) {
            assertThat(model.files()).containsExactly(only);
        }
    }

    @Test
    void eachShardsTensorsLieInItsOwnFile() {
        writeShards();

        try (var model = GgufModel.open(shard(1))) {
            assertThat(model.tensors()).allSatisfy(tensor -> assertThat(tensor.offset()).isPositive());
            assertThat(model.tensorBytes()).isEqualTo(3 * 16 * 4);
            assertThat(model.parameters()).isEqualTo(3 * 16);
        }
    }

    private void writeShards() {
        shardWriter(1, "a", 0).write(shard(1));
        shardWriter(2, "b", 1).write(shard(2));
        shardWriter(3, "c", 2).write(shard(3));
    }

    private static GgufWriter shardWriter(int shard, String tensor, int number) {
        return new GgufWriter(shard == 1 ? "llama" : "ignored", 1)
                .u16("split.count", 3)
                .u16("split.no", number)
                .i32("split.tensors.count", 3)
                .tensor(tensor, GgmlType.F32, 16);
    }

    private Path shard(int number) {
        return folder.resolve("m-0000" + number + "-of-00003.gguf");
    }

    private void refused(String part) {
        assertThatThrownBy(() -> GgufModel.open(shard(1)))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_INVALID))
                .hasMessageContaining(part);
    }
}
