package dev.darkbloom.agent.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.protocol.AgentMessage.Heartbeat;
import dev.darkbloom.agent.protocol.AgentMessage.InferenceResponseChunk;
import dev.darkbloom.agent.protocol.AgentMessage.Register;
import dev.darkbloom.agent.protocol.CoordinatorMessage.Cancel;
import dev.darkbloom.agent.protocol.CoordinatorMessage.CapacityProbe;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModels;
import dev.darkbloom.agent.protocol.CoordinatorMessage.InferenceRequest;
import dev.darkbloom.agent.protocol.CoordinatorMessage.RuntimeStatus;
import dev.darkbloom.agent.protocol.CoordinatorMessage.TrustStatus;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MessageDecoderTest {
    private static final String LONG = "ten_lettersten_lettersten_lettersten_lettersten_lettersten_letters";
    private static final String ID = "6f0c9a52-6f34-4d8b-9d5f-0a4c5d1c7e21";

    private final MessageDecoder decoder = new MessageDecoder();

    private CoordinatorMessage coordinator(String json) {
        return decoder.coordinatorMessage(OffHeap.utf8(json));
    }

    private AgentMessage agent(String json) {
        return decoder.agentMessage(OffHeap.utf8(json));
    }

    @Test
    void unknownTypesAreNamedAndCounted() {
        assertThat(coordinator("{\"type\":\"from_the_future\",\"x\":1}")).isEqualTo(new CoordinatorMessage.Unknown("from_the_future"));
        assertThat(agent("{\"type\":\"prefix_cache_lookup_v2\"}")).isEqualTo(new AgentMessage.Unknown("prefix_cache_lookup_v2"));
        // A type of the other direction is none here.
        assertThat(coordinator("{\"type\":\"register\"}")).isEqualTo(new CoordinatorMessage.Unknown("register"));
        assertThat(decoder.unknownTypes()).isEqualTo(3);
        assertThat(decoder.malformed()).isZero();
    }

    @Test
    void membersThatAgentsAreToIgnoreAreNotCountedAsUnknown() {
        coordinator("{\"type\":\"inference_request\",\"request_id\":\"" + ID + "\",\"cache_scope\":\"x\",\"cache_receipt_nonce\":\"y\"}");
        coordinator("{\"type\":\"code_attestation_resume_challenge\",\"code_challenge\":{\"ciphertext\":\"AA==\"}}");

        assertThat(decoder.unknownFields()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "nul", "null", "[]", "1", "\"cancel\"", "{}", "{\"type\":1}", "{\"type\":null}",
            "{\"type\":\"a\\nb\"}", "{\"type\":\"\\u001b[31m\"}", "{\"type\":\"a b\"}", "{\"type\":\"" + LONG + "\"}",
            "{\"type\":\"cancel\"",
            "{\"type\":\"cancel\"}x", "{\"type\":\"cancel\"}", "{\"type\":\"cancel\",\"request_id\":null}",
            "{\"type\":\"cancel\",\"request_id\":7}",
            "{\"type\":\"cancel\",\"request_id\":\"\"}", "{\"type\":\"cancel\",\"request_id\":\"../etc\"}",
            "{\"type\":\"load_model\",\"model_id\":5}",
            "{\"type\":\"load_model\",\"model_id\":{}}", "{\"type\":\"desired_models\",\"models\":{}}",
            "{\"type\":\"desired_models\",\"models\":[1]}",
            "{\"type\":\"runtime_status\",\"verified\":\"false\"}", "{\"type\":\"inference_request\"}",
            "{\"type\":\"inference_request\",\"request_id\":\"a b\"}", "{\"type\":\"capacity_probe\",\"max_output_tokens\":1e400}",
            "{\"type\":\"capacity_probe\",\"max_output_tokens\":\"5\"}"})
    void whatIsNoMessageOfACoordinatorIsRefusedAndCounted(String json) {
        assertThatExceptionOfType(MalformedMessageException.class).isThrownBy(() -> coordinator(json));

        assertThat(decoder.malformed()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"type\":\"register\",\"hardware\":{\"memory_gb\":64.0}}", "{\"type\":\"register\","
            + "\"hardware\":{\"memory_gb\":64.5}}",
            "{\"type\":\"register\",\"hardware\":{\"memory_gb\":\"64\"}}", "{\"type\":\"register\",\"hardware\":{\"memory_gb\":6e1}}",
            "{\"type\":\"register\",\"version\":1}", "{\"type\":\"register\",\"attestation\":\"text\"}",
            "{\"type\":\"register\",\"attestation\":{}}",
            "{\"type\":\"heartbeat\",\"stats\":{\"requests_served\":1.0}}", "{\"type\":\"heartbeat\","
            + "\"system_metrics\":{\"cpu_usage\":1e999}}",
            "{\"type\":\"inference_complete\",\"request_id\":\"r\",\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":0}}",
            "{\"type\":\"inference_response_chunk\",\"request_id\":\"r\"}",
            "{\"type\":\"inference_response_chunk\",\"request_id\":\"r\",\"encrypted_data\":{\"ephemeral_public_key\":\"k\"}}",
            "{\"type\":\"inference_response_chunk\",\"request_id\":\"r\",\"encrypted_data\":{\"ciphertext\":\"AAAA\"}}",
            "{\"type\":\"inference_response_chunk\",\"request_id\":\"r\",\"data\":\"clear\","
            + "\"encrypted_data\":{\"ephemeral_public_key\":\"k\","
                    + "\"ciphertext\":\"AAAA\"}}"})
    void whatACoordinatorDoesNotTakeFromAnAgentIsRefused(String json) {
        assertThatExceptionOfType(MalformedMessageException.class).isThrownBy(() -> agent(json));
    }

    @Test
    void anIntegerWithAPointIsTakenFromACoordinator() {
        var probe = (CapacityProbe) coordinator("{\"type\":\"capacity_probe\",\"quote_id\":\"q\",\"prompt_tokens_bucket\":512.0}");
        var request = (InferenceRequest) coordinator("{\"type\":\"inference_request\",\"request_id\":\"r\","
                + "\"first_content_budget_ms\":8e3}");

        assertThat(probe.promptTokensBucket()).isEqualTo(512);
        assertThat(request.firstContentBudgetMs()).isEqualTo(OptionalLong.of(8000));
    }

    @Test
    void nullIsWhatAnAbsentMemberIs() {
        var nulls = (Register) agent("{\"type\":\"register\",\"hardware\":null,\"models\":null,\"backend\":null,\"version\":null,"
                + "\"public_key\":null,"
                + "\"encrypted_response_chunks\":null,\"attestation\":null,\"decode_tps\":null,\"auth_token\":null,\"python_hash\":null,"
                + "\"template_hashes\":null,\"privacy_capabilities\":null,\"tool_constraint_models\":null,\"private_only\":null}");
        var absent = (Register) agent("{\"type\":\"register\"}");

        assertThat(nulls).isEqualTo(absent);
        assertThat(absent.backend()).isEmpty();
        assertThat(absent.models()).isEmpty();
        assertThat(absent.hardware().memoryGb()).isZero();
        assertThat(absent.runtimeHashes()).isEqualTo(RuntimeHashes.NONE);
        assertThat(absent.toolConstraints()).isEqualTo(ToolConstraints.NONE);
        assertThat(absent.privacyCapabilities()).isEmpty();
        assertThat(agent("{\"type\":\"heartbeat\"}")).isEqualTo(agent("{\"type\":\"heartbeat\",\"status\":null,\"active_model\":null,"
                + "\"stats\":null,"
                + "\"system_metrics\":null,\"warm_models\":null,\"backend_capacity\":null}"));
        assertThat(((DesiredModels) coordinator("{\"type\":\"desired_models\"}")).models()).isEmpty();
        assertThat(((RuntimeStatus) coordinator("{\"type\":\"runtime_status\",\"mismatches\":null}")).mismatches()).isEmpty();
    }

    @Test
    void wordsOfANewerPeerDoNotBreakUs() {
        var beat = (Heartbeat) agent("{\"type\":\"heartbeat\",\"status\":\"dreaming\",\"system_metrics\":{\"thermal_state\":\"\"}}");
        var trust = (TrustStatus) coordinator("{\"type\":\"trust_status\",\"trust_level\":\"royal\",\"status\":\"online\"}");

        assertThat(beat.status()).isEqualTo(HeartbeatStatus.UNKNOWN);
        assertThat(beat.systemMetrics().thermalState()).isEmpty();
        assertThat(trust.trustLevel()).isEqualTo(TrustLevel.UNKNOWN);
    }

    @Test
    void unknownMembersAreCountedAtEveryDepth() {
        agent("{\"type\":\"heartbeat\",\"a\":1,\"stats\":{\"b\":[]},\"backend_capacity\":{\"slots\":[{\"c\":{}},{\"c\":2}],"
                + "\"telemetry\":{\"d\":0}}}");
        coordinator("{\"type\":\"desired_models\",\"models\":[{\"e\":1}],\"" + "f".repeat(500) + "\":1}");

        assertThat(decoder.unknownFields()).isEqualTo(7);
    }

    @Test
    void aSealedBodyIsAViewOfItsFrame() {
        MemorySegment frame = OffHeap.utf8("{\"type\":\"inference_request\",\"request_id\":\"" + ID
                + "\",\"encrypted_body\":{\"ephemeral_public_key\":\"key\",\"ciphertext\":\"AAECAw==\"}}");

        var request = (InferenceRequest) decoder.coordinatorMessage(frame);
        MemorySegment ciphertext = request.encryptedBody().orElseThrow().ciphertext();

        assertThat(OffHeap.text(ciphertext)).isEqualTo("AAECAw==");
        assertThat(ciphertext.address()).isBetween(frame.address(), frame.address() + frame.byteSize());
        assertThat(request.requestId()).isEqualTo(new RequestId(ID));
    }

    @Test
    void escapedSlashesOfASealedBodyAreUndone() {
        var request = (InferenceRequest) coordinator("{\"type\":\"inference_request\",\"request_id\":\"r\","
                + "\"encrypted_body\":{\"ephemeral_public_key\":\"a\\/b\",\"ciphertext\":\"\\/\\u002BAA\"}}");

        assertThat(OffHeap.text(request.encryptedBody().orElseThrow().ciphertext())).isEqualTo("/+AA");
        assertThat(request.encryptedBody().orElseThrow().ephemeralPublicKey()).isEqualTo("a/b");
    }

    @Test
    void anEscapedBodyIsAViewOfItsFrameTooWhichSaysTheSameAgain() {
        MemorySegment frame = OffHeap.utf8("{\"type\":\"inference_request\",\"encrypted_body\":{\"ciphertext\":\"\\/\\u002BAA\\/\","
                + "\"ephemeral_public_key\":\"k\"},\"request_id\":\"r\"}");

        for (int i = 0; i < 2; i++) {
            var request = (InferenceRequest) decoder.coordinatorMessage(frame);
            MemorySegment ciphertext = request.encryptedBody().orElseThrow().ciphertext();
            assertThat(OffHeap.text(ciphertext)).isEqualTo("/+AA/");
            assertThat(ciphertext.address()).isBetween(frame.address(), frame.address() + frame.byteSize());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\u0022,\\u0022x", "\\u005c", "\\n", "\\u00e9", "\\u0000"})
    void anEscapedBodyThatIsNoBase64ChangesNothingInItsFrame(String text) {
        String json = "{\"type\":\"inference_request\",\"request_id\":\"r\",\"encrypted_body\":{\"ephemeral_public_key\":\"k\",\"ciphertext\":\""
                + text + "\"}}";
        MemorySegment frame = OffHeap.utf8(json);

        var request = (InferenceRequest) decoder.coordinatorMessage(frame);

        assertThat(request.encryptedBody().orElseThrow().ciphertext().byteSize()).isZero();
        assertThat(OffHeap.text(frame)).isEqualTo(json);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"body\":{\"messages\":[{\"content\":\"canary\"}]}", "\"encrypted_body\":null",
            "\"encrypted_body\":\"canary\"",
            "\"encrypted_body\":{\"ciphertext\":\"canary\"}", "\"encrypted_body\":{\"ephemeral_public_key\":\"k\","
            + "\"ciphertext\":[\"canary\"]}"})
    void aRequestWithoutASealedBodyCanStillBeAnswered(String body) {
        var request = (InferenceRequest) coordinator("{\"type\":\"inference_request\",\"request_id\":\"r\"," + body + "}");

        assertThat(request.encryptedBody()).isEmpty();
        assertThat(request.requestId()).isEqualTo(new RequestId("r"));
        assertThat(request.toString()).doesNotContain("canary");
    }

    @Test
    void nothingOfAFrameIsQuoted() {
        for (String json : List.of("{\"type\":\"cancel\",\"request_id\":\"canary canary\"}",
                "{\"type\":\"load_model\",\"model_id\":[\"canary\"]}",
                "{\"type\":\"runtime_status\",\"verified\":\"canary\"}", "{\"type\":\"cancel\" canary",
                "{\"type\":\"capacity_probe\",\"canary\":tru}")) {
            assertThatExceptionOfType(MalformedMessageException.class).isThrownBy(() -> coordinator(json))
                    .withMessageNotContaining("canary").withNoCause();
        }
    }

    @Test
    void recordsPrintNoContentAndNoSecret() {
        var chunk = (InferenceResponseChunk) decoder.agentMessage(Fixtures.agent("inference_response_chunk").frame());
        var register = (Register) decoder.agentMessage(Fixtures.agent("register").frame());

        assertThat(chunk.toString()).contains("EncryptedPayload[bytes=156]").doesNotContain("ZGVm");
        assertThat(register.toString()).contains("Redacted").doesNotContain("eigeninference-pt-");
        assertThat(register.authToken().orElseThrow().reveal()).startsWith("eigeninference-pt-");
    }

    @Test
    void framesBeyondTheirLimitsAreRefusedBeforeTheyAreRead() {
        try (var arena = Arena.ofConfined()) {
            MemorySegment frame = arena.allocate(MessageDecoder.MAX_COORDINATOR_FRAME_BYTES + 1);

            assertThatExceptionOfType(MalformedMessageException.class).isThrownBy(() -> decoder.coordinatorMessage(frame))
                    .withMessageContaining("67108865");
            assertThatExceptionOfType(MalformedMessageException.class)
                    .isThrownBy(() -> decoder.agentMessage(frame.asSlice(0, MessageDecoder.MAX_AGENT_FRAME_BYTES + 1)));
        }
    }

    @Test
    void onlySealedPayloadsMayBeLarge() {
        String large = "x".repeat((int) MessageDecoder.MAX_OPEN_BYTES);

        assertThatExceptionOfType(MalformedMessageException.class)
                .isThrownBy(() -> coordinator("{\"type\":\"load_model\",\"model_id\":\"" + large + "\"}"));
        assertThatExceptionOfType(MalformedMessageException.class)
                .isThrownBy(() -> coordinator("{\"type\":\"load_model\",\"model_id\":" + "[".repeat(100) + "]".repeat(100) + "}"));
        assertThatExceptionOfType(MalformedMessageException.class)
                .isThrownBy(() -> coordinator("{\"type\":\"load_model\",\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}"));
    }

    @Test
    void aRequestOf32MegabytesIsTakenWithoutThatMuchHeap() {
        long size = 32L << 20;
        String head = "{\"type\":\"inference_request\",\"request_id\":\"r\",\"encrypted_body\":{\"ephemeral_public_key\":\"k\","
                + "\"ciphertext\":\"";
        var bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Content frame = Content.confined(size + 256)) {
            frame.append(OffHeap.utf8(head));
            long start = frame.extend(size);
            frame.buffer().asSlice(start, size).fill((byte) 'A');
            frame.append(OffHeap.utf8("\"}}"));
            decoder.coordinatorMessage(OffHeap.utf8("{\"type\":\"inference_request\",\"request_id\":\"r\"}"));

            long before = bean.getCurrentThreadAllocatedBytes();
            var request = (InferenceRequest) decoder.coordinatorMessage(frame.segment());
            long allocated = bean.getCurrentThreadAllocatedBytes() - before;

            assertThat(request.encryptedBody().orElseThrow().ciphertext().byteSize()).isEqualTo(size);
            assertThat(allocated).isLessThan(1 << 20);
        }
    }

    @Test
    void theSignedTextOfAnAttestationIsKeptToTheByte() {
        String statement = "{ \"osVersion\" : \"15.4\",\n \"chipName\":\"Apple\\/M4\", \"timestamp\":\"2026-05-01T00:00:00Z\" , "
                + "\"sipEnabled\":true}";
        var register = (Register) agent("{\"type\":\"register\",\"attestation\":{\"signature\":\"c2ln\",\"attestation\":" + statement
                + "}}");

        SignedAttestation attestation = register.attestation().orElseThrow();

        assertThat(attestation.statement()).isEqualTo(statement);
        assertThat(attestation.signature()).isEqualTo("c2ln");
        assertThat(attestation.blob().chipName()).isEqualTo("Apple/M4");
        assertThat(attestation.blob().sipEnabled()).isTrue();
        assertThat(attestation.blob().serialNumber()).isEmpty();
        try (Content frame = Content.confined(16)) {
            new MessageEncoder().encode(register, frame);

            assertThat(frame.segment().toArray(ValueLayout.JAVA_BYTE)).asString().contains("\"attestation\":{\"attestation\":" + statement);
        }
    }

    @Test
    void anAttestationThatIsNoneIsRefusedWhenItIsRead() {
        var attestation = new SignedAttestation("[\"canary\"]", "");

        assertThatExceptionOfType(MalformedMessageException.class).isThrownBy(attestation::blob).withMessageNotContaining("canary");
    }

    @Test
    void cancelsHaveNothingButAnId() {
        assertThat(coordinator("{\"request_id\":\"" + ID + "\",\"type\":\"cancel\"}")).isEqualTo(new Cancel(new RequestId(ID)));
    }
}
