package dev.darkbloom.agent.config;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.List;

/**
 * Names one place in {@code agent.toml}: a key, and for keys of models the model.
 *
 * @param modelId empty unless {@code key} belongs to models
 */
public record ConfigAddress(ConfigKey<?> key, String modelId) {
    public ConfigAddress {
        if (key.isPerModel() == modelId.isEmpty()) {
            throw new IllegalArgumentException(key.name() + " with the model id \"" + modelId + "\"");
        }
    }

    /** Returns the address of a key that does not belong to a model. */
    public static ConfigAddress of(ConfigKey<?> key) {
        return new ConfigAddress(key, "");
    }

    /**
     * Returns the address that someone typed, written as in TOML: {@code local.port}, {@code models."my.model".path}.
     *
     * @throws AgentException {@code CONFIG_INVALID} with the nearest known name
     */
    public static ConfigAddress parse(String dotted) {
        List<String> path;
        try {
            path = TomlLayout.parseKey(dotted);
        } catch (IllegalArgumentException e) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, dotted, dotted + " is not a key: " + e.getMessage());
        }
        return ofPath(path, "");
    }

    /** Returns the address of a path of words; {@code where} opens the message of a refusal. */
    static ConfigAddress ofPath(List<String> path, String where) {
        if (path.size() == 3 && path.getFirst().equals(ConfigKey.MODELS) && !path.get(1).isEmpty()) {
            for (ConfigKey<?> key : ConfigKey.all()) {
                if (key.isPerModel() && key.lastWord().equals(path.get(2))) {
                    return new ConfigAddress(key, path.get(1));
                }
            }
        }
        String name = String.join(".", path);
        for (ConfigKey<?> key : ConfigKey.all()) {
            if (!key.isPerModel() && key.name().equals(name)) {
                return of(key);
            }
        }
        throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, name, where + "unknown key " + TomlLayout.join(path) + hint(path));
    }

    private static String hint(List<String> path) {
        if (path.getFirst().equals(ConfigKey.MODELS) && path.size() > 3) {
            return "; a model id with dots is written in quotes: models.\"my.model\"." + path.getLast();
        }
        if (path.getFirst().equals(ConfigKey.MODELS) && path.size() == 3) {
            var words = ConfigKey.all().stream().filter(ConfigKey::isPerModel).map(ConfigKey::lastWord).toList();
            return Suggestion.nearest(path.get(2), words)
                    .map(word -> "; did you mean " + TomlLayout.join(List.of(ConfigKey.MODELS, path.get(1), word)) + "?")
                    .orElse("; a model has " + String.join(", ", words));
        }
        String name = String.join(".", path);
        var names = ConfigKey.all().stream().map(ConfigKey::name).toList();
        String byName = Suggestion.clause(name, names);
        if (!byName.isEmpty()) {
            return byName;
        }
        // A right last word in the wrong table ("backend.port") is far by edit distance and yet clear.
        return names.stream()
                .filter(known -> known.endsWith("." + path.getLast()) && !known.startsWith(ConfigKey.MODELS))
                .findFirst()
                .map(known -> "; did you mean " + known + "?")
                .orElse("");
    }

    /** Returns the words under which the file holds the value. */
    List<String> path() {
        return key.isPerModel() ? List.of(ConfigKey.MODELS, modelId, key.lastWord()) : List.of(key.name().split("\\."));
    }

    @Override
    public String toString() {
        return TomlLayout.join(path());
    }
}
