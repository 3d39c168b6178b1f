package dev.darkbloom.agent.config;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;

/** What has been set, by whom, over the defaults. Immutable. */
public final class ConfigValues {
    /** Nothing set: the defaults. */
    public static final ConfigValues DEFAULTS = new ConfigValues(Map.of());

    private final Map<ConfigAddress, Setting> settings;

    private ConfigValues(Map<ConfigAddress, Setting> settings) {
        this.settings = settings;
    }

    /**
     * A value and who set it.
     *
     * @param origin a file and line, or a flag
     */
    private record Setting(Object value, String origin) {}

    /**
     * Returns these values with one set by a person's own words.
     *
     * @param origin who set it, named in the refusal: a flag such as {@code --parallel}
     * @throws AgentException {@code CONFIG_INVALID} when the text is not a value of that key
     */
    public ConfigValues with(ConfigAddress address, String text, String origin) {
        return with(address, parse(address, text, origin), origin);
    }

    /** Returns the typed value of {@code text}, or throws {@code CONFIG_INVALID} with {@code origin} as the culprit. */
    static Object parse(ConfigAddress address, String text, String origin) {
        try {
            return address.key().type().fromText(text);
        } catch (IllegalArgumentException e) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, address.toString(), origin + " " + e.getMessage());
        }
    }

    ConfigValues with(ConfigAddress address, Object typed, String origin) {
        var changed = new LinkedHashMap<>(settings);
        changed.put(address, new Setting(typed, origin));
        return new ConfigValues(changed);
    }

    /** Returns these values with the default at {@code address}. */
    ConfigValues without(ConfigAddress address) {
        var changed = new LinkedHashMap<>(settings);
        changed.remove(address);
        return new ConfigValues(changed);
    }

    /** Returns whether the same addresses hold the same values, whoever set them. */
    boolean sameAs(ConfigValues other) {
        return addresses().equals(other.addresses())
                && settings.keySet().stream().allMatch(address -> toml(address).equals(other.toml(address)));
    }

    /** Returns the value of a key that does not belong to a model. */
    public <T> T value(ConfigKey<T> key) {
        return value(key, ConfigAddress.of(key));
    }

    /** Returns the value of a model's key. */
    public <T> T value(ConfigKey<T> key, String modelId) {
        return value(key, new ConfigAddress(key, modelId));
    }

    @SuppressWarnings("unchecked") // a setting is made by its own key's type
    private <T> T value(ConfigKey<T> key, ConfigAddress address) {
        Setting setting = settings.get(address);
        return setting == null ? key.defaultValue() : (T) setting.value();
    }

    /** Returns who set the value at {@code address}; empty when it is the default. */
    public Optional<String> origin(ConfigAddress address) {
        return Optional.ofNullable(settings.get(address)).map(Setting::origin);
    }

    /** Returns the value at {@code address} as TOML. */
    public String toml(ConfigAddress address) {
        return toml(address.key(), address);
    }

    private <T> String toml(ConfigKey<T> key, ConfigAddress address) {
        return key.type().toToml(value(key, address));
    }

    /** Returns the addresses that were set, in order. */
    public SequencedSet<ConfigAddress> addresses() {
        return new LinkedHashSet<>(settings.keySet());
    }
}
