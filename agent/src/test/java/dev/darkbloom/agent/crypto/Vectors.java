package dev.darkbloom.agent.crypto;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.testing.OffHeap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** What PyNaCl and Python's hashlib made of random input; see {@code made_with} in the file. */
final class Vectors {
    private static final JsonNode ALL = read();

    private Vectors() {}

    /** One payload between two known keys. */
    record Sealed(MemorySegment providerSecret, String providerPublic, MemorySegment requestSecret, String requestPublic,
            MemorySegment nonce, MemorySegment plain, String ciphertext) {}

    private static JsonNode read() {
        try (var file = Vectors.class.getResourceAsStream("/crypto/vectors.json")) {
            return new ObjectMapper().readTree(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Stream<JsonNode> of(String name) {
        return StreamSupport.stream(ALL.get(name).spliterator(), false);
    }

    static List<Sealed> boxes() {
        return of("boxes").map(box -> new Sealed(hex(box, "provider_secret"), box.get("provider_public").asText(),
                hex(box, "request_secret"),
                box.get("request_public").asText(), hex(box, "nonce"), base64(box, "plain"), box.get("ciphertext").asText())).toList();
    }

    static MemorySegment base64(JsonNode object, String member) {
        return OffHeap.bytes(Base64.getDecoder().decode(object.get(member).asText()));
    }

    private static MemorySegment hex(JsonNode object, String member) {
        return OffHeap.bytes(HexFormat.of().parseHex(object.get(member).asText()));
    }
}
