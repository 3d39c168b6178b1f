package dev.darkbloom.agent.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What {@code agent.toml} and the flags of the command line say, typed and within range. {@link ConfigKey} explains each value.
 *
 * @param models by id; only those for which something is set
 */
public record AgentConfig(Provider provider, Backend backend, Local local, Coordinator coordinator, Map<String, Model> models) {
    public AgentConfig {
        models = Map.copyOf(models);
    }

    /** The machine's owner. */
    public record Provider(DataSize memoryReserve) {}

    /**
     * How models run.
     *
     * @param contextLength tokens; 0 for the model's own
     * @param threads 0 for what is measured
     * @param gpuLayers -1 for all
     * @param flashAttention {@code AUTO} for what is measured
     * @param threadPolling 0 to 100; -1 for what is measured
     * @param ubatchTokens 0 for what is measured
     * @param prefillChunkTokens 0 for what a step has time for
     */
    public record Backend(
            List<String> enabledModels,
            int parallel,
            int contextLength,
            int threads,
            int gpuLayers,
            FlashAttention flashAttention,
            KvLayout kvLayout,
            int threadPolling,
            int ubatchTokens,
            int prefillChunkTokens,
            Calibration calibration,
            boolean startupPreload,
            int queueLimit) {}

    /** Values of {@code backend.kv_layout}. */
    public enum KvLayout { AUTO, STREAMS, UNIFIED }

    /** Values of {@code backend.flash_attention}. */
    public enum FlashAttention { AUTO, OFF, ON }

    /** Values of {@code backend.calibration}. */
    public enum Calibration { AUTO, OFF }

    /**
     * One model.
     *
     * @param contextLength tokens; 0 for {@link Backend#contextLength}
     * @param template a Jinja file
     */
    public record Model(Optional<Path> path, int contextLength, Optional<Path> template) {}

    /** The local endpoint. */
    public record Local(int port, String bind, List<String> allowedOrigins, Duration pingInterval) {}

    /**
     * The connection to a coordinator.
     *
     * @param url empty for none
     * @param caFile PEM; empty for none
     * @param reportedVersion empty for the agent's own
     * @param runtimeHash empty for none
     */
    public record Coordinator(
            Optional<String> url,
            Optional<Path> caFile,
            boolean privateOnly,
            Duration heartbeatInterval,
            String backendName,
            Optional<String> reportedVersion,
            Optional<String> runtimeHash,
            boolean signResponses,
            TestPosture testPosture,
            Downloads downloads) {}

    /**
     * Builds that are fetched from a coordinator's catalogue.
     *
     * @param isAllowed whether the coordinator may ask for them
     * @param filesUrl where their files are; empty for the coordinator itself
     * @param diskReserve what they leave free
     * @param quota what those that coordinators ask for may take together
     */
    public record Downloads(boolean isAllowed, Optional<String> filesUrl, DataSize diskReserve, DataSize quota) {}

    /** Returns the typed form of {@code values}. */
    public static AgentConfig of(ConfigValues values) {
        return new AgentConfig(
                new Provider(values.value(ConfigKey.MEMORY_RESERVE)),
                new Backend(
                        values.value(ConfigKey.ENABLED_MODELS),
                        values.value(ConfigKey.PARALLEL),
                        values.value(ConfigKey.CONTEXT_LENGTH),
                        values.value(ConfigKey.THREADS),
                        values.value(ConfigKey.GPU_LAYERS),
                        values.value(ConfigKey.FLASH_ATTENTION),
                        values.value(ConfigKey.KV_LAYOUT),
                        values.value(ConfigKey.THREAD_POLLING),
                        values.value(ConfigKey.UBATCH_TOKENS),
                        values.value(ConfigKey.PREFILL_CHUNK_TOKENS),
                        values.value(ConfigKey.CALIBRATION),
                        values.value(ConfigKey.STARTUP_PRELOAD),
                        values.value(ConfigKey.QUEUE_LIMIT)),
                new Local(
                        values.value(ConfigKey.LOCAL_PORT),
                        values.value(ConfigKey.LOCAL_BIND),
                        values.value(ConfigKey.ALLOWED_ORIGINS),
                        values.value(ConfigKey.PING_INTERVAL)),
                new Coordinator(
                        text(values.value(ConfigKey.COORDINATOR_URL)),
                        path(values.value(ConfigKey.CA_FILE)),
                        values.value(ConfigKey.PRIVATE_ONLY),
                        values.value(ConfigKey.HEARTBEAT_INTERVAL),
                        values.value(ConfigKey.BACKEND_NAME),
                        text(values.value(ConfigKey.REPORTED_VERSION)),
                        text(values.value(ConfigKey.RUNTIME_HASH)),
                        values.value(ConfigKey.SIGN_RESPONSES),
                        values.value(ConfigKey.TEST_POSTURE),
                        new Downloads(values.value(ConfigKey.DOWNLOADS), text(values.value(ConfigKey.FILES_URL)),
                                values.value(ConfigKey.DISK_RESERVE), values.value(ConfigKey.DISK_QUOTA))),
                models(values));
    }

    private static Map<String, Model> models(ConfigValues values) {
        var models = new LinkedHashMap<String, Model>();
        for (ConfigAddress address : values.addresses()) {
            if (address.key().isPerModel()) {
                models.computeIfAbsent(address.modelId(), id -> new Model(
                        path(values.value(ConfigKey.MODEL_PATH, id)),
                        values.value(ConfigKey.MODEL_CONTEXT_LENGTH, id),
                        path(values.value(ConfigKey.MODEL_TEMPLATE, id))));
            }
        }
        return models;
    }

    private static Optional<String> text(String value) {
        return value.isEmpty() ? Optional.empty() : Optional.of(value);
    }

    private static Optional<Path> path(String text) {
        if (text.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(text.startsWith("~/") ? Path.of(System.getProperty("user.home"), text.substring(2)) : Path.of(text));
    }
}
