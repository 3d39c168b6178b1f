package dev.darkbloom.agent.config;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;

/**
 * One key of {@code agent.toml}: the only place that knows its name, type, range, default and meaning.
 *
 * @param name dotted; {@code models.<id>.…} stands for a key that every model may have
 * @param type what its value may be
 * @param defaultValue what holds when the file does not set it
 * @param meaning one sentence
 */
public record ConfigKey<T>(String name, ValueType<T> type, T defaultValue, String meaning) {
    /** First word of the keys that each model may have. */
    static final String MODELS = "models";
    private static final String PER_MODEL = MODELS + ".<id>.";

    public static final ConfigKey<DataSize> MEMORY_RESERVE = new ConfigKey<>(
            "provider.memory_reserve_gb", new ValueType.Gigabytes(1024), DataSize.ofGigabytes(BigDecimal.valueOf(4)),
            "Memory in GB (2^30 bytes) that models never take, left to the system and to other programs.");

    public static final ConfigKey<List<String>> ENABLED_MODELS = new ConfigKey<>(
            "backend.enabled_models", new ValueType.TextList("a list of model ids or GGUF paths"), List.of(),
            "Models that start serves when it is given no --model.");
    public static final ConfigKey<Integer> PARALLEL = new ConfigKey<>(
            "backend.parallel", new ValueType.WholeNumber(1, 256), 8,
            "Slots of each model: requests that are answered side by side.");
    public static final ConfigKey<Integer> CONTEXT_LENGTH = new ConfigKey<>(
            "backend.context_length", new ValueType.WholeNumber(0, 16_777_216), 0,
            "Tokens of context in each slot; 0 takes the model's own length, less where memory asks for it.");
    public static final ConfigKey<Integer> THREADS = new ConfigKey<>(
            "backend.threads", new ValueType.WholeNumber(0, 512), 0,
            "Threads that compute; 0 measures which number is best, up to one for each performance core.");
    public static final ConfigKey<Integer> GPU_LAYERS = new ConfigKey<>(
            "backend.gpu_layers", new ValueType.WholeNumber(-1, 100_000), -1,
            "Layers that are given to the GPU; -1 gives all.");
    public static final ConfigKey<AgentConfig.FlashAttention> FLASH_ATTENTION = new ConfigKey<>(
            "backend.flash_attention", new ValueType.Choice<>(AgentConfig.FlashAttention.class), AgentConfig.FlashAttention.AUTO,
            "Whether attention is computed without storing the score matrix; auto measures what is faster.");
    public static final ConfigKey<AgentConfig.KvLayout> KV_LAYOUT = new ConfigKey<>(
            "backend.kv_layout", new ValueType.Choice<>(AgentConfig.KvLayout.class), AgentConfig.KvLayout.AUTO,
            "How slots share the KV cache: streams, a part for each, or unified, one store for all; auto takes streams where they fit.");
    public static final ConfigKey<Integer> THREAD_POLLING = new ConfigKey<>(
            "backend.thread_polling", new ValueType.WholeNumber(-1, 100), -1,
            "How eagerly threads wait for the next step, from 0 (asleep) to 100 (spinning); -1 measures whether it helps.");
    public static final ConfigKey<Integer> UBATCH_TOKENS = new ConfigKey<>(
            "backend.ubatch_tokens", new ValueType.WholeNumber(0, 16_384), 0,
            "Prompt tokens that the backend computes at once; 0 measures what is faster; embedding models have their own.");
    public static final ConfigKey<Integer> PREFILL_CHUNK_TOKENS = new ConfigKey<>(
            "backend.prefill_chunk_tokens", new ValueType.WholeNumber(0, 16_384), 0,
            "Prompt tokens in one step; 0 takes as many as keep a step at a tenth of a second, by the speed that is measured.");
    public static final ConfigKey<AgentConfig.Calibration> CALIBRATION = new ConfigKey<>(
            "backend.calibration", new ValueType.Choice<>(AgentConfig.Calibration.class), AgentConfig.Calibration.AUTO,
            "Whether the settings that say so are measured at the first load of a model, in a second or two; off takes safe ones.");
    public static final ConfigKey<Boolean> STARTUP_PRELOAD = new ConfigKey<>(
            "backend.startup_preload", new ValueType.Flag(), true,
            "Whether start loads the models before it answers; otherwise the first request loads them.");
    public static final ConfigKey<Integer> QUEUE_LIMIT = new ConfigKey<>(
            "backend.queue_limit", new ValueType.WholeNumber(1, 100_000), 64,
            "Requests that may wait for a slot of one model; the next one is answered 503.");

    public static final ConfigKey<String> MODEL_PATH = new ConfigKey<>(
            PER_MODEL + "path", new ValueType.Text("the path of a GGUF file, or demo"), "",
            "File that serves this model id; without it the models folder is searched.");
    public static final ConfigKey<Integer> MODEL_CONTEXT_LENGTH = new ConfigKey<>(
            PER_MODEL + "context_length", new ValueType.WholeNumber(0, 16_777_216), 0,
            "Tokens of context in each slot of this model; 0 takes backend.context_length.");
    public static final ConfigKey<String> MODEL_TEMPLATE = new ConfigKey<>(
            PER_MODEL + "template", new ValueType.Text("the path of a Jinja file"), "",
            "Chat template that replaces the one in the model's file.");

    public static final ConfigKey<Integer> LOCAL_PORT = new ConfigKey<>(
            "local.port", new ValueType.WholeNumber(0, 65_535), 8000,
            "TCP port of the local endpoint; 0 takes any free one.");
    public static final ConfigKey<String> LOCAL_BIND = new ConfigKey<>(
            "local.bind", new ValueType.Text("an IP address of this machine"), "127.0.0.1",
            "Address that the local endpoint listens on; anything but loopback can be reached from outside, without TLS.");
    public static final ConfigKey<List<String>> ALLOWED_ORIGINS = new ConfigKey<>(
            "local.allowed_origins", new ValueType.TextList("a list of origins such as \"https://app.example\""), List.of(),
            "Web pages, besides those on loopback, whose scripts may call the local endpoint.");
    public static final ConfigKey<Duration> PING_INTERVAL = new ConfigKey<>(
            "local.ping_seconds", new ValueType.Seconds(1, 3600), Duration.ofSeconds(15),
            "Silence in a streamed answer after which a comment is sent to keep the connection open.");

    public static final ConfigKey<String> COORDINATOR_URL = new ConfigKey<>(
            "coordinator.url", ValueType.Formed.address("an address such as \"wss://coordinator.example/ws/provider\"",
                    "ws", "wss", "http", "https"), "",
            "Coordinator that start connects to when neither --coordinator-url nor --local is given; none is built in.");
    public static final ConfigKey<String> CA_FILE = new ConfigKey<>(
            "coordinator.ca_file", new ValueType.Text("the path of a PEM file"), "",
            "Certificates of authorities that prove a coordinator, besides those that this system and Java trust.");
    public static final ConfigKey<Boolean> PRIVATE_ONLY = new ConfigKey<>(
            "coordinator.private_only", new ValueType.Flag(), false,
            "Whether this machine serves its owner's own requests only; coordinators before May 2026 do not know of it.");
    public static final ConfigKey<Duration> HEARTBEAT_INTERVAL = new ConfigKey<>(
            "coordinator.heartbeat_seconds", new ValueType.Seconds(1, 60), Duration.ofSeconds(5),
            "Time between two reports to the coordinator, which forgets a machine after 90 seconds without one.");
    public static final ConfigKey<String> BACKEND_NAME = new ConfigKey<>(
            "coordinator.backend_name", new ValueType.Text("a word that the coordinator knows"), "llama.cpp",
            "Engine named in the registration; coordinators route only to names they know, so set another only towards one of your own.");
    public static final ConfigKey<String> REPORTED_VERSION = new ConfigKey<>(
            "coordinator.reported_version", ValueType.Formed.matching("a dotted number", "\\d{1,9}(\\.\\d{1,9}){0,7}"), "",
            "Version named in the registration, the agent's own when empty; set another only towards a coordinator of your own.");
    public static final ConfigKey<String> RUNTIME_HASH = new ConfigKey<>(
            "coordinator.runtime_hash", ValueType.Formed.matching("64 hexadecimal digits", "[0-9a-fA-F]{64}"), "",
            "Hash of the runtime that a coordinator of your own lists in its manifest; none is sent otherwise.");
    public static final ConfigKey<Boolean> SIGN_RESPONSES = new ConfigKey<>(
            "coordinator.sign_responses", new ValueType.Flag(), false,
            "Whether answers carry a hash signed by this machine's key; coordinators add an event for it that some clients cannot read.");
    public static final ConfigKey<TestPosture> TEST_POSTURE = new ConfigKey<>(
            "coordinator.test_posture", new ValueType.Posture(), TestPosture.OFF,
            "Claims an eligible Mac's posture instead of measuring this machine's, for tests; refused unless the coordinator is on this machine.");

    public static final ConfigKey<Boolean> DOWNLOADS = new ConfigKey<>(
            "coordinator.downloads", new ValueType.Flag(), true,
            "Whether the coordinator may have builds of its catalogue fetched to this machine's disk.");
    public static final ConfigKey<String> FILES_URL = new ConfigKey<>(
            "coordinator.files_url", ValueType.Formed.address("an address such as \"https://models.example\"", "http", "https"), "",
            "Where the files of the catalogue's builds are, below the folder that each manifest names; the coordinator itself when empty.");
    public static final ConfigKey<DataSize> DISK_RESERVE = new ConfigKey<>(
            "coordinator.disk_reserve_gb", new ValueType.Gigabytes(1_000_000), DataSize.ofGigabytes(BigDecimal.valueOf(20)),
            "Disk in GB (2^30 bytes) that a fetched build must leave free.");
    public static final ConfigKey<DataSize> DISK_QUOTA = new ConfigKey<>(
            "coordinator.disk_quota_gb", new ValueType.Gigabytes(1_000_000), DataSize.ofGigabytes(BigDecimal.valueOf(200)),
            "Disk in GB (2^30 bytes) that builds fetched for coordinators may take together.");

    private static final List<ConfigKey<?>> ALL = List.of(
            MEMORY_RESERVE,
            ENABLED_MODELS, PARALLEL, CONTEXT_LENGTH, THREADS, GPU_LAYERS, FLASH_ATTENTION, KV_LAYOUT, THREAD_POLLING,
            UBATCH_TOKENS, PREFILL_CHUNK_TOKENS, CALIBRATION, STARTUP_PRELOAD, QUEUE_LIMIT,
            MODEL_PATH, MODEL_CONTEXT_LENGTH, MODEL_TEMPLATE,
            LOCAL_PORT, LOCAL_BIND, ALLOWED_ORIGINS, PING_INTERVAL,
            COORDINATOR_URL, CA_FILE, PRIVATE_ONLY, HEARTBEAT_INTERVAL, BACKEND_NAME, REPORTED_VERSION, RUNTIME_HASH, SIGN_RESPONSES,
            TEST_POSTURE, DOWNLOADS, FILES_URL, DISK_RESERVE, DISK_QUOTA);

    /** Returns every key, in the order in which they are explained. */
    public static List<ConfigKey<?>> all() {
        return ALL;
    }

    /** Returns whether each model may have this key. */
    public boolean isPerModel() {
        return name.startsWith(PER_MODEL);
    }

    /** Returns the last word of the name. */
    String lastWord() {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /** Returns the default as TOML. */
    public String defaultToml() {
        return type.toToml(defaultValue);
    }
}
