package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.base.RequestId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * What an agent sends to a coordinator (section 4). The names of the table are the wire's {@code type}.
 *
 * <p>The first seven are known to every coordinator. The others are for newer ones: sent as answers to what only those send, or after such
 * a message has been seen.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({
    @JsonSubTypes.Type(name = "register", value = AgentMessage.Register.class),
    @JsonSubTypes.Type(name = "heartbeat", value = AgentMessage.Heartbeat.class),
    @JsonSubTypes.Type(name = "inference_accepted", value = AgentMessage.InferenceAccepted.class),
    @JsonSubTypes.Type(name = "inference_response_chunk", value = AgentMessage.InferenceResponseChunk.class),
    @JsonSubTypes.Type(name = "inference_complete", value = AgentMessage.InferenceComplete.class),
    @JsonSubTypes.Type(name = "inference_error", value = AgentMessage.InferenceError.class),
    @JsonSubTypes.Type(name = "attestation_response", value = AgentMessage.AttestationResponse.class),
    @JsonSubTypes.Type(name = "load_model_status", value = AgentMessage.LoadModelStatus.class),
    @JsonSubTypes.Type(name = "prefetch_model_status", value = AgentMessage.PrefetchModelStatus.class),
    @JsonSubTypes.Type(name = "models_update", value = AgentMessage.ModelsUpdate.class),
    @JsonSubTypes.Type(name = "models_replace", value = AgentMessage.ModelsReplace.class),
    @JsonSubTypes.Type(name = "models_replace_ready", value = AgentMessage.ModelsReplaceReady.class),
    @JsonSubTypes.Type(name = "provider_drain", value = AgentMessage.ProviderDrain.class),
    @JsonSubTypes.Type(name = "capacity_quote", value = AgentMessage.CapacityQuote.class),
    @JsonSubTypes.Type(name = "code_attestation_response", value = AgentMessage.CodeAttestationResponse.class),
    @JsonSubTypes.Type(name = "service_reservation_released", value = AgentMessage.ServiceReservationReleased.class)})
public sealed interface AgentMessage {
    /**
     * The first message of a connection, sent once and never answered.
     *
     * @param backend the engine; coordinators route only names they know
     * @param version of the agent, dotted numbers
     * @param publicKey base64 of the X25519 key that requests are sealed to
     * @param encryptedResponseChunks the promise to seal chunks; without it nothing is routed
     * @param walletAddress where older coordinators pay to when no account is linked
     * @param prefillTps tokens/s, measured; finite
     * @param decodeTps tokens/s of one stream, measured; finite
     * @param authToken binds the connection to an account
     * @param runtimeCapabilities words for features, read by newer coordinators
     * @param privateOnly serve the owner's own requests only; newer coordinators
     */
    record Register(HardwareReport hardware, List<OfferedModel> models, String backend, String version, String publicKey,
            boolean encryptedResponseChunks, Optional<String> walletAddress, Optional<SignedAttestation> attestation,
            OptionalDouble prefillTps, OptionalDouble decodeTps, Optional<Redacted> authToken, @JsonUnwrapped RuntimeHashes runtimeHashes,
            Optional<PrivacyCapabilities> privacyCapabilities, @JsonInclude(JsonInclude.Include.NON_EMPTY) List<String> runtimeCapabilities,
            @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean privateOnly, @JsonUnwrapped ToolConstraints toolConstraints,
            Optional<String> releaseChannel) implements AgentMessage {
        public Register {
            hardware = hardware == null ? HardwareReport.NONE : hardware;
            models = List.copyOf(models);
            runtimeCapabilities = List.copyOf(runtimeCapabilities);
            Checks.finite(prefillTps, "prefill_tps");
            Checks.finite(decodeTps, "decode_tps");
        }
    }

    /**
     * Sent every few seconds.
     *
     * @param activeModel the model that requests run on; absent changes nothing
     * @param warmModels resident models; empty changes nothing
     * @param backendCapacity absent changes nothing
     * @param idleUnloadMins minutes after which an idle model is unloaded; newer coordinators show it
     */
    record Heartbeat(HeartbeatStatus status, Optional<String> activeModel, ServiceStats stats,
            @JsonInclude(JsonInclude.Include.NON_EMPTY) List<String> warmModels, SystemMetrics systemMetrics,
            Optional<CapacityReport> backendCapacity, OptionalLong idleUnloadMins) implements AgentMessage {
        public Heartbeat {
            status = status == null ? HeartbeatStatus.UNKNOWN : status;
            stats = stats == null ? ServiceStats.of(0, 0) : stats;
            systemMetrics = systemMetrics == null ? SystemMetrics.NONE : systemMetrics;
            warmModels = List.copyOf(warmModels);
        }
    }

    /** The request was opened and admitted; sent before anything slow. */
    record InferenceAccepted(RequestId requestId) implements AgentMessage {}

    /** A piece of an answer. Agents write it with {@link ChunkFrames}, which allocates nothing. */
    record InferenceResponseChunk(RequestId requestId, EncryptedPayload encryptedData) implements AgentMessage {}

    /**
     * The answer is whole; sent once, behind its last chunk.
     *
     * <p>The wire's {@code stop_sequence} is not among the components: it is text of the caller.
     *
     * @param responseHash as section 8.4 defines it; with {@code seSignature} or not at all
     */
    record InferenceComplete(RequestId requestId, Usage usage, Optional<String> responseHash, Optional<String> seSignature)
            implements AgentMessage {
        public InferenceComplete {
            usage = usage == null ? Usage.of(0, 0) : usage;
        }
    }

    /** The request failed; nothing follows. */
    record InferenceError(RequestId requestId, @JsonUnwrapped Failure failure) implements AgentMessage {}

    /**
     * The answer to a challenge; made and checked by {@link StatusStatement}.
     *
     * @param nonce the challenge's
     * @param signature over nonce and timestamp
     * @param statusSignature over the canonical statement
     * @param publicKey the X25519 key as registered
     */
    record AttestationResponse(String nonce, String signature, Optional<String> statusSignature, String publicKey,
            @JsonUnwrapped NodePosture posture, Optional<String> binaryHash, Optional<String> activeModelHash,
            @JsonUnwrapped RuntimeHashes runtimeHashes, @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, String> modelHashes)
            implements AgentMessage {
        public AttestationResponse {
            modelHashes = Map.copyOf(modelHashes);
        }
    }

    /** How far {@code load_model} has come. */
    record LoadModelStatus(String modelId, LoadStatus status, Optional<String> error) implements AgentMessage {}

    /** How far {@code prefetch_model} has come, in bytes. */
    record PrefetchModelStatus(String modelId, PrefetchStatus status, OptionalLong bytesDone, OptionalLong bytesTotal,
            Optional<String> error)
            implements AgentMessage {}

    /** Models that came, or changed; those not named stay. */
    record ModelsUpdate(List<OfferedModel> models, @JsonUnwrapped ToolConstraints toolConstraints) implements AgentMessage {
        public ModelsUpdate {
            models = List.copyOf(models);
        }
    }

    /** All models in place of those before, after a drain; {@code requestId} has at most 64 bytes. */
    record ModelsReplace(String requestId, String drainRequestId, List<OfferedModel> models,
            @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean validateOnly, @JsonUnwrapped ToolConstraints toolConstraints)
            implements AgentMessage {
        public ModelsReplace {
            models = List.copyOf(models);
        }
    }

    /** Requests are taken again, by the capacity of report {@code capacitySeq}. */
    record ModelsReplaceReady(String requestId, String drainRequestId, long capacitySeq) implements AgentMessage {}

    /** No request is taken any more; {@code requestId} is new, random, and has at most 64 bytes. */
    record ProviderDrain(String requestId) implements AgentMessage {}

    /**
     * The answer to {@code capacity_probe}. Reserves nothing.
     *
     * @param rejectionReason only where not admissible
     * @param ttftP50Ms milliseconds to the first token of comparable requests, measured; finite
     * @param queueEstMs milliseconds until such a request would begin; finite
     */
    record CapacityQuote(String quoteId, long capacitySeq, boolean admissibleNow, Optional<RejectionReason> rejectionReason,
            double ttftP50Ms,
            double ttftP90Ms, double queueEstMs, long availableTokenBudget, Confidence confidence) implements AgentMessage {
        public CapacityQuote {
            Checks.finite(ttftP50Ms, "ttft_p50_ms");
            Checks.finite(ttftP90Ms, "ttft_p90_ms");
            Checks.finite(queueEstMs, "queue_est_ms");
            confidence = confidence == null ? Confidence.UNKNOWN : confidence;
        }
    }

    /** What an agent with an identity of Apple's push service answers; this agent has none. */
    record CodeAttestationResponse(String nonce, String signature) implements AgentMessage {}

    /** What an agent answers that lends the whole machine; this agent does not opt in. */
    record ServiceReservationReleased(String serviceReservationId) implements AgentMessage {}

    /** A message of a type that we do not know; never sent. */
    record Unknown(String type) implements AgentMessage {}
}
