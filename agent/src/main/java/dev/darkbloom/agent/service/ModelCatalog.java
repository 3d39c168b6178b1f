package dev.darkbloom.agent.service;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.Suggestion;
import dev.darkbloom.agent.models.EmbeddedDemo;
import dev.darkbloom.agent.models.ModelEntry;
import dev.darkbloom.agent.models.ModelStore;
import dev.darkbloom.agent.models.builds.BuildStore;
import dev.darkbloom.agent.models.builds.FetchedBuild;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The models that can be named: the embedded demo, files bound to an id in the settings, files in the models folder, any file by its path, and
 * builds fetched from a catalogue. Any thread; the folder is read at each call.
 */
public final class ModelCatalog {
    private final AgentHome home;
    private final Map<String, AgentConfig.Model> bound;
    private final ModelStore store;
    private final BuildStore builds;

    public ModelCatalog(AgentHome home, AgentConfig config) {
        this.home = home;
        this.bound = config.models();
        this.store = new ModelStore(home.models());
        this.builds = new BuildStore(home.builds());
    }

    /** Returns the models folder. */
    public Path folder() {
        return home.models();
    }

    /** Returns every model that has an id: the demo first, then bound files, then the folder's. Broken ones carry their problem. */
    public List<ModelEntry> list() {
        var entries = new ArrayList<ModelEntry>();
        entries.add(demo());
        entries.addAll(bound());
        Stream.concat(store.list().stream(), fetched().stream().map(FetchedBuild::entry))
                .filter(entry -> entries.stream().noneMatch(other -> other.id().equals(entry.id()))).forEach(entries::add);
        return entries;
    }

    /** Returns the builds that were fetched from a coordinator's catalogue; the latest state of each. */
    public List<FetchedBuild> fetched() {
        var seen = new HashSet<String>();
        return builds.list().stream().filter(build -> seen.add(build.id())).toList();
    }

    /** Returns the models that the settings bind to an id, in the order of ids. */
    public List<ModelEntry> bound() {
        var entries = new ArrayList<ModelEntry>();
        new TreeMap<>(bound).forEach((id, model) -> model.path().ifPresent(path -> entries.add(named(id, ofBinding(path)))));
        return entries;
    }

    /**
     * Returns the model that someone named: by an id, by the name that a coordinator's catalogue has for a fetched build, or by the path of a
     * GGUF file.
     *
     * @throws AgentException {@code MODEL_MISSING} with the nearest known id
     */
    public ModelEntry find(String name) {
        Optional<Path> boundPath = Optional.ofNullable(bound.get(name)).flatMap(AgentConfig.Model::path);
        if (boundPath.isPresent()) {
            return named(name, ofBinding(boundPath.get()));
        }
        if (name.equals(EmbeddedDemo.ID)) {
            return demo();
        }
        return store.find(name)
                .or(() -> Files.isRegularFile(Path.of(name)) ? Optional.of(ofPath(Path.of(name))) : Optional.empty())
                .or(() -> fetched(name)) // last: what a coordinator calls its builds never stands for the owner's own files
                .orElseThrow(() -> missing(name));
    }

    private Optional<ModelEntry> fetched(String name) {
        Set<String> meanings = builds.find(name).isPresent() ? Set.of(name) : builds.meanings(name);
        if (meanings.size() > 1) {
            throw new AgentException(ErrorCode.MODEL_MISSING, name + " means several builds here: " + String.join(", ", meanings));
        }
        return meanings.stream().findFirst().flatMap(builds::find).map(FetchedBuild::entry);
    }

    /** Returns whether an id is the owner's: of the demo, a bound file, or a file of the models folder. Looks into the folder. */
    boolean isOwners(String id) {
        return id.equals(EmbeddedDemo.ID) || Optional.ofNullable(bound.get(id)).flatMap(AgentConfig.Model::path).isPresent() || store.find(id).isPresent();
    }

    private AgentException missing(String name) {
        if (name.endsWith(".gguf")) {
            return new AgentException(ErrorCode.MODEL_MISSING, "no model file " + Path.of(name).toAbsolutePath());
        }
        var ids = list().stream().map(ModelEntry::id).toList();
        return new AgentException(ErrorCode.MODEL_MISSING, "no model " + name + Suggestion.clause(name, ids));
    }

    private ModelEntry demo() {
        return ofPath(EmbeddedDemo.extract(home.cache().resolve("models")));
    }

    /**
     * Returns what the settings keep of a model that is bound to an id: its file, but of the demo its name, since its file lies in the cache,
     * which may be removed at any time.
     */
    public String binding(ModelEntry entry) {
        Path file = entry.files().getFirst().toAbsolutePath();
        return file.equals(demo().files().getFirst().toAbsolutePath()) ? EmbeddedDemo.ID : file.toString();
    }

    private ModelEntry ofBinding(Path path) {
        return path.equals(Path.of(EmbeddedDemo.ID)) ? demo() : ofPath(path);
    }

    private static ModelEntry ofPath(Path path) {
        if (!Files.exists(path)) {
            return new ModelEntry(path.getFileName().toString(), List.of(path), 0, "", "", 0, 0, Optional.of("no model file " + path));
        }
        return ModelStore.ofPath(path);
    }

    private static ModelEntry named(String id, ModelEntry entry) {
        return new ModelEntry(id, entry.files(), entry.sizeBytes(), entry.architecture(), entry.quantization(),
                entry.trainedContextTokens(), entry.parameters(), entry.problem());
    }

    /** Deletes the files of a fetched build, in all its states; returns whether there was one. */
    public boolean remove(String id) {
        List<FetchedBuild> found = builds.list().stream().filter(build -> build.id().equals(id)).toList();
        found.forEach(builds::delete);
        return !found.isEmpty();
    }

    /** Returns entries as a JSON array; names are stable and carry their unit. */
    public static String toJson(List<ModelEntry> entries) {
        var array = JsonNodeFactory.instance.arrayNode();
        for (ModelEntry entry : entries) {
            var json = array.addObject();
            json.put("id", entry.id());
            var files = json.putArray("files");
            entry.files().forEach(file -> files.add(file.toString()));
            json.put("size_bytes", entry.sizeBytes());
            json.put("architecture", entry.architecture());
            json.put("quantization", entry.quantization());
            json.put("trained_context_tokens", entry.trainedContextTokens());
            json.put("parameters", entry.parameters());
            entry.problem().ifPresent(problem -> json.put("problem", problem));
        }
        return array.toPrettyString();
    }
}
