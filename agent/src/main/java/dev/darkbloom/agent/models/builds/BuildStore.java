package dev.darkbloom.agent.models.builds;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The folder of fetched builds. A build is a folder with its files and {@code build.json}, which is written last; a folder that begins with a dot
 * is one that is still being fetched, and stays over restarts so that the next attempt goes on where the last one ended.
 *
 * <p>Holds nothing but the path. Any thread; two processes keep apart by the lock file of the folder that is being fetched.
 */
public final class BuildStore {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String RECORD = "build.json";
    private static final String ALIASES = "aliases.json";
    private static final String PARTIAL = ".";
    private static final int HASH_LETTERS = 12;
    private static final int MOST_NAME_LETTERS = 120;

    private final Path root;

    /** Makes a store of a folder, which need not exist yet. */
    public BuildStore(Path root) {
        this.root = root;
    }

    public Path root() {
        return root;
    }

    /** Returns the builds that are whole, the latest of an id first, in the order of ids. Folders that cannot be read are left out. */
    public List<FetchedBuild> list() {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        var found = new ArrayList<FetchedBuild>();
        try (Stream<Path> folders = Files.list(root)) {
            folders.filter(folder -> !folder.getFileName().toString().startsWith(PARTIAL)).forEach(folder -> read(folder).ifPresent(found::add));
        } catch (IOException e) {
            throw new AgentException(ErrorCode.MODEL_MISSING, "the folder of builds " + root + " cannot be read", e);
        }
        found.sort(Comparator.comparing(FetchedBuild::id).thenComparing(FetchedBuild::fetchedAt, Comparator.reverseOrder()));
        return found;
    }

    /** Returns the latest state of a build. */
    public Optional<FetchedBuild> find(String id) {
        return list().stream().filter(build -> build.id().equals(id)).findFirst();
    }

    /** Returns which build each name of a coordinator's catalogue means here, as {@link #remember} was told; mutable, in the order of names. */
    public Map<String, String> aliases(String coordinator) {
        var aliases = new TreeMap<String, String>();
        allAliases().path(coordinator).properties().forEach(entry -> aliases.put(entry.getKey(), entry.getValue().asText()));
        return aliases;
    }

    /** Returns the builds that a name means, in any coordinator's catalogue. */
    public Set<String> meanings(String alias) {
        var builds = new TreeSet<String>();
        allAliases().forEach(ofOne -> builds.add(ofOne.path(alias).asText("")));
        builds.remove("");
        return builds;
    }

    private JsonNode allAliases() {
        try {
            return JSON.readTree(Files.readString(root.resolve(ALIASES)));
        } catch (IOException e) {
            return JSON.createObjectNode(); // none yet, or damaged: coordinators say them again
        }
    }

    /** Keeps what the names of a coordinator's catalogue mean, in place of what was kept before. One thread at a time. */
    public void remember(String coordinator, Map<String, String> aliases) {
        ObjectNode all = allAliases() instanceof ObjectNode object ? object : JSON.createObjectNode();
        ObjectNode ofOne = all.putObject(coordinator);
        aliases.forEach(ofOne::put);
        try {
            AtomicFile.createDirectory(root);
            AtomicFile.write(root.resolve(ALIASES), all.toPrettyString());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + root.resolve(ALIASES), e);
        }
    }

    /** Returns a build in exactly one state. */
    Optional<FetchedBuild> find(BuildManifest manifest) {
        return read(folder(manifest)).filter(build -> build.id().equals(manifest.modelId())
                && build.aggregateSha256().equals(manifest.aggregateSha256()));
    }

    private static Optional<FetchedBuild> read(Path folder) {
        try {
            JsonNode json = JSON.readTree(Files.readString(folder.resolve(RECORD)));
            var files = new ArrayList<Path>();
            for (JsonNode file : json.path("files")) {
                Path path = folder.resolve(file.asText()).normalize();
                if (!path.startsWith(folder) || !Files.isRegularFile(path)) {
                    return Optional.empty();
                }
                files.add(path.toAbsolutePath());
            }
            if (files.isEmpty() || json.path("id").asText().isEmpty()) {
                return Optional.empty();
            }
            return Optional.of(new FetchedBuild(json.path("id").asText(), json.path("coordinator").asText(), json.path("is_owners").asBoolean(), json.path("version").asText(),
                    json.path("aggregate_sha256").asText(), folder, files, json.path("bytes").asLong(),
                    Instant.parse(json.path("fetched_at").asText())));
        } catch (IOException | DateTimeException e) {
            return Optional.empty(); // somebody's own folder, or one that was damaged: it is no build
        }
    }

    private static String name(BuildManifest manifest) {
        var name = new StringBuilder();
        for (byte b : manifest.modelId().getBytes(StandardCharsets.UTF_8)) {
            boolean plain = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.';
            name.append(plain ? (char) b : '_');
        }
        name.setLength(Math.min(name.length(), MOST_NAME_LETTERS));
        // The hash tells states of a build apart, and ids that look alike.
        return name.toString().replaceFirst("^\\.+", "_") + "@" + manifest.aggregateSha256().substring(0, HASH_LETTERS);
    }

    private Path folder(BuildManifest manifest) {
        return root.resolve(name(manifest));
    }

    /** Returns the folder in which a build is put together, making it if need be. */
    Path partial(BuildManifest manifest) throws IOException {
        AtomicFile.createDirectory(root);
        String name = PARTIAL + name(manifest);
        String build = name.substring(0, name.length() - HASH_LETTERS);
        try (Stream<Path> folders = Files.list(root)) {
            for (Path other : folders.filter(path -> isOtherState(path, build, name)).toList()) {
                delete(other); // an earlier state that nobody will finish
            }
        }
        Path partial = root.resolve(name);
        AtomicFile.createDirectory(partial);
        return partial;
    }

    private static boolean isOtherState(Path folder, String build, String name) {
        String found = folder.getFileName().toString();
        return found.startsWith(build) && found.length() == name.length() && !found.equals(name);
    }

    /** Turns a folder whose files are whole and checked into a build. */
    FetchedBuild finish(BuildManifest manifest, Path partial, String coordinator, boolean isOwners, Instant now) throws IOException {
        ObjectNode json = JSON.createObjectNode();
        json.put("id", manifest.modelId()).put("coordinator", coordinator).put("is_owners", isOwners).put("version", manifest.version())
                .put("aggregate_sha256", manifest.aggregateSha256()).put("bytes", manifest.modelBytes()).put("fetched_at", now.toString());
        var files = json.putArray("files");
        manifest.modelFiles().forEach(file -> files.add(file.path()));
        AtomicFile.write(partial.resolve(RECORD), json.toPrettyString());
        Path folder = folder(manifest);
        if (Files.exists(folder)) {
            delete(folder); // no build: it would have been found
        }
        Files.move(partial, folder, StandardCopyOption.ATOMIC_MOVE);
        return read(folder).orElseThrow(() -> new IOException("a build that was just written cannot be read"));
    }

    /** Deletes a build's files. A model that is loaded from them keeps its memory. */
    public void delete(FetchedBuild build) {
        if (!build.folder().toAbsolutePath().startsWith(root.toAbsolutePath())) {
            throw new IllegalArgumentException("not a build of this store");
        }
        try {
            Files.deleteIfExists(build.folder().resolve(RECORD)); // from here on it is no build, whatever ends us in between
            delete(build.folder());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot delete " + build.folder(), e);
        }
    }

    private static void delete(Path folder) throws IOException {
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }
}
