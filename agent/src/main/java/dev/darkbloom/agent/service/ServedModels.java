package dev.darkbloom.agent.service;

import dev.darkbloom.agent.api.ModelCards;
import dev.darkbloom.agent.api.PropsSource;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.models.ModelEntry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The models of this run: those that were named, in their order, then those that came later. Any thread. */
final class ServedModels implements ModelCards {
    private volatile Map<String, ServedModel> byId; // never changed, only replaced

    private ServedModels(Map<String, ServedModel> byId) {
        this.byId = byId;
    }

    /**
     * Decides what to serve: what the command line names, else the settings, else with {@code all} everything that can be loaded.
     *
     * @throws AgentException {@code MODEL_MISSING} when nothing is named or a name is unknown, {@code MODEL_INVALID} for a broken file
     */
    static ServedModels choose(ModelCatalog catalog, List<String> named, boolean all, ConfigValues values, Machine machine) {
        AgentConfig config = AgentConfig.of(values);
        List<String> names = named.isEmpty() && !all ? config.backend().enabledModels() : named;
        List<ModelEntry> entries = all && names.isEmpty()
                ? catalog.list().stream().filter(entry -> entry.problem().isEmpty()).toList()
                : names.stream().map(catalog::find).toList();
        if (entries.isEmpty()) {
            throw new AgentException(ErrorCode.MODEL_MISSING, "no model is named; --model demo is there at once, --model ID takes one of the "
                    + "models folder, --model FILE.gguf any file, --all everything");
        }
        var byId = new LinkedHashMap<String, ServedModel>();
        for (ModelEntry entry : entries) {
            boolean asked = values.origin(ConfigAddress.of(ConfigKey.CONTEXT_LENGTH)).isPresent()
                    || values.origin(ConfigAddress.of(ConfigKey.PARALLEL)).isPresent()
                    || values.value(ConfigKey.MODEL_CONTEXT_LENGTH, entry.id()) > 0;
            var model = ServedModel.of(entry, config, machine, !asked);
            var other = byId.putIfAbsent(entry.id(), model);
            if (other != null && !other.spec().files().equals(entry.files())) {
                throw new AgentException(ErrorCode.MODEL_INVALID, "two files have the id " + entry.id() + ": " + other.spec().files().getFirst()
                        + " and " + entry.files().getFirst());
            }
        }
        return new ServedModels(byId);
    }

    /** Returns the model of an id, or throws {@code UNKNOWN_MODEL}. */
    ServedModel require(String modelId) {
        return Optional.ofNullable(byId.get(modelId))
                .orElseThrow(() -> new AgentException(ErrorCode.UNKNOWN_MODEL, "the agent serves " + String.join(", ", byId.keySet())));
    }

    /** Returns the model of an id. */
    Optional<ServedModel> find(String modelId) {
        return Optional.ofNullable(byId.get(modelId));
    }

    /** Adds a model behind the others, or in the place of the one that has its id. */
    synchronized void put(ServedModel model) {
        var next = new LinkedHashMap<>(byId);
        next.put(model.spec().id(), model);
        byId = next;
    }

    synchronized void remove(String modelId) {
        var next = new LinkedHashMap<>(byId);
        next.remove(modelId);
        byId = next;
    }

    List<ServedModel> list() {
        return List.copyOf(byId.values());
    }

    @Override
    public Optional<Card> card(String modelId) {
        return Optional.ofNullable(byId.get(modelId)).map(ServedModel::card);
    }

    /** Returns what {@code /props} says of a model, or of the first one where none is named; slots and context as they are now. */
    PropsSource props(ModelPool pool, String buildInfo) {
        return wanted -> Optional.ofNullable(byId.get(wanted.orElseGet(() -> byId.keySet().iterator().next()))).map(model -> {
            var spec = model.spec();
            var loaded = pool.models().stream().filter(status -> status.id().equals(spec.id()) && status.contextTokens() > 0).findFirst();
            return new PropsSource.Props(
                    spec.id(),
                    spec.files().getFirst().getFileName().toString(),
                    loaded.map(status -> status.slots()).orElse(spec.slots()),
                    loaded.map(status -> status.contextTokens()).orElse(spec.contextTokensPerSequence()),
                    model.sampling(),
                    model.template(),
                    model.bosToken(),
                    model.eosToken(),
                    buildInfo);
        });
    }
}
