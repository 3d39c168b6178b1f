package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The models folder: every {@code *.gguf} below it, shards joined.
 *
 * <p>Holds nothing but the path, so files may come and go; any thread.
 */
public final class ModelStore {
    private static final int MAX_FOLDER_DEPTH = 8;

    private final Path folder;

    /** Makes a store of a folder, which need not exist yet. */
    public ModelStore(Path folder) {
        this.folder = folder;
    }

    public Path folder() {
        return folder;
    }

    /**
     * Lists the models in the order of their ids, broken ones with their problem. Reads the header and the vocabulary of each.
     *
     * @throws AgentException {@code MODEL_MISSING} when the folder exists and cannot be read
     */
    public List<ModelEntry> list() {
        var entries = new ArrayList<ModelEntry>();
        var pathById = new HashMap<String, Path>();
        for (Candidate candidate : candidates()) {
            Path first = pathById.putIfAbsent(candidate.id(), candidate.path());
            entries.add(first == null
                    ? candidate.read()
                    : candidate.broken("its id " + candidate.id() + " is taken by " + folder.relativize(first)));
        }
        return entries;
    }

    /** Returns the model of an id; empty when there is none. A broken one is returned with its problem. */
    public Optional<ModelEntry> find(String id) {
        return candidates().stream().filter(candidate -> candidate.id().equals(id)).findFirst().map(Candidate::read);
    }

    /**
     * Describes the model of a file, or of any of its shards, wherever it lies.
     *
     * @throws AgentException {@code MODEL_MISSING} when there is no such file
     */
    public static ModelEntry ofPath(Path path) {
        if (!Files.exists(path)) {
            throw new AgentException(ErrorCode.MODEL_MISSING, "no model file " + path);
        }
        Path absolute = path.toAbsolutePath();
        return new Candidate(ModelFileName.of(absolute).id(), absolute, List.of(absolute)).read();
    }

    /** Finds the files and joins shards by their names, in the order of ids, then paths. */
    private List<Candidate> candidates() {
        var groups = new TreeMap<String, List<Path>>();
        for (Path path : files()) {
            ModelFileName name = ModelFileName.of(path);
            String group = name.shards() == 1 ? path.toString() : path.resolveSibling(name.shardName(1)).toString();
            groups.computeIfAbsent(group, key -> new ArrayList<>()).add(path);
        }
        var candidates = new ArrayList<Candidate>();
        for (Map.Entry<String, List<Path>> group : groups.entrySet()) {
            Path first = folder.getFileSystem().getPath(group.getKey());
            List<Path> found = group.getValue().stream().sorted().toList();
            candidates.add(new Candidate(ModelFileName.of(first).id(), first, found));
        }
        candidates.sort(Comparator.comparing(Candidate::id).thenComparing(Candidate::path));
        return candidates;
    }

    private List<Path> files() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        var found = new ArrayList<Path>();
        var visitor = new SimpleFileVisitor<Path>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (attributes.isRegularFile() && isModelFile(file)) {
                    found.add(file);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) {
                // A dangling link, a loop or a closed folder hides itself, not the other models.
                return FileVisitResult.CONTINUE;
            }
        };
        try {
            Files.walkFileTree(folder, EnumSet.of(FileVisitOption.FOLLOW_LINKS), MAX_FOLDER_DEPTH, visitor);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.MODEL_MISSING, "the models folder " + folder + " cannot be read", e);
        }
        return found;
    }

    /** Hidden files are left out: macOS writes {@code ._name.gguf} beside a model on foreign disks, downloads begin with a dot. */
    private static boolean isModelFile(Path file) {
        String name = file.getFileName().toString();
        return name.toLowerCase(Locale.ROOT).endsWith(ModelFileName.EXTENSION) && !name.startsWith(".");
    }

    /**
     * A model by its file names, not opened yet.
     *
     * @param path the file that has the metadata, which may be missing
     * @param found the files that are there
     */
    private record Candidate(String id, Path path, List<Path> found) {
        ModelEntry read() {
            try (var model = GgufModel.open(path)) {
                try {
                    ModelCheck.check(model);
                    return ModelEntry.of(id, model, Optional.empty());
                } catch (AgentException e) {
                    return ModelEntry.of(id, model, Optional.of(e.getMessage()));
                }
            } catch (AgentException e) {
                return broken(e.getMessage());
            }
        }

        ModelEntry broken(String problem) {
            long bytes = 0;
            for (Path file : found) {
                try {
                    bytes += Files.size(file);
                } catch (IOException e) {
                    // The file went away while we looked; the problem says enough.
                    continue;
                }
            }
            return ModelEntry.broken(id, found, bytes, problem);
        }
    }
}
