package dev.darkbloom.agent.service;

import dev.darkbloom.agent.api.ModelCards;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.engine.RoomChoice;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.models.GgufFile;
import dev.darkbloom.agent.models.GgufModel;
import dev.darkbloom.agent.models.ModelDims;
import dev.darkbloom.agent.models.ModelEntry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * A model that this agent serves, as its file and the settings describe it before it is loaded.
 *
 * @param spec what the engine loads
 * @param sizeBytes bytes of its files
 * @param room what may be done to make it fit; it may shrink where nobody asked for just this context and these slots
 * @param card for {@code /v1/models}
 * @param template the Jinja source that renders its chats; empty where the file has none
 * @param bosToken text of the token that begins a text; empty where there is none
 * @param eosToken text of the token that ends one
 * @param sampling the model author's defaults over ours, by llama-server's names
 */
record ServedModel(
        ModelSpec spec,
        long sizeBytes,
        RoomChoice room,
        ModelCards.Card card,
        String template,
        String bosToken,
        String eosToken,
        Map<String, Object> sampling) {

    /** Tokens per decode call and per backend run; llama.cpp's own defaults. */
    private static final int BATCH_TOKENS = 2048;
    private static final int UBATCH_TOKENS = 512;
    private static final int CONTEXT_WITHOUT_HINT = 2048;
    /** {@code LLAMA_POOLING_TYPE_NONE}: the key is there and says that nothing is pooled. */
    private static final long NO_POOLING = 0;

    /**
     * Reads a model's header and joins it with the settings.
     *
     * @param mayShrink whether context and slots come from defaults
     * @throws AgentException {@code MODEL_INVALID}, {@code MODEL_MISSING}, or {@code CONFIG_INVALID} when its template cannot be read
     */
    static ServedModel of(ModelEntry entry, AgentConfig config, Machine machine, boolean mayShrink) {
        entry.orElseThrow();
        Optional<AgentConfig.Model> own = Optional.ofNullable(config.models().get(entry.id()));
        try (var model = GgufModel.open(entry.files().getFirst())) {
            int trained = ModelDims.of(model).trainedContextTokens();
            boolean embedding = model.header().whole(model.architecture() + ".pooling_type").orElse(NO_POOLING) != NO_POOLING;
            String replacement = own.flatMap(AgentConfig.Model::template).map(ServedModel::read).orElse("");
            AgentConfig.Backend backend = config.backend();
            int contextTokens = contextTokens(own.map(AgentConfig.Model::contextLength).orElse(0), backend.contextLength(), trained);
            var spec = new ModelSpec(
                    entry.id(),
                    entry.files(),
                    contextTokens,
                    backend.parallel(),
                    KvLayout.STREAMS,
                    (long) contextTokens * backend.parallel(),
                    backend.gpuLayers(),
                    embedding,
                    replacement,
                    compute(backend, machine, embedding));
            GgufFile header = model.header();
            return new ServedModel(
                    spec,
                    entry.sizeBytes(),
                    new RoomChoice(mayShrink, layout(backend.kvLayout())),
                    new ModelCards.Card(created(entry.files().getFirst()), Optional.of(entry.quantization()).filter(text -> !text.isEmpty()),
                            trained > 0 ? OptionalInt.of(trained) : OptionalInt.empty()),
                    replacement.isEmpty() ? header.text("tokenizer.chat_template").orElse("") : replacement,
                    token(header, "tokenizer.ggml.bos_token_id"),
                    token(header, "tokenizer.ggml.eos_token_id"),
                    sampling(header));
        }
    }

    private static Optional<KvLayout> layout(AgentConfig.KvLayout choice) {
        return switch (choice) {
            case AUTO -> Optional.empty();
            case STREAMS -> Optional.of(KvLayout.STREAMS);
            case UNIFIED -> Optional.of(KvLayout.UNIFIED);
        };
    }

    private static ComputeSettings compute(AgentConfig.Backend backend, Machine machine, boolean embedding) {
        int threads = backend.threads() > 0 ? backend.threads() : machine.performanceCores();
        int ubatchTokens = backend.ubatchTokens() > 0 ? backend.ubatchTokens() : UBATCH_TOKENS;
        ComputeSettings safe = embedding
                ? ComputeSettings.safe(threads, BATCH_TOKENS, BATCH_TOKENS) // an input to embed is computed at once
                : ComputeSettings.safe(threads, Math.max(BATCH_TOKENS, ubatchTokens), ubatchTokens);
        return safe.withPoll(Math.max(0, backend.threadPolling()))
                .withFlashAttention(switch (backend.flashAttention()) {
                    case AUTO -> ComputeSettings.FlashAttention.AUTO;
                    case OFF -> ComputeSettings.FlashAttention.OFF;
                    case ON -> ComputeSettings.FlashAttention.ON;
                });
    }

    private static int contextTokens(int ofModel, int ofBackend, int trained) {
        if (ofModel > 0) {
            return ofModel;
        }
        if (ofBackend > 0) {
            return ofBackend;
        }
        return trained > 0 ? trained : CONTEXT_WITHOUT_HINT;
    }

    private static String read(Path template) {
        try {
            return Files.readString(template);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.CONFIG_INVALID, "the chat template " + template + " cannot be read", e);
        }
    }

    private static Instant created(Path file) {
        try {
            return Files.getLastModifiedTime(file).toInstant();
        } catch (IOException e) {
            throw new AgentException(ErrorCode.MODEL_MISSING, "model file " + file + " cannot be read", e);
        }
    }

    private static String token(GgufFile header, String key) {
        OptionalLong id = header.whole(key);
        List<String> tokens = id.isEmpty() ? List.of() : header.array("tokenizer.ggml.tokens").map(header::strings).orElse(List.of());
        return id.isPresent() && id.getAsLong() >= 0 && id.getAsLong() < tokens.size() ? tokens.get((int) id.getAsLong()) : "";
    }

    private static Map<String, Object> sampling(GgufFile header) {
        var sampling = new TreeMap<String, Object>();
        sampling.put("temperature", header.real("general.sampling.temp").orElse(0.8));
        sampling.put("top_k", header.whole("general.sampling.top_k").orElse(40));
        sampling.put("top_p", header.real("general.sampling.top_p").orElse(0.95));
        sampling.put("min_p", header.real("general.sampling.min_p").orElse(0.05));
        sampling.put("repeat_penalty", header.real("general.sampling.penalty_repeat").orElse(1.0));
        return sampling;
    }
}
