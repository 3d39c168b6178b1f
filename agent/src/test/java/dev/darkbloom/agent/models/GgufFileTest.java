package dev.darkbloom.agent.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.GgufWriter;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    private static final int COUNTS = 8;   // where the tensor count begins; the key count follows
    private static final int FIRST_KEY = 24;

    @TempDir
    private Path folder;

    @Test
    void everyValueTypeIsRead() {
        Path path = new GgufWriter("test", 1)
                .raw("u8", GgufType.UINT8, new byte[] {(byte) 200})
                .raw("i8", GgufType.INT8, new byte[] {-3})
                .u16("u16", 65_000)
                .raw("i16", GgufType.INT16, new byte[] {-1, -1})
                .u32("u32", 4_000_000_000L)
                .i32("i32", -7)
                .u64("u64", Long.MAX_VALUE)
                .raw("i64", GgufType.INT64, bytes(8, buffer -> buffer.putLong(Long.MIN_VALUE)))
                .f32("f32", 0.5)
                .raw("f64", GgufType.FLOAT64, bytes(8, buffer -> buffer.putDouble(Math.PI)))
                .flag("bool", true)
                .text("text", "grüße")
                .texts("texts", List.of("a", "", "ö"))
                .i32s("numbers", 1, -1)
                .write(folder.resolve("types.gguf"));

        try (var file = GgufFile.open(path)) {
            assertThat(file.whole("u8")).hasValue(200);
            assertThat(file.whole("i8")).hasValue(-3);
            assertThat(file.whole("u16")).hasValue(65_000);
            assertThat(file.whole("i16")).hasValue(-1);
            assertThat(file.whole("u32")).hasValue(4_000_000_000L);
            assertThat(file.whole("i32")).hasValue(-7);
            assertThat(file.whole("u64")).hasValue(Long.MAX_VALUE);
            assertThat(file.whole("i64")).hasValue(Long.MIN_VALUE);
            assertThat(file.real("f32")).hasValue(0.5);
            assertThat(file.real("f64")).hasValue(Math.PI);
            assertThat(file.flag("bool", false)).isTrue();
            assertThat(file.text("text")).hasValue("grüße");
            assertThat(file.strings(file.array("texts").orElseThrow())).containsExactly("a", "", "ö");
            assertThat(file.wholes(file.array("numbers").orElseThrow())).containsExactly(1, -1);
        }
    }

    @Test
    void anUnsignedNumberBeyondLongIsNotTakenForANegativeOne() {
        Path path = new GgufWriter("test", 1).u64("big", -1).write(folder.resolve("big.gguf"));

        try (var file = GgufFile.open(path)) {
            assertThat(file.whole("big")).isEmpty();
            assertThat(file.metadata().get("big")).isEqualTo(new GgufValue.Whole(GgufType.UINT64, -1));
        }
    }

    @ParameterizedTest
    @EnumSource(TinyModels.Kind.class)
    void everyTinyModelIsReadAndMakesSense(TinyModels.Kind kind) {
        Path path = kind.writer(1).write(folder.resolve("tiny.gguf"));

        try (var model = GgufModel.open(path)) {
            ModelCheck.check(model);

            GgufTensor last = model.tensors().getLast();
            assertThat(model.sizeBytes()).isBetween(last.offset() + last.bytes(), last.offset() + last.bytes() + 31);
        }
    }

    @Test
    void versionTwoIsReadLikeVersionThree() {
        Path path = TinyModels.llama(1).version(2).write(folder.resolve("two.gguf"));

        try (var file = GgufFile.open(path)) {
            assertThat(file.version()).isEqualTo(2);
            assertThat(file.tensors()).hasSize(21);
        }
    }

    @Test
    void tensorsMayBeAlignedToMoreThanTheDefault() {
        Path path = TinyModels.llama(1).alignment(256).write(folder.resolve("aligned.gguf"));

        try (var file = GgufFile.open(path)) {
            assertThat(file.dataOffset() % 256).isZero();
            assertThat(file.tensors()).allMatch(tensor -> tensor.offset() % 256 == 0);
        }
    }

    @Test
    void arraysAreLocatedAndNotRead() {
        Path path = new GgufWriter("test", 1)
                .texts("words", IntStream.range(0, 200_000).mapToObj(i -> "word" + i).toList())
                .write(folder.resolve("words.gguf"));

        try (var file = GgufFile.open(path)) {
            GgufValue.Array words = file.array("words").orElseThrow();
            assertThat(words.count()).isEqualTo(200_000);
            assertThat(words.offset() + words.byteLength()).isEqualTo(file.sizeBytes());
        }
    }

    @Test
    void aMissingFileIsMissingAndNotInvalid() {
        assertThatThrownBy(() -> GgufFile.open(folder.resolve("none.gguf")))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_MISSING));
    }

    @Test
    void aFolderIsRefusedBeforeItIsRead() {
        refused(folder, "not a regular file");
    }

    @Test
    void anEmptyFileIsRefused() throws IOException {
        refused(Files.createFile(folder.resolve("empty.gguf")), "empty.gguf: file has 0 bytes; a GGUF header has at least 24");
    }

    @Test
    void aForeignFileIsRefusedByItsFirstBytes() throws IOException {
        Path path = Files.write(folder.resolve("zip.gguf"), Arrays.copyOf(new byte[] {'P', 'K', 3, 4}, 24));

        refused(path, "begins with bytes 504b0304");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4, 1000, -1})
    void otherVersionsAreRefused(int version) {
        refused(TinyModels.llama(1).version(version).write(folder.resolve("version.gguf")), "versions 2 and 3 can be loaded");
    }

    @Test
    void aBigEndianFileIsCalledOne() {
        refused(TinyModels.llama(1).version(Integer.reverseBytes(3)).write(folder.resolve("big-endian.gguf")),
                "big-endian (GGUF version 3");
    }

    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -1, 32_769, 1L << 40, Long.MAX_VALUE})
    void aTensorCountBeyondReasonIsRefused(long count) {
        refused(spoiled(buffer -> buffer.putLong(COUNTS, count)), "tensor count is " + Long.toUnsignedString(count));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 4097, 1L << 62})
    void aKeyCountBeyondReasonIsRefused(long count) {
        refused(spoiled(buffer -> buffer.putLong(COUNTS + 8, count)), "metadata key count is");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 1025, 1L << 40})
    void aKeyLengthBeyondReasonIsRefused(long length) {
        refused(spoiled(buffer -> buffer.putLong(FIRST_KEY, length)), "metadata key 0 has " + Long.toUnsignedString(length) + " bytes");
    }

    @Test
    void aTruncatedFileIsRefusedAtEveryLength() throws IOException {
        byte[] whole = TinyModels.llama(1).toBytes();
        Path path = folder.resolve("short.gguf");
        for (int length = 0; length < whole.length; length += length < 9000 ? 7 : 997) {
            Files.write(path, Arrays.copyOf(whole, length));

            refused(path, "short.gguf: ");
        }
    }

    @Test
    void aFileWithoutTensorsMayEndAfterItsMetadata() throws IOException {
        byte[] whole = new GgufWriter("test", 1).flag("odd", true).toBytes();
        Path path = Files.write(folder.resolve("vocabulary.gguf"), whole);

        try (var file = GgufFile.open(path)) {
            assertThat(file.tensors()).isEmpty();
        }
    }

    @Test
    void aKeyThatAppearsTwiceIsRefused() {
        byte[] bytes = new GgufWriter("test", 1).text("general.name", "a").text("general.nam2", "b").toBytes();

        refused(write(replaced(bytes, "general.nam2", "general.name")), "key general.name appears twice");
    }

    @Test
    void aNameWithAZeroInItIsRefusedBecauseCWouldCutIt() {
        byte[] bytes = new GgufWriter("test", 1).text("general.nam2", "b").toBytes();

        refused(write(replaced(bytes, "general.nam2", "general.na\0m")), "control character");
    }

    @Test
    void anArrayOfArraysIsRefused() {
        byte[] nested = bytes(12, buffer -> buffer.putInt(GgufType.ARRAY.code()).putLong(1));

        refused(new GgufWriter("test", 1).raw("deep", GgufType.ARRAY, nested).write(folder.resolve("deep.gguf")), "array of arrays");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 1L << 31, 1L << 60})
    void anArrayCountBeyondReasonIsRefused(long count) {
        byte[] array = bytes(12, buffer -> buffer.putInt(GgufType.UINT32.code()).putLong(count));

        refused(new GgufWriter("test", 1).raw("many", GgufType.ARRAY, array).write(folder.resolve("many.gguf")),
                "element count of key many is");
    }

    @Test
    void anArrayLongerThanTheFileIsRefusedBeforeItsStringsAreRead() {
        byte[] array = bytes(12, buffer -> buffer.putInt(GgufType.STRING.code()).putLong(4_000_000));

        refused(new GgufWriter("test", 1).raw("many", GgufType.ARRAY, array).write(folder.resolve("many.gguf")), "has 4000000 strings");
    }

    @Test
    void anUnknownValueTypeIsRefused() {
        byte[] bytes = new GgufWriter("test", 1).flag("last", true).toBytes();
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes.length - 5, 13);

        refused(write(bytes), "type of key last is 13; types are 0 to 12");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 48, -32, 1 << 21})
    void anAlignmentThatIsNoSmallPowerOfTwoIsRefused(int alignment) {
        refused(new GgufWriter("test", 1).u32("general.alignment", alignment).write(folder.resolve("odd.gguf")), "power of two");
    }

    @Test
    void anAlignmentOfAnotherTypeIsRefused() {
        refused(new GgufWriter("test", 1).u64("general.alignment", 32).write(folder.resolve("odd.gguf")), "has type u64; it must be u32");
    }

    @Test
    void aTensorThatAppearsTwiceIsRefused() {
        byte[] bytes = replaced(TinyModels.llama(1).toBytes(), "blk.1.attn_q.weight", "blk.0.attn_q.weight");

        refused(write(bytes), "tensor blk.0.attn_q.weight appears twice");
    }

    @Test
    void aTensorNameThatGgmlCannotHoldIsRefused() {
        String name = "x".repeat(64);

        refused(new GgufWriter("test", 1).tensor(name, GgmlType.F32, 4).write(folder.resolve("long.gguf")), "has 64 bytes; at most 63");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, 1L << 31, Long.MAX_VALUE})
    void aDimensionBeyondReasonIsRefused(long dimension) {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 4, 4).toBytes();

        refused(write(afterName(bytes, "t", buffer -> buffer.putLong(4, dimension))), "dimension 0 of tensor t is");
    }

    @Test
    void fiveDimensionsAreRefused() {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 4, 4).toBytes();

        refused(write(afterName(bytes, "t", buffer -> buffer.putInt(0, 5))), "has 5 dimensions; at most 4");
    }

    @Test
    void aSizeThatOverflowsIsRefused() {
        long huge = Integer.MAX_VALUE;
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 4, 4, 4, 4).toBytes();

        refused(write(afterName(bytes, "t", buffer -> buffer.putLong(4, huge).putLong(12, huge).putLong(20, huge))), "63 bits");
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 5, 31, 36, 43, -1})
    void aTensorTypeThatDoesNotExistIsRefused(int code) {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 4, 4).toBytes();

        refused(write(afterName(bytes, "t", buffer -> buffer.putInt(20, code))), "which does not exist");
    }

    @Test
    void aRowThatIsNoWholeNumberOfBlocksIsRefused() {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.Q8_0, 64, 4).toBytes();

        refused(write(afterName(bytes, "t", buffer -> buffer.putLong(4, 40))), "rows of 40 elements; type Q8_0 needs a multiple of 32");
    }

    @Test
    void anOffsetInsideTheTensorBeforeIsAnOverlap() {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 64).tensor("u", GgmlType.F32, 64).toBytes();

        refused(write(afterName(bytes, "u", buffer -> buffer.putLong(16, 224))), "tensor u is at offset 224 and overlaps");
    }

    @Test
    void anOffsetBehindTheTensorBeforeIsAGap() {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 64).tensor("u", GgmlType.F32, 64).toBytes();

        refused(write(afterName(bytes, "u", buffer -> buffer.putLong(16, 288))), "tensor u is at offset 288 and leaves a gap");
    }

    @Test
    void aTensorBeyondTheEndIsRefusedWithBothSizes() {
        byte[] bytes = new GgufWriter("test", 1).tensor("t", GgmlType.F32, 64).toBytes();

        refused(write(Arrays.copyOf(bytes, bytes.length - 1)), "tensor t has 256 bytes, but the file");
    }

    @Test
    void aFileCutWhileItIsOpenIsAnErrorAndNotACrash() throws IOException {
        Path path = write(new GgufWriter("test", 1).texts("words", List.of("a".repeat(100_000), "b".repeat(100_000))).toBytes());

        try (var file = GgufFile.open(path)) {
            Files.write(path, new byte[10]);

            assertThatThrownBy(() -> file.strings(file.array("words").orElseThrow()))
                    .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_INVALID));
        }
    }

    private void refused(Path path, String part) {
        AbstractThrowableAssert<?, ?> thrown = assertThatThrownBy(() -> GgufFile.open(path).close());
        thrown.isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_INVALID));
        thrown.hasMessageContaining(part);
    }

    private Path spoiled(Consumer<ByteBuffer> change) {
        byte[] bytes = TinyModels.llama(1).toBytes();
        change.accept(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
        return write(bytes);
    }

    private Path write(byte[] bytes) {
        try {
            return Files.write(folder.resolve("spoiled.gguf"), bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Changes the fields that follow a tensor's name: dimensions, type, offset. */
    private static byte[] afterName(byte[] bytes, String name, Consumer<ByteBuffer> change) {
        byte[] entry = bytes(8 + name.length(), buffer -> buffer.putLong(name.length()).put(name.getBytes(StandardCharsets.US_ASCII)));
        int at = indexOf(bytes, entry) + entry.length;
        change.accept(ByteBuffer.wrap(bytes, at, bytes.length - at).slice().order(ByteOrder.LITTLE_ENDIAN));
        return bytes;
    }

    private static byte[] replaced(byte[] bytes, String from, String to) {
        byte[] pattern = from.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(to.getBytes(StandardCharsets.US_ASCII), 0, bytes, indexOf(bytes, pattern), pattern.length);
        return bytes;
    }

    private static int indexOf(byte[] bytes, byte[] pattern) {
        for (int i = 0; i + pattern.length <= bytes.length; i++) {
            if (Arrays.equals(bytes, i, i + pattern.length, pattern, 0, pattern.length)) {
                return i;
            }
        }
        throw new AssertionError("not in the file");
    }

    private static byte[] bytes(int length, Consumer<ByteBuffer> fill) {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        fill.accept(buffer);
        return buffer.array();
    }
}
