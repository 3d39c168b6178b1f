package dev.darkbloom.agent.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A posture that is claimed instead of measured, for tests against a coordinator on this machine.
 *
 * @param isOn whether anything is claimed
 * @param flags fields that differ from an eligible Mac's, by their names on the wire
 * @param texts as {@code flags}, for {@code thermal_state}
 */
public record TestPosture(boolean isOn, Map<String, Boolean> flags, Map<String, String> texts) {
    /** Nothing is claimed: what is reported is measured. */
    public static final TestPosture OFF = new TestPosture(false, Map.of(), Map.of());
    /** What an eligible Mac says of itself. */
    public static final TestPosture ELIGIBLE = new TestPosture(true, Map.of(), Map.of());

    /** Names of the flags that a table may override. */
    public static final List<String> FLAGS = List.of("sip_enabled", "secure_boot_enabled", "rdma_disabled", "hypervisor_active",
            "authenticated_root_enabled", "secure_enclave_available", "anti_debug_enabled", "core_dumps_disabled", "env_scrubbed",
            "text_backend_inprocess", "text_proxy_disabled", "python_runtime_locked", "dangerous_modules_blocked");
    /** Names of the texts that a table may override. */
    public static final List<String> TEXTS = List.of("thermal_state");

    public TestPosture {
        flags = Map.copyOf(flags);
        texts = Map.copyOf(texts);
    }

    /** Returns what the table says of a flag. */
    public Optional<Boolean> flag(String name) {
        return Optional.ofNullable(flags.get(name));
    }

    /** Returns what the table says of a text. */
    public Optional<String> text(String name) {
        return Optional.ofNullable(texts.get(name));
    }

    /** Returns it as TOML. */
    String toToml() {
        if (!isOn || flags.isEmpty() && texts.isEmpty()) {
            return Boolean.toString(isOn);
        }
        var entries = new TreeMap<String, String>();
        flags.forEach((name, value) -> entries.put(name, value.toString()));
        texts.forEach((name, value) -> entries.put(name, TomlLayout.quote(value)));
        return entries.entrySet().stream().map(entry -> entry.getKey() + " = " + entry.getValue())
                .collect(java.util.stream.Collectors.joining(", ", "{ ", " }"));
    }
}
