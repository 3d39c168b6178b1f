package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.chat.ResponseSink;
import dev.darkbloom.agent.chat.Usage;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.DeviceSigner;
import dev.darkbloom.agent.crypto.SoftwareSigner;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.AttestationBlob;
import dev.darkbloom.agent.protocol.CapacityReport;
import dev.darkbloom.agent.protocol.Confidence;
import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import dev.darkbloom.agent.protocol.CoordinatorMessage.CapacityProbe;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import dev.darkbloom.agent.protocol.HardwareReport;
import dev.darkbloom.agent.protocol.HeartbeatStatus;
import dev.darkbloom.agent.protocol.NodePosture;
import dev.darkbloom.agent.protocol.OfferedModel;
import dev.darkbloom.agent.protocol.PrivacyCapabilities;
import dev.darkbloom.agent.protocol.RuntimeHashes;
import dev.darkbloom.agent.protocol.ServiceStats;
import dev.darkbloom.agent.protocol.SignedAttestation;
import dev.darkbloom.agent.protocol.SlotReport;
import dev.darkbloom.agent.protocol.SlotState;
import dev.darkbloom.agent.protocol.StatusStatement;
import dev.darkbloom.agent.protocol.SystemMetrics;
import dev.darkbloom.agent.protocol.ThermalState;
import dev.darkbloom.agent.protocol.ToolConstraints;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A node without an engine: it says of itself what an eligible one says, and answers as the request's text tells it: {@code say N} sends N
 * chunks, {@code hold} sends one and waits to be cancelled, {@code wait} waits before the first, {@code fail N} fails after N, {@code document}
 * answers whole, {@code busy} finds no place, {@code defect} throws what nobody expects.
 */
final class TestNode implements NodeSelf, Answerer, AutoCloseable {
    final BoxKeys keys = BoxKeys.generate();
    final DeviceSigner signer;
    final AtomicInteger answering = new AtomicInteger();
    volatile String loadProblem = "";
    volatile boolean hasModel = true;
    final BlockingQueue<List<DesiredModel>> desired = new LinkedBlockingQueue<>();
    final List<OfferedModel> offered = new CopyOnWriteArrayList<>(List.of(OfferedModel.text("m", 1, "Q8_0")));
    final AtomicInteger registrations = new AtomicInteger();
    /** Runs while a registration is made, which takes a while on a real machine. */
    volatile Runnable whileRegistering = () -> { };

    TestNode(Path folder) {
        signer = SoftwareSigner.open(folder.resolve("signing_key"));
    }

    @Override
    public AgentMessage.Register registration() {
        registrations.incrementAndGet();
        whileRegistering.run();
        var blob = new AttestationBlob(true, Optional.empty(), "Apple M4", Optional.of(keys.publicKey()), "Mac16,10", Optional.of(false), "26.0",
                signer.publicKey(), true, true, true, Optional.of("TEST-1"), true, Optional.empty(),
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        return new AgentMessage.Register(new HardwareReport("Mac16,10", "Apple M4", "M4", "Base", 16, 12, new HardwareReport.CpuCores(10, 4, 6), 10,
                120), List.of(OfferedModel.text("m", 1, "Q8_0")), "inprocess-mlx", "0.1.0", keys.publicKey(), true, Optional.empty(),
                Optional.of(SignedAttestation.sign(blob, signer::sign)), OptionalDouble.empty(), OptionalDouble.empty(), Optional.empty(),
                RuntimeHashes.NONE, Optional.of(new PrivacyCapabilities(true, true, true, true, true, true, true, true, false)), List.of(), false,
                ToolConstraints.NONE, Optional.empty());
    }

    @Override
    public AgentMessage.AttestationResponse answer(AttestationChallenge challenge) {
        var posture = new NodePosture(Optional.of(true), Optional.of(true), Optional.of(true), Optional.of(false));
        return new StatusStatement(challenge.nonce(), challenge.timestamp(), posture, Optional.empty(), Optional.empty(), RuntimeHashes.NONE, Map.of())
                .signed(keys.publicKey(), signer::sign);
    }

    @Override
    public AgentMessage.Heartbeat heartbeat(boolean draining, int inFlight, ServiceStats stats, long capacitySeq) {
        var slot = SlotReport.of("m", SlotState.RUNNING, inFlight, 0, 0, 0);
        return new AgentMessage.Heartbeat(draining ? HeartbeatStatus.DRAINING : inFlight > 0 ? HeartbeatStatus.SERVING : HeartbeatStatus.IDLE,
                Optional.of("m"), stats, List.of("m"), new SystemMetrics(0.5, 0.1, Optional.of(ThermalState.NOMINAL)),
                Optional.of(new CapacityReport(List.of(slot), 1, 1, 0, 16, capacitySeq, OptionalDouble.empty(), OptionalDouble.empty(),
                        OptionalDouble.empty(), Optional.empty(), Optional.empty())), OptionalLong.empty());
    }

    @Override
    public AgentMessage.CapacityQuote quote(CapacityProbe probe, boolean draining, long capacitySeq) {
        return new AgentMessage.CapacityQuote(probe.quoteId(), capacitySeq, !draining, Optional.empty(), 1, 2, 0, 100, Confidence.HIGH);
    }

    @Override
    public Optional<Room> room(String modelId, int promptTokens) {
        return modelId.equals("m") ? Optional.of(new Room(37, 1499.5)) : Optional.empty();
    }

    @Override
    public Optional<String> load(String modelId) {
        return loadProblem.isEmpty() ? Optional.empty() : Optional.of(loadProblem);
    }

    @Override
    public void prefetch(String modelId, long priority, NodeModels.PrefetchNews news) {
        if (hasModel) {
            news.downloading(3, 12);
            news.downloading(6, 12); // too soon after the first to be told
            news.verified();
        } else {
            news.failed("the catalogue has no such build");
        }
    }

    @Override
    public void desired(List<DesiredModel> models) {
        desired.add(models);
    }

    @Override
    public AgentMessage.ModelsUpdate offered() {
        return new AgentMessage.ModelsUpdate(List.copyOf(offered), ToolConstraints.NONE);
    }

    @Override
    public String signingKey() {
        return signer.publicKey();
    }

    @Override
    public void answer(RequestId id, Content body, ResponseSink sink) {
        answering.incrementAndGet();
        try {
            String[] words = new String(body.segment().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8).split(" ");
            int count = words.length > 1 ? Integer.parseInt(words[1]) : 0;
            switch (words[0]) {
                case "say" -> {
                    for (int i = 0; i < count; i++) {
                        say(sink, i);
                    }
                    sink.used(new Usage(3, 1, count, 0, 0, 0));
                    sink.endStream();
                }
                case "fail" -> {
                    for (int i = 0; i < count; i++) {
                        say(sink, i);
                    }
                    throw new AgentException(ErrorCode.CONTEXT_TOO_LONG, "prompt is 10 tokens; this model's context holds 5");
                }
                case "busy" -> {
                    sink.chosen("m");
                    throw new AgentException(ErrorCode.QUEUE_FULL, "64 requests wait");
                }
                case "hold" -> {
                    say(sink, 0);
                    hold(sink);
                }
                case "wait" -> hold(sink);
                case "document" -> {
                    sink.used(new Usage(3, 0, 2, 0, 0, 0));
                    sink.document(bytes("{\"object\":\"chat.completion\"}"));
                }
                case "huge" -> sink.document(bytes("x".repeat(count)));
                case "defect" -> throw new IllegalStateException("secret text of the request");
                default -> throw new AgentException(ErrorCode.INVALID_REQUEST, "unknown");
            }
        } finally {
            answering.decrementAndGet();
        }
    }

    private void hold(ResponseSink sink) {
        var gone = new CountDownLatch(1);
        sink.onGone(gone::countDown);
        try {
            gone.await();
        } catch (InterruptedException e) {
            throw new AgentException(ErrorCode.CANCELLED, "interrupted");
        }
        throw new AgentException(ErrorCode.CANCELLED, "gone");
    }

    private static void say(ResponseSink sink, int i) {
        MemorySegment line = bytes("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + i + " \"}}]}");
        sink.event(line, line.byteSize());
    }

    private static MemorySegment bytes(String text) {
        return java.lang.foreign.Arena.ofAuto().allocateFrom(text).asSlice(0, text.length());
    }

    @Override
    public void close() {
        keys.close();
    }
}
