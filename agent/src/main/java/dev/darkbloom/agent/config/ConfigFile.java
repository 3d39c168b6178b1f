package dev.darkbloom.agent.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads and edits {@code agent.toml}. The only place that sees its syntax tree.
 *
 * @param path the file
 * @param mustExist whether its absence is an error: someone named it
 */
public record ConfigFile(Path path, boolean mustExist) {
    /** Environment variable that names the file. */
    public static final String CONFIG_VARIABLE = "DARKBLOOM_AGENT_CONFIG";

    /** Returns the file that {@code --config} names, else the environment, else the one in the home. */
    public static ConfigFile locate(Optional<Path> flag, Map<String, String> environment, AgentHome home) {
        String named = environment.getOrDefault(CONFIG_VARIABLE, "");
        if (flag.isPresent()) {
            return new ConfigFile(flag.get().toAbsolutePath(), true);
        }
        return named.isEmpty() ? new ConfigFile(home.configFile(), false) : new ConfigFile(Path.of(named).toAbsolutePath(), true);
    }

    /**
     * Returns what the file sets; nothing when it is absent and need not exist.
     *
     * @throws AgentException {@code CONFIG_INVALID} with the line
     */
    public ConfigValues load() {
        return parse(text(mustExist));
    }

    /**
     * Sets one value and leaves the rest of the file as it is, comments and order included. Makes the file if there is none.
     *
     * @throws AgentException {@code CONFIG_INVALID} when {@code value} is out of range, or the file is invalid before the edit
     */
    public void set(ConfigAddress address, String value) {
        Object typed = ConfigValues.parse(address, value, address.toString());
        String before = text(false);
        String after = ConfigEdit.set(before, address.path(), toml(address.key(), typed));
        commit(address, parse(before).with(address, typed, ""), after);
    }

    /** Removes one value, so that the default holds again; does nothing when it is not set. */
    public void unset(ConfigAddress address) {
        String before = text(false);
        ConfigValues values = parse(before);
        if (values.addresses().contains(address)) {
            commit(address, values.without(address), ConfigEdit.unset(before, address.path()));
        }
    }

    /** Writes {@code after} if it reads as {@code wanted}; a file laid out in a way the edit does not know is left alone. */
    private void commit(ConfigAddress address, ConfigValues wanted, String after) {
        boolean asWanted;
        try {
            asWanted = parse(after).sameAs(wanted);
        } catch (AgentException _) {
            asWanted = false;
        }
        if (!asWanted) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, address.toString(),
                    path + " writes " + address + " in a form that only an editor can change");
        }
        try {
            AtomicFile.createDirectory(path.getParent());
            AtomicFile.write(path, after);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.CONFIG_INVALID, "cannot write " + path + ": " + e.getMessage(), e);
        }
    }

    private String text(boolean required) {
        if (!required && !Files.exists(path)) {
            return "";
        }
        try {
            return Files.readString(path);
        } catch (CharacterCodingException e) {
            throw new AgentException(ErrorCode.CONFIG_INVALID, path + " is not UTF-8 text", e);
        } catch (IOException e) {
            String why = Files.exists(path) ? e.getMessage() : "there is no such file";
            throw new AgentException(ErrorCode.CONFIG_INVALID, "cannot read " + path + ": " + why, e);
        }
    }

    private ConfigValues parse(String text) {
        var layout = TomlLayout.of(text);
        var leaves = new LinkedHashMap<List<String>, JsonNode>();
        flatten(List.of(), tree(text), leaves);
        ConfigValues values = ConfigValues.DEFAULTS;
        for (var leaf : leaves.entrySet()) {
            String origin = path + ":" + line(layout, leaf.getKey());
            var address = ConfigAddress.ofPath(leaf.getKey(), origin + ": ");
            try {
                values = values.with(address, address.key().type().fromToml(plain(leaf.getValue())), origin);
            } catch (IllegalArgumentException e) {
                throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, address.toString(), origin + ": " + address + " " + e.getMessage());
            }
        }
        return values;
    }

    private JsonNode tree(String text) {
        try {
            return new TomlMapper().readTree(text);
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            throw new AgentException(ErrorCode.CONFIG_INVALID, path + ":" + line + ": " + e.getOriginalMessage(), e);
        }
    }

    /** Collects the values under their paths. A known key whose value is a table is kept as a leaf, to be refused by its type. */
    private static void flatten(List<String> path, JsonNode node, Map<List<String>, JsonNode> leaves) {
        for (var property : node.properties()) {
            var child = new ArrayList<>(path);
            child.add(property.getKey());
            boolean holdsKeys = property.getValue().isObject() && !property.getValue().isEmpty() && !isKnown(child);
            if (holdsKeys) {
                flatten(child, property.getValue(), leaves);
            } else if (!property.getValue().isObject() || !isTable(child)) {
                leaves.put(List.copyOf(child), property.getValue());
            }
        }
    }

    private static boolean isKnown(List<String> path) {
        try {
            ConfigAddress.ofPath(path, "");
            return true;
        } catch (AgentException _) {
            return false;
        }
    }

    /** Returns whether a table of this name may stand empty in the file. */
    private static boolean isTable(List<String> path) {
        return path.size() == 1 && ConfigKey.all().stream().anyMatch(key -> key.name().startsWith(path.getFirst() + "."))
                || path.size() == 2 && path.getFirst().equals(ConfigKey.MODELS);
    }

    private static Object plain(JsonNode node) {
        return switch (node.getNodeType()) {
            case STRING -> node.textValue();
            case BOOLEAN -> node.booleanValue();
            case NUMBER -> node.isIntegralNumber() && node.canConvertToLong() ? (Object) node.longValue() : node.decimalValue();
            case ARRAY -> node.valueStream().map(ConfigFile::plain).toList();
            case OBJECT -> table(node);
            case BINARY, MISSING, NULL, POJO -> node.asText();
        };
    }

    private static Map<String, Object> table(JsonNode node) {
        var values = new LinkedHashMap<String, Object>();
        node.properties().forEach(property -> values.put(property.getKey(), plain(property.getValue())));
        return values;
    }

    /** Returns the line of a key, or of the first key below it, or of its table. */
    private static int line(TomlLayout layout, List<String> path) {
        return layout.entries().stream()
                .filter(entry -> startsWith(entry.path(), path))
                .findFirst()
                .map(TomlLayout.Entry::line)
                .or(() -> layout.tables().stream().filter(table -> startsWith(table.path(), path)).findFirst().map(TomlLayout.Table::line))
                .orElse(1);
    }

    private static boolean startsWith(List<String> path, List<String> prefix) {
        return path.size() >= prefix.size() && path.subList(0, prefix.size()).equals(prefix);
    }

    @SuppressWarnings("unchecked") // the value was made by this key's type
    private static <T> String toml(ConfigKey<T> key, Object typed) {
        return key.type().toToml((T) typed);
    }
}
