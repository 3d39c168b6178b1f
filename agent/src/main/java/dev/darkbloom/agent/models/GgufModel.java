package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Confined;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One model in one GGUF file or in several shards, syntactically whole.
 *
 * <p>Metadata comes from the first shard, tensors from all, as in {@code llama-model-loader.cpp}. Only the first shard stays open. Used by
 * the thread that opened it.
 */
@Confined("the opener's thread")
public final class GgufModel implements AutoCloseable {
    private static final String SPLIT_NO = "split.no";
    private static final String SPLIT_COUNT = "split.count";
    private static final String SPLIT_TENSORS = "split.tensors.count";

    private final GgufFile header;
    private final List<Path> files;
    private final List<GgufTensor> tensors;
    private final Map<String, GgufTensor> tensorsByName;
    private final long sizeBytes;

    private GgufModel(GgufFile header, List<Path> files, List<GgufTensor> tensors, Map<String, GgufTensor> tensorsByName, long sizeBytes) {
        this.header = header;
        this.files = List.copyOf(files);
        this.tensors = List.copyOf(tensors);
        this.tensorsByName = Map.copyOf(tensorsByName);
        this.sizeBytes = sizeBytes;
    }

    /**
     * Opens a model by its file, or by any of its shards.
     *
     * @throws AgentException {@code MODEL_MISSING} when a file is absent, {@code MODEL_INVALID} when one cannot be read or the shards do
     *     not belong together; nothing stays open then
     */
    public static GgufModel open(Path path) {
        ModelFileName name = ModelFileName.of(path);
        GgufFile header = GgufFile.open(openingShard(path, name));
        try {
            return join(header, name);
        } catch (Throwable t) {
            header.close();
            throw t;
        }
    }

    /** Returns the file that holds the metadata: the first shard, where the name is one of several. */
    private static Path openingShard(Path path, ModelFileName name) {
        if (name.shards() < 2 || name.shard() == 1) {
            return path;
        }
        return path.resolveSibling(name.shardName(1));
    }

    private static GgufModel join(GgufFile header, ModelFileName name) {
        long count = splitNumber(header, SPLIT_COUNT, GgufType.UINT16, 1);
        if (count <= 1) {
            var byName = new HashMap<String, GgufTensor>();
            header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
            return new GgufModel(header, List.of(header.path()), header.tensors(), byName, header.sizeBytes());
        }
        if (count > GgufLimits.SHARDS) {
            throw header.invalid(SPLIT_COUNT + " is " + count + "; at most " + GgufLimits.SHARDS + " shards are allowed");
        }
        if (name.shards() != count) {
            throw header.invalid("file is one of " + count + " shards by its " + SPLIT_COUNT + ", but its name does not end in -00001-of-"
                    + String.format("%05d", count) + ".gguf");
        }
        return joinShards(header, name, (int) count);
    }

    private static GgufModel joinShards(GgufFile header, ModelFileName name, int count) {
        checkShardNumber(header, 0);
        var files = new ArrayList<Path>();
        var tensors = new ArrayList<GgufTensor>();
        var byName = new HashMap<String, GgufTensor>();
        files.add(header.path());
        addTensors(header, tensors, byName);
        long sizeBytes = header.sizeBytes();
        for (int shard = 1; shard < count; shard++) {
            Path path = header.path().resolveSibling(name.shardName(shard + 1));
            try (var file = GgufFile.open(path)) {
                checkShardNumber(file, shard);
                addTensors(file, tensors, byName);
                sizeBytes += file.sizeBytes();
            }
            files.add(path);
        }
        long expected = splitNumber(header, SPLIT_TENSORS, GgufType.INT32, -1);
        if (expected != tensors.size()) {
            throw header.invalid(SPLIT_TENSORS + " is " + expected + ", but the " + count + " shards hold " + tensors.size() + " tensors");
        }
        return new GgufModel(header, files, tensors, byName, sizeBytes);
    }

    private static void checkShardNumber(GgufFile file, int expected) {
        long number = splitNumber(file, SPLIT_NO, GgufType.UINT16, -1);
        if (number != expected) {
            throw file.invalid(SPLIT_NO + " is " + (number < 0 ? "missing" : number) + "; for this file name it must be " + expected);
        }
    }

    /** Returns a number of the split; upstream reads each with one exact type and aborts on others. */
    private static long splitNumber(GgufFile file, String key, GgufType type, long otherwise) {
        return switch (file.metadata().get(key)) {
            case null -> otherwise;
            case GgufValue.Whole whole when whole.type() == type -> whole.value();
            case GgufValue value -> throw file.invalid(key + " has type " + value.type().label() + "; it must be " + type.label());
        };
    }

    private static void addTensors(GgufFile file, List<GgufTensor> tensors, Map<String, GgufTensor> byName) {
        for (GgufTensor tensor : file.tensors()) {
            if (byName.put(tensor.name(), tensor) != null) {
                throw file.invalid("tensor " + tensor.name() + " is in an earlier shard too");
            }
            tensors.add(tensor);
        }
        if (tensors.size() > GgufLimits.TENSORS) {
            throw file.invalid("the shards hold more than " + GgufLimits.TENSORS + " tensors");
        }
    }

    /** Returns the file that holds the metadata. */
    public GgufFile header() {
        return header;
    }

    /** Returns all files in the order of their shards. */
    public List<Path> files() {
        return files;
    }

    /** Returns the tensors of all shards. */
    public List<GgufTensor> tensors() {
        return tensors;
    }

    /** Returns the tensor of a name, or null. */
    GgufTensor tensor(String name) {
        return tensorsByName.get(name);
    }

    /** Returns the bytes of all files. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /** Returns the bytes of all tensors, without padding. */
    public long tensorBytes() {
        return tensors.stream().mapToLong(GgufTensor::bytes).sum();
    }

    /** Returns the number of weights. */
    public long parameters() {
        return tensors.stream().mapToLong(GgufTensor::elements).sum();
    }

    /** Returns the architecture's name, or an empty text. */
    public String architecture() {
        return header.text("general.architecture").orElse("");
    }

    /** Returns a key below the architecture's prefix, for example {@code llama.block_count} for {@code block_count}. */
    String key(String suffix) {
        return architecture() + "." + suffix;
    }

    AgentException invalid(String problem) {
        return header.invalid(problem);
    }

    @Override
    public void close() {
        header.close();
    }
}
