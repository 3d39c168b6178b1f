package dev.darkbloom.agent.models.builds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.Builds;
import java.util.HashMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BuildManifestTest {
    private static final byte[] SOME = {1, 2, 3};

    private static ObjectNode manifest(String... paths) {
        var files = new HashMap<String, byte[]>();
        for (String path : paths) {
            files.put(path, SOME);
        }
        return Builds.manifest("org/m", files);
    }

    private static BuildManifest parse(ObjectNode json) {
        return BuildManifest.parse("org/m", json.toString());
    }

    @Test
    void aManifestIsReadWithItsFilesInOrder() {
        BuildManifest manifest = parse(manifest("README.md", "a/m-Q8_0.gguf", "mmproj-m.gguf"));

        assertThat(manifest.files()).extracting(BuildManifest.File::path).containsExactly("README.md", "a/m-Q8_0.gguf", "mmproj-m.gguf");
        assertThat(manifest.modelFiles()).extracting(BuildManifest.File::path).containsExactly("a/m-Q8_0.gguf");
        assertThat(manifest.modelBytes()).isEqualTo(3);
        assertThat(manifest.prefix()).isEqualTo("b/org-m");
    }

    @Test
    void aSplitModelIsAllItsPartsInOrder() {
        BuildManifest manifest = parse(manifest("x/m-00002-of-00003.gguf", "x/m-00001-of-00003.gguf", "x/m-00003-of-00003.gguf", "x/config.json"));

        assertThat(manifest.modelFiles()).extracting(BuildManifest.File::path)
                .containsExactly("x/m-00001-of-00003.gguf", "x/m-00002-of-00003.gguf", "x/m-00003-of-00003.gguf");
    }

    @ParameterizedTest
    @MethodSource
    void aBuildThatIsNotOneModelIsRefused(ObjectNode json, String why) {
        BuildManifest manifest = parse(json);

        assertThatThrownBy(manifest::modelFiles).hasMessageContaining(why)
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.BUILD_INVALID));
    }

    static Stream<Arguments> aBuildThatIsNotOneModelIsRefused() {
        return Stream.of(
                Arguments.of(manifest("model.safetensors", "config.json"), "no GGUF file"),
                Arguments.of(manifest("mmproj-m.gguf"), "no GGUF file"),
                Arguments.of(manifest("a.gguf", "b.gguf"), "2 models"),
                Arguments.of(manifest("a/m-00001-of-00002.gguf", "b/m-00002-of-00002.gguf"), "2 models"),
                Arguments.of(manifest("m-00001-of-00003.gguf", "m-00003-of-00003.gguf"), "2 of 3 parts"));
    }

    @ParameterizedTest
    @MethodSource
    void whatAManifestSaysWronglyIsNamed(Consumer<ObjectNode> change, String why) {
        ObjectNode json = manifest("m.gguf", "n.txt");
        change.accept(json);

        assertThatThrownBy(() -> parse(json)).hasMessageContaining(why)
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.BUILD_INVALID));
    }

    static Stream<Arguments> whatAManifestSaysWronglyIsNamed() {
        return Stream.of(
                wrong(json -> json.put("schema_version", 2), "schema_version"),
                wrong(json -> json.put("schema_version", "1"), "schema_version"),
                wrong(json -> json.put("model_id", "org/other"), "another build"),
                wrong(json -> json.put("r2_prefix", "/etc"), "r2_prefix"),
                wrong(json -> json.put("r2_prefix", "a/../b"), "r2_prefix"),
                wrong(json -> json.put("r2_prefix", "a?b=c"), "r2_prefix"),
                wrong(json -> json.remove("r2_prefix"), "r2_prefix"),
                wrong(json -> json.put("aggregate_sha256", "ab"), "no SHA-256"),
                wrong(json -> json.put("aggregate_sha256", "0".repeat(64)), "aggregate_sha256"),
                wrong(json -> json.put("file_count", 3), "file_count"),
                wrong(json -> json.put("total_size_bytes", 7), "total_size_bytes"),
                wrong(json -> json.putArray("files"), "names no files"),
                wrong(json -> file(json).put("path", "../m.gguf"), "no plain name"),
                wrong(json -> file(json).put("path", "/m.gguf"), "no plain name"),
                wrong(json -> file(json).put("path", "a//m.gguf"), "no plain name"),
                wrong(json -> file(json).put("path", ".hidden.gguf"), "no plain name"),
                wrong(json -> file(json).put("path", "a\\m.gguf"), "no plain name"),
                wrong(json -> file(json).put("path", "a\u0000.gguf"), "no plain name"),
                wrong(json -> file(json).put("path", "m".repeat(513)), "too long"),
                wrong(json -> file(json).put("path", "a/".repeat(20) + "m.gguf"), "too deep"),
                wrong(json -> file(json).put("path", "N.TXT"), "twice"),
                wrong(json -> file(json).put("size_bytes", -1), "no size"),
                wrong(json -> file(json).put("size_bytes", 3.0), "no size"),
                wrong(json -> file(json).put("size_bytes", Long.MAX_VALUE), "no size"),
                wrong(json -> file(json).put("sha256", "xyz"), "no SHA-256"));
    }

    private static Arguments wrong(Consumer<ObjectNode> change, String why) {
        return Arguments.of(change, why);
    }

    private static ObjectNode file(ObjectNode json) {
        return (ObjectNode) ((ArrayNode) json.get("files")).get(0);
    }

    @Test
    void whatIsNoJsonOrTooDeepIsRefused() {
        for (String text : new String[] {"", "no", "[]", "null", "[".repeat(100) + "]".repeat(100), "{\"schema_version\":1"}) {
            assertThatThrownBy(() -> BuildManifest.parse("m", text)).isInstanceOfSatisfying(AgentException.class,
                    e -> assertThat(e.code()).isEqualTo(ErrorCode.BUILD_INVALID));
        }
    }
}
