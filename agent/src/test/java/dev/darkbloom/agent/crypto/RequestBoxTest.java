package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Base64Text;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.crypto.PayloadFailure.Reason;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The box against PyNaCl's and the specification's vectors, and against payloads that nobody should open. */
@Tag("native")
class RequestBoxTest {
    private static final String CANARY = "{\"messages\":[{\"content\":\"canary-7f3a\"}]}";

    static List<Vectors.Sealed> vectors() {
        return Vectors.boxes();
    }

    static Stream<String> smallOrderKeys() {
        return Vectors.of("small_order_keys").map(JsonNode::asText);
    }

    private static String text(Content sealed) {
        try (Content text = Content.confined(16)) {
            Base64Text.encode(sealed.segment(), 0, sealed.length(), text);
            return OffHeap.text(text);
        }
    }

    private static PayloadFailure failure(Runnable action) {
        return catchThrowableOfType(PayloadFailure.class, action::run);
    }

    @ParameterizedTest
    @MethodSource("vectors")
    void payloadsOfAnotherImplementationAreOpenedAndSealedToTheByte(Vectors.Sealed vector) {
        MemorySegment ciphertext = OffHeap.utf8(vector.ciphertext());
        try (BoxKeys provider = BoxKeys.ofSecret(vector.providerSecret());
                BoxKeys request = BoxKeys.ofSecret(vector.requestSecret());
                RequestBox ours = provider.boxWith(vector.requestPublic());
                RequestBox theirs = request.boxWith(vector.providerPublic());
                Content opened = Content.confined(16);
                Content sealed = Content.confined(16);
                Content sealedByPeer = Content.confined(16)) {
            assertThat(provider.publicKey()).isEqualTo(vector.providerPublic());
            assertThat(request.publicKey()).isEqualTo(vector.requestPublic());

            long size = ours.openText(ciphertext, 0, ciphertext.byteSize(), opened);
            ours.sealWithNonce(vector.nonce(), vector.plain(), sealed);
            theirs.sealWithNonce(vector.nonce(), vector.plain(), sealedByPeer);

            assertThat(size).isEqualTo(vector.plain().byteSize());
            assertThat(opened.segment().mismatch(vector.plain())).isEqualTo(-1);
            assertThat(text(sealed)).isEqualTo(vector.ciphertext());
            assertThat(text(sealedByPeer)).isEqualTo(vector.ciphertext());
        }
    }

    @Test
    void theSpecificationsVectorsHold() {
        MemorySegment k = OffHeap.bytes(HexFormat.of().parseHex("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"));
        MemorySegment nonce = OffHeap.bytes(HexFormat.of().parseHex("c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"));
        String chunk = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
                + "\"choices\":[{\"index\":0,"
                + "\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}";
        MemorySegment request = OffHeap.utf8("ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7YAbjxl/"
                + "a0WYyPatnIPr0VIUXwp0JvM3iuWar6k4QsnVRRNmheNduaBDTHVGo1DgTxhPt"
                + "BkpkSArvxgrWO2V40rlb5sp3ZUfFhu/7ikLYVeL0W2jUjtwsC3vpiQ==");
        try (BoxKeys keys = BoxKeys.ofSecret(k);
                RequestBox box = keys.boxWith("WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpns=");
                Content plain = Content.confined(16);
                Content sealed = Content.confined(16)) {
            box.openText(request, 0, request.byteSize(), plain);
            box.sealWithNonce(nonce, OffHeap.utf8(chunk), sealed);

            assertThat(keys.publicKey()).isEqualTo("B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=");
            assertThat(OffHeap.text(plain)).isEqualTo("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                    + "\"max_tokens\":8192}");
            assertThat(text(sealed)).isEqualTo("yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7fRj1npjhk2mBwrkNETI0kK5FLbKvBg1uqQkq6nwDMxbkFLuT6ocTvr/"
                    + "iGZqy+9azoCZR5lF1H"
                    + "No3g4zYWhxNIRtSlrIJZyqEXyE3uGrTSjdgv9hKfpgMWVmFQoVBqRJLiCHYO5dgMz/nJ6Cb7rIslZezy0WUY4egSjz2YMJkoWbVm+dlVpY+ZzCw9"
                    + "JyDU2fnHqvV2arhwOsQ+WYahWgzzrnP/58cP0/oP");
        }
    }

    @Test
    void whatOneSideSealsTheOtherOpensBehindWhatWasThere() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox ours = provider.boxWith(request.publicKey());
                RequestBox theirs = request.boxWith(provider.publicKey());
                Content sealed = Content.confined(16);
                Content plain = Content.confined(16)) {
            plain.appendAscii("before:");
            sealed.appendAscii("frame:");
            theirs.seal(OffHeap.utf8(".." + CANARY), 2, CANARY.length(), sealed);
            long size = ours.open(sealed.segment(), 6, sealed.length() - 6, plain);

            assertThat(sealed.length()).isEqualTo(6 + CANARY.length() + RequestBox.OVERHEAD);
            assertThat(size).isEqualTo(CANARY.length());
            assertThat(OffHeap.text(plain)).isEqualTo("before:" + CANARY);
        }
    }

    @Test
    void theSameTextIsNeverSealedTwiceAlike() {
        try (BoxKeys keys = BoxKeys.generate();
                BoxKeys peer = BoxKeys.generate();
                RequestBox box = keys.boxWith(peer.publicKey());
                Content first = Content.confined(16);
                Content second = Content.confined(16)) {
            box.seal(OffHeap.utf8(CANARY), 0, CANARY.length(), first);
            box.seal(OffHeap.utf8(CANARY), 0, CANARY.length(), second);

            assertThat(first.segment().mismatch(second.segment())).isBetween(0L, (long) Sodium.NONCE_BYTES - 1);
        }
    }

    @Test
    void everyProcessHasAnotherKey() {
        try (BoxKeys one = BoxKeys.generate(); BoxKeys other = BoxKeys.generate()) {
            assertThat(one.publicKey()).hasSize(44).isNotEqualTo(other.publicKey());
            assertThat(one.toString()).isEqualTo("BoxKeys[" + one.publicKey() + "]");
        }
    }

    @Test
    void aPayloadWithAnyBitChangedIsRefusedAndCounted() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox theirs = request.boxWith(provider.publicKey());
                Content sealed = Content.confined(16);
                Content plain = Content.confined(512)) {
            theirs.seal(OffHeap.utf8(CANARY), 0, CANARY.length(), sealed);
            var opener = new RequestOpener(provider, new ReplayGuard());
            long size = sealed.length();
            for (long bit = 0; bit < size * 8; bit += 3) {
                MemorySegment changed = OffHeap.bytes(sealed.segment().toArray(ValueLayout.JAVA_BYTE));
                changed.set(ValueLayout.JAVA_BYTE, bit / 8, (byte) (changed.get(ValueLayout.JAVA_BYTE, bit / 8) ^ 1 << bit % 8));
                try (Content text = Content.confined(512)) {
                    Base64Text.encode(changed, 0, size, text);

                    PayloadFailure failure = failure(() -> opener.open(request.publicKey(), text.segment(), plain));

                    assertThat(failure.reason()).isEqualTo(Reason.NOT_AUTHENTIC);
                    assertThat(plain.length()).isZero();
                    assertThat(OffHeap.text(plain.buffer())).doesNotContain("canary");
                }
            }
            assertThat(opener.failures(Reason.NOT_AUTHENTIC)).isEqualTo((size * 8 + 2) / 3).isEqualTo(opener.failures());
        }
    }

    @Test
    void aPayloadCutAnywhereIsRefused() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox ours = provider.boxWith(request.publicKey());
                RequestBox theirs = request.boxWith(provider.publicKey());
                Content sealed = Content.confined(16);
                Content plain = Content.confined(16)) {
            theirs.seal(OffHeap.utf8(CANARY), 0, CANARY.length(), sealed);
            for (long size = 0; size < sealed.length(); size++) {
                long cut = size;

                PayloadFailure failure = failure(() -> ours.open(sealed.segment(), 0, cut, plain));

                assertThat(failure.reason()).isEqualTo(size < RequestBox.OVERHEAD ? Reason.TRUNCATED : Reason.NOT_AUTHENTIC);
                assertThat(plain.length()).isZero();
            }
        }
    }

    @Test
    void aPayloadForAnotherKeyIsRefused() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys other = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox theirs = request.boxWith(other.publicKey());
                RequestBox ours = provider.boxWith(request.publicKey());
                Content sealed = Content.confined(16);
                Content plain = Content.confined(16)) {
            theirs.seal(OffHeap.utf8(CANARY), 0, CANARY.length(), sealed);

            assertThat(failure(() -> ours.open(sealed.segment(), 0, sealed.length(), plain)).reason()).isEqualTo(Reason.NOT_AUTHENTIC);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "AAAA", "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHx=", "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHHw=",
            "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHwAAAAA", "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHwA",
            "é6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw="})
    @MethodSource("smallOrderKeys")
    void keysThatAreNoneOrLeakEverythingAreRefused(String key) {
        try (BoxKeys keys = BoxKeys.generate()) {
            assertThat(failure(() -> keys.boxWith(key)).reason()).isEqualTo(Reason.INVALID_KEY);
        }
    }

    @Test
    void aRequestIsOpenedOnceAndItsReplayLeavesNothingBehind() {
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox theirs = request.boxWith(provider.publicKey());
                Content sealed = Content.confined(16);
                Content text = Content.confined(16);
                Content first = Content.confined(512);
                Content second = Content.confined(512)) {
            theirs.seal(OffHeap.utf8(CANARY), 0, CANARY.length(), sealed);
            Base64Text.encode(sealed.segment(), 0, sealed.length(), text);
            var opener = new RequestOpener(provider, new ReplayGuard());

            opener.open(request.publicKey(), text.segment(), first).close();
            PayloadFailure failure = failure(() -> opener.open(request.publicKey(), text.segment(), second));

            assertThat(OffHeap.text(first)).isEqualTo(CANARY);
            assertThat(failure.reason()).isEqualTo(Reason.REPLAYED);
            assertThat(failure.toAgentException().code()).isEqualTo(ErrorCode.ENCRYPTION_FAILED);
            assertThat(opener.failures(Reason.REPLAYED)).isEqualTo(1);
            assertThat(second.length()).isZero();
            assertThat(OffHeap.text(second.buffer())).doesNotContain("canary");
        }
    }

    @Test
    void textThatIsNoBase64IsRefused() {
        try (BoxKeys provider = BoxKeys.generate(); BoxKeys request = BoxKeys.generate(); Content plain = Content.confined(16)) {
            var opener = new RequestOpener(provider, new ReplayGuard());

            PayloadFailure failure = failure(() -> opener.open(request.publicKey(), OffHeap.utf8("not base64 at all"), plain));

            assertThat(failure.reason()).isEqualTo(Reason.INVALID_TEXT);
            assertThat(failure).hasMessageNotContaining("not base64 at all");
        }
    }

    @Test
    void randomPayloadsAreRefusedWhateverTheyAre() {
        var random = new Random(3);
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox box = provider.boxWith(request.publicKey());
                Content plain = Content.confined(16)) {
            for (int i = 0; i < 2_000; i++) {
                var bytes = new byte[random.nextInt(200)];
                random.nextBytes(bytes);

                assertThatExceptionOfType(PayloadFailure.class).isThrownBy(() -> box.open(OffHeap.bytes(bytes), 0, bytes.length, plain));
            }
            assertThat(plain.length()).isZero();
        }
    }

    @Test
    void largePayloadsComeBackWhole() {
        var bytes = new byte[9_000_001];
        new Random(4).nextBytes(bytes);
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox ours = provider.boxWith(request.publicKey());
                RequestBox theirs = request.boxWith(provider.publicKey());
                Content sealed = Content.allocate(16);
                Content text = Content.allocate(16);
                Content plain = Content.allocate(16)) {
            theirs.seal(OffHeap.bytes(bytes), 0, bytes.length, sealed);
            Base64Text.encode(sealed.segment(), 0, sealed.length(), text);
            ours.openText(text.segment(), 0, text.length(), plain);

            assertThat(plain.segment().mismatch(MemorySegment.ofArray(bytes))).isEqualTo(-1);
        }
    }

    @Test
    void chunksFromChangingPlacesIntoChangingPlacesAreSealedRight() {
        var random = new Random(6);
        String text = "0123456789".repeat(40);
        try (BoxKeys provider = BoxKeys.generate();
                BoxKeys request = BoxKeys.generate();
                RequestBox ours = provider.boxWith(request.publicKey());
                RequestBox theirs = request.boxWith(provider.publicKey());
                Content one = Content.confined(16);
                Content other = Content.confined(16);
                Content plain = Content.confined(16)) {
            MemorySegment[] sources = {OffHeap.utf8(text), OffHeap.utf8(text)};
            for (int i = 0; i < 2_000; i++) {
                Content target = random.nextBoolean() ? one : other;
                if (random.nextInt(3) == 0) {
                    target.clear();
                }
                long start = target.length();
                int offset = random.nextInt(4) * 10;
                int size = random.nextInt(text.length() - offset);

                ours.seal(sources[random.nextInt(2)], offset, size, target);
                plain.clear();
                theirs.open(target.segment(), start, target.length() - start, plain);

                assertThat(OffHeap.text(plain)).isEqualTo(text.substring(offset, offset + size));
            }
        }
    }

    @Test
    void bytesBeyondTheSourceAreNotSealed() {
        try (BoxKeys keys = BoxKeys.generate();
                BoxKeys peer = BoxKeys.generate();
                RequestBox box = keys.boxWith(peer.publicKey());
                Content target = Content.confined(16)) {
            MemorySegment source = OffHeap.utf8("12345");

            for (long[] place : new long[][] {{0, 6}, {5, 1}, {-1, 2}, {2, -1}, {6, 0}}) {
                assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> box.seal(source, place[0], place[1], target));
            }
            assertThat(target.length()).isZero();
        }
    }

    @Test
    void tenThousandChunksLeaveNothingOnTheHeap() {
        var bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (BoxKeys keys = BoxKeys.generate();
                BoxKeys peer = BoxKeys.generate();
                RequestBox box = keys.boxWith(peer.publicKey());
                Content plain = Content.confined(512);
                Content sealed = Content.confined(1024)) {
            plain.appendZeros(300);
            long least = Long.MAX_VALUE;
            // What the interpreter and the compilers' stages allocate is gone after some rounds.
            for (int round = 0; round < 20 && least > 0; round++) {
                long before = bean.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 10_000; i++) {
                    sealed.clear();
                    box.seal(plain.buffer(), 0, 150 + i % 150, sealed);
                }
                least = Math.min(least, bean.getCurrentThreadAllocatedBytes() - before);
            }

            assertThat(least).isLessThan(1_000);
        }
    }

    @Test
    void whatIsClosedIsNotUsedAgain() {
        BoxKeys keys = BoxKeys.generate();
        BoxKeys peer = BoxKeys.generate();
        RequestBox box = keys.boxWith(peer.publicKey());
        keys.close();
        keys.close();
        try (Content target = Content.confined(16)) {
            box.seal(OffHeap.utf8("still"), 0, 5, target);
            box.close();
            box.close();

            assertThatIllegalStateException().isThrownBy(() -> box.seal(OffHeap.utf8("no more"), 0, 7, target));
            assertThatIllegalStateException().isThrownBy(() -> keys.boxWith(peer.publicKey()));
        }
        peer.close();
    }
}
