package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import java.lang.reflect.RecordComponent;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** The {@code type}s of messages and the names of their members, read off the records. */
final class WireNames {
    /**
     * Members that the specification knows and has agents leave out or ignore: routing by cached prefixes, Apple's push and attestation
     * services, MLX's own, observations, and {@code stop_sequence}, which is text of the caller.
     */
    static final Set<String> IGNORED = Set.of("data", "body", "prefix_cache_protocol", "prefix_cache_v2_models",
            "prefix_cache_memory_models",
            "prefix_cache_statuses", "prefix_cache_donation_outcomes", "apns_device_token", "apns_environment", "app_attest_protocol",
            "ssd_offloaded_weight_bytes", "native_load_transient_bytes", "whole_mac_service_retirement_protocol", "whole_mac_service_used",
            "whole_mac_service_reservations", "mlx_cache_reclaimer", "prefix_cache_maintenance", "telemetry", "prefix_cache",
            "paged_storage",
            "performance_profile", "performance_measurements", "deadline_profile", "deadline_work", "mlx_num_resources", "process_memory",
            "stop_sequence", "profile", "cache_receipt_nonce", "cache_scope", "cache_receipt_boundary_mode", "cache_repeated_prefix_tokens",
            "tool_schema_metadata_protocol", "code_challenge");

    static final Map<String, Class<?>> AGENT_TYPES = types(AgentMessage.class);
    static final Map<String, Class<?>> COORDINATOR_TYPES = types(CoordinatorMessage.class);

    private static final Map<Class<?>, Set<String>> MEMBERS = members();

    private WireNames() {}

    private static Map<String, Class<?>> types(Class<?> direction) {
        var types = new HashMap<String, Class<?>>();
        for (JsonSubTypes.Type type : direction.getAnnotation(JsonSubTypes.class).value()) {
            types.put(type.name(), type.value());
        }
        return Map.copyOf(types);
    }

    private static Map<Class<?>, Set<String>> members() {
        var members = new HashMap<Class<?>, Set<String>>();
        for (Map<String, Class<?>> types : Set.of(AGENT_TYPES, COORDINATOR_TYPES)) {
            types.values().forEach(type -> {
                var names = new HashSet<>(Set.of("type"));
                collect(type, names);
                members.put(type, Set.copyOf(names));
            });
        }
        return Map.copyOf(members);
    }

    private static void collect(Class<?> type, Set<String> names) {
        for (RecordComponent component : type.getRecordComponents()) {
            if (component.getAccessor().isAnnotationPresent(JsonUnwrapped.class)) {
                collect(component.getType(), names);
            } else {
                names.add(PropertyNamingStrategies.SnakeCaseStrategy.INSTANCE.translate(component.getName()));
            }
        }
    }

    /** Returns whether messages of {@code type} have a member of that name, or may have it and are to ignore it. */
    static boolean isKnown(Class<?> type, String member) {
        return MEMBERS.get(type).contains(member) || IGNORED.contains(member);
    }
}
