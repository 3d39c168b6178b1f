package dev.darkbloom.agent.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.testing.OffHeap;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("native")
class ResponseHashTest {
    static List<JsonNode> vectors() {
        return Vectors.of("hashes").toList();
    }

    @ParameterizedTest
    @MethodSource("vectors")
    void hashesAreThoseOfAnotherImplementation(JsonNode vector) {
        MemorySegment body = Vectors.base64(vector, "body");
        try (var hash = new ResponseHash()) {
            hash.add(body, 0, body.byteSize() / 2);
            hash.add(body, body.byteSize() / 2, body.byteSize() - body.byteSize() / 2);

            assertThat(hash.finish(new RequestId(vector.get("request_id").asText()), vector.get("completion_tokens").asLong()))
                    .isEqualTo(vector.get("response_hash").asText());
        }
    }

    @Test
    void theSpecificationsVectorHolds() {
        try (var hash = new ResponseHash()) {
            for (String chunk : List.of("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}",
                    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}")) {
                hash.add(OffHeap.utf8(chunk), 0, chunk.length());
            }

            assertThat(hash.finish(new RequestId("req-1"), 2))
                    .isEqualTo("57a077b042fe9755f49ca9f1e5faf6d31ae0b63bf2847e2f297aeff6daf11935");
        }
    }

    @Test
    void theLongestHeadFits() {
        try (var hash = new ResponseHash()) {
            assertThat(hash.finish(new RequestId("r".repeat(64)), Long.MIN_VALUE)).hasSize(64);
        }
    }
}
