package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.darkbloom.agent.base.RequestId;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a coordinator sends to an agent (section 5). The names of the table are the wire's {@code type}. The first four are known to every
 * coordinator, the others come from newer ones.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({
    @JsonSubTypes.Type(name = "inference_request", value = CoordinatorMessage.InferenceRequest.class),
    @JsonSubTypes.Type(name = "cancel", value = CoordinatorMessage.Cancel.class),
    @JsonSubTypes.Type(name = "attestation_challenge", value = CoordinatorMessage.AttestationChallenge.class),
    @JsonSubTypes.Type(name = "runtime_status", value = CoordinatorMessage.RuntimeStatus.class),
    @JsonSubTypes.Type(name = "trust_status", value = CoordinatorMessage.TrustStatus.class),
    @JsonSubTypes.Type(name = "load_model", value = CoordinatorMessage.LoadModel.class),
    @JsonSubTypes.Type(name = "prefetch_model", value = CoordinatorMessage.PrefetchModel.class),
    @JsonSubTypes.Type(name = "desired_models", value = CoordinatorMessage.DesiredModels.class),
    @JsonSubTypes.Type(name = "capacity_probe", value = CoordinatorMessage.CapacityProbe.class),
    @JsonSubTypes.Type(name = "provider_drain_ack", value = CoordinatorMessage.ProviderDrainAck.class),
    @JsonSubTypes.Type(name = "models_replace_ack", value = CoordinatorMessage.ModelsReplaceAck.class),
    @JsonSubTypes.Type(name = "models_replace_resumed", value = CoordinatorMessage.ModelsReplaceResumed.class),
    @JsonSubTypes.Type(name = "code_attestation_resume_challenge", value = CoordinatorMessage.CodeAttestationResumeChallenge.class),
    @JsonSubTypes.Type(name = "app_attest_shadow", value = CoordinatorMessage.AppAttestShadow.class)})
public sealed interface CoordinatorMessage {
    /**
     * A request to answer.
     *
     * @param requestId new for every attempt
     * @param encryptedBody absent where the body came in the clear or not at all: such a request is refused
     * @param firstContentBudgetMs milliseconds left until the first content; absent is no deadline
     * @param promptWork a guess at the prompt's size
     */
    record InferenceRequest(RequestId requestId, Optional<EncryptedPayload> encryptedBody, Optional<String> serviceReservationId,
            OptionalLong firstContentBudgetMs, Optional<PromptWork> promptWork) implements CoordinatorMessage {}

    /** What a coordinator believes of a prompt; advice. */
    record PromptWork(int version, String source, long promptTokens, long upperBoundTokens, String modelArtifactHash,
            String promptContractId, String calibrationId) {}

    /** Stop working on a request. Comes for finished and unknown ones too, which is no error. */
    record Cancel(RequestId requestId) implements CoordinatorMessage {}

    /**
     * To be answered within 30 s.
     *
     * @param nonce base64 of 32 random bytes
     * @param timestamp RFC 3339, whole seconds
     */
    record AttestationChallenge(String nonce, String timestamp) implements CoordinatorMessage {}

    /** Hashes do not match the coordinator's manifest: connected, but nothing is routed. */
    record RuntimeStatus(boolean verified, List<Mismatch> mismatches) implements CoordinatorMessage {
        public RuntimeStatus {
            mismatches = List.copyOf(mismatches);
        }
    }

    /** One hash that does not match; {@code component} is {@code python}, {@code runtime} or {@code template:NAME}. */
    record Mismatch(String component, String expected, String got) {}

    /**
     * What the coordinator thinks of this agent.
     *
     * @param status {@code online}, {@code untrusted} and so on
     */
    record TrustStatus(TrustLevel trustLevel, String status, Optional<String> reason, Optional<Authorization> authorization)
            implements CoordinatorMessage {
        public TrustStatus {
            trustLevel = trustLevel == null ? TrustLevel.UNKNOWN : trustLevel;
        }
    }

    /** By which way an agent may be routed to; {@code path} is {@code legacy}, {@code app_attest}, {@code self_route} or {@code none}. */
    record Authorization(@JsonInclude(JsonInclude.Include.NON_DEFAULT) int protocol, boolean appAttestAvailable, String path,
            Optional<String> expiresAt, boolean mdmRemovalReady, Optional<String> reason, Optional<String> sessionId,
            Optional<String> machineId) {}

    /** Load a model; answered by {@link AgentMessage.LoadModelStatus}. */
    record LoadModel(String modelId) implements CoordinatorMessage {}

    /** Fetch a model to disk; answered by {@link AgentMessage.PrefetchModelStatus}. */
    record PrefetchModel(String modelId, OptionalLong priority) implements CoordinatorMessage {}

    /** All models that the coordinator would like here, in place of those it said before. */
    record DesiredModels(List<DesiredModel> models) implements CoordinatorMessage {
        public DesiredModels {
            models = List.copyOf(models);
        }
    }

    /**
     * One model of {@link DesiredModels}.
     *
     * @param modelName an alias or an id
     * @param desiredBuild the build that it should mean
     * @param previousBuild another one that is still good
     */
    record DesiredModel(String modelName, String desiredBuild, Optional<String> previousBuild, Optional<String> revision,
            Optional<String> aggregateSha256) {}

    /**
     * Would such a request be admitted? Answered by {@link AgentMessage.CapacityQuote}.
     *
     * @param promptTokensBucket tokens of the prompt, rounded up to a multiple of 512
     * @param deadlineRemainingMs milliseconds until the first content is due; 0 is none
     */
    record CapacityProbe(String quoteId, String model, long promptTokensBucket, long maxOutputTokens,
            @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean requiresVision,
            @JsonInclude(JsonInclude.Include.NON_DEFAULT) int visionImageCount,
            @JsonInclude(JsonInclude.Include.NON_DEFAULT) long deadlineRemainingMs) implements CoordinatorMessage {}

    /** Everything accepted before the drain is settled. */
    record ProviderDrainAck(String requestId) implements CoordinatorMessage {}

    /**
     * The answer to {@link AgentMessage.ModelsReplace}; {@code error} is {@code invalid_drain}, {@code invalid_models} or {@code
     * disconnected}.
     */
    record ModelsReplaceAck(String requestId, String drainRequestId, boolean validateOnly, boolean accepted, Optional<String> error)
            implements CoordinatorMessage {}

    /** The switch of models is over. */
    record ModelsReplaceResumed(String requestId, String drainRequestId, long capacitySeq) implements CoordinatorMessage {}

    /** For agents with an identity of Apple's push service; not answered. */
    record CodeAttestationResumeChallenge() implements CoordinatorMessage {}

    /** For agents with an identity of Apple's; not answered. */
    record AppAttestShadow() implements CoordinatorMessage {}

    /** A message of a type that we do not know. */
    record Unknown(String type) implements CoordinatorMessage {}
}
