package dev.darkbloom.agent.models.builds;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.models.ModelFileName;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * What a catalogue says of one build: its files with sizes and hashes (provider protocol, 16.2). Whoever wrote it may be anybody, so nothing of
 * it is believed before {@link #parse} has looked at it. Immutable.
 *
 * @param modelId the build's id
 * @param version the catalogue's word for this state of the build; may be empty
 * @param prefix folder of the files at the place where files are; slashes inside, none at the ends
 * @param aggregateSha256 SHA-256 over the files' binary hashes in the order of their paths; 64 lower-case digits
 * @param files in the order of their paths
 */
public record BuildManifest(String modelId, String version, String prefix, String aggregateSha256, List<File> files) {
    /** Largest manifest in bytes. */
    public static final int MOST_BYTES = 1 << 20;
    private static final int SCHEMA_VERSION = 1;
    private static final int MOST_FILES = 16_384;
    private static final int MOST_PATH_LETTERS = 512;
    private static final int MOST_DEPTH = 16;
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern PART = Pattern.compile("[A-Za-z0-9_+=,@()\\[\\] -][A-Za-z0-9._+=,@()\\[\\] -]*");
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(32).maxStringLength(MOST_BYTES).build()).build()).build();

    public BuildManifest {
        files = List.copyOf(files);
    }

    /**
     * One file of a build.
     *
     * @param path below the build's folder; relative, without {@code ..}
     * @param bytes its size
     * @param sha256 64 lower-case digits
     * @param role the catalogue's word for what it is; may be empty
     */
    public record File(String path, long bytes, String sha256, String role) {}

    /**
     * Reads a manifest and checks it against itself.
     *
     * @param modelId the build that was asked for
     * @throws AgentException {@code BUILD_INVALID} that says what is wrong
     */
    public static BuildManifest parse(String modelId, String json) {
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw invalid("it is no JSON");
        }
        if (root == null || !root.isObject()) {
            throw invalid("it is no JSON object");
        }
        if (!root.path("schema_version").isInt() || root.path("schema_version").intValue() != SCHEMA_VERSION) {
            throw invalid("its schema_version is not " + SCHEMA_VERSION);
        }
        if (!modelId.equals(root.path("model_id").textValue())) {
            throw invalid("it is of another build");
        }
        String prefix = text(root, "r2_prefix", MOST_PATH_LETTERS);
        checkPath(prefix, "r2_prefix");
        List<File> files = files(root.path("files"));
        String aggregate = hash(root, "aggregate_sha256");
        if (!aggregate.equals(aggregate(files))) {
            throw invalid("aggregate_sha256 is not that of its files");
        }
        if (root.path("file_count").asLong(-1) != files.size()) {
            throw invalid("file_count is not the number of its files");
        }
        var manifest = new BuildManifest(modelId, root.path("version").asText("").strip(), prefix, aggregate, files);
        if (root.path("total_size_bytes").asLong(-1) != manifest.files.stream().mapToLong(File::bytes).sum()) {
            throw invalid("total_size_bytes is not the sum of its files");
        }
        return manifest;
    }

    private static List<File> files(JsonNode listed) {
        if (!listed.isArray() || listed.isEmpty() || listed.size() > MOST_FILES) {
            throw invalid("it names no files, or more than " + MOST_FILES);
        }
        var files = new ArrayList<File>();
        var seen = new HashSet<String>();
        for (JsonNode one : listed) {
            String path = text(one, "path", MOST_PATH_LETTERS);
            checkPath(path, "a file's path");
            if (!seen.add(path.toLowerCase(Locale.ROOT))) {
                throw invalid("it names a file twice");
            }
            JsonNode bytes = one.path("size_bytes");
            if (!bytes.isIntegralNumber() || !bytes.canConvertToLong() || bytes.longValue() < 0 || bytes.longValue() > 1L << 50) {
                throw invalid("a file has no size");
            }
            files.add(new File(path, bytes.longValue(), hash(one, "sha256"), one.path("role").asText("")));
        }
        files.sort(Comparator.comparing(File::path));
        return files;
    }

    private static String text(JsonNode object, String name, int most) {
        String text = object.path(name).textValue();
        if (text == null || text.isEmpty() || text.length() > most) {
            throw invalid(name + " is missing or too long");
        }
        return text;
    }

    private static String hash(JsonNode object, String name) {
        String text = object.path(name).asText("").toLowerCase(Locale.ROOT);
        if (!SHA256.matcher(text).matches()) {
            throw invalid(name + " is no SHA-256");
        }
        return text;
    }

    /** A path becomes part of an address and of a file's name here: plain words between slashes, nothing that leads elsewhere. */
    private static void checkPath(String path, String what) {
        String[] parts = path.split("/", -1);
        if (parts.length > MOST_DEPTH) {
            throw invalid(what + " is too deep");
        }
        for (String part : parts) {
            if (!PART.matcher(part).matches() || part.endsWith(" ")) {
                throw invalid(what + " holds a part that is no plain name");
            }
        }
    }

    /** Returns SHA-256 over binary hashes, in the order of {@code files}. */
    private static String aggregate(List<File> files) {
        MessageDigest digest = sha256();
        files.forEach(file -> digest.update(HexFormat.of().parseHex(file.sha256())));
        return HexFormat.of().formatHex(digest.digest());
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static AgentException invalid(String why) {
        return new AgentException(ErrorCode.BUILD_INVALID, "the catalogue's manifest cannot be used: " + why);
    }

    /**
     * Returns the files that make the model: one GGUF file, or every part of a split one, in order. Others of the build (a projector, a card) are
     * not needed here.
     *
     * @throws AgentException {@code BUILD_INVALID} when there is none, when parts are missing, or when there are several models
     */
    public List<File> modelFiles() {
        List<File> found = files.stream().filter(file -> file.path().toLowerCase(Locale.ROOT).endsWith(ModelFileName.EXTENSION))
                .filter(file -> !file.role().contains("proj") && !name(file).id().toLowerCase(Locale.ROOT).startsWith("mmproj")).toList();
        if (found.isEmpty()) {
            throw new AgentException(ErrorCode.BUILD_INVALID, "build " + modelId + " has no GGUF file; this agent runs no other kind");
        }
        Set<String> models = new TreeSet<>();
        found.forEach(file -> models.add(file.path().substring(0, file.path().lastIndexOf('/') + 1) + name(file).shardName(1)));
        if (models.size() > 1) {
            throw new AgentException(ErrorCode.BUILD_INVALID, "build " + modelId + " has " + models.size() + " models");
        }
        if (found.size() != name(found.getFirst()).shards()) {
            throw new AgentException(ErrorCode.BUILD_INVALID, "build " + modelId + " has " + found.size() + " of "
                    + name(found.getFirst()).shards() + " parts");
        }
        return found; // parts have their number in the name, so paths are in their order
    }

    private static ModelFileName name(File file) {
        return ModelFileName.of(Path.of(file.path()));
    }

    /** Returns the bytes of {@link #modelFiles}. */
    public long modelBytes() {
        return modelFiles().stream().mapToLong(File::bytes).sum();
    }
}
