package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.engine.ModelLease;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Answers {@code /v1/embeddings}: vectors of length one, as numbers or as base64 of little-endian {@code float32}. */
final class EmbeddingsEndpoint {
    /** OpenAI's own limit. */
    private static final int MAX_INPUTS = 2048;

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final String BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    private final RequestContext context;

    EmbeddingsEndpoint(RequestContext context) {
        this.context = context;
    }

    void embed(RequestBody body) throws InterruptedException {
        boolean base64 = switch (body.word("encoding_format").orElse("float")) {
            case "float" -> false;
            case "base64" -> true;
            default -> throw RequestBody.invalid("encoding_format", "encoding_format must be float or base64");
        };
        int dimensions = body.integer("dimensions", 1, Integer.MAX_VALUE, 0);
        String input = body.has("content") && !body.has("input") ? "content" : "input";
        String model = context.modelName(body);
        try (Closer closer = new Closer()) {
            ModelLease lease = closer.add(context.acquire(model));
            if (!lease.spec().embedding()) {
                throw new AgentException(ErrorCode.EMBEDDINGS_NOT_CONFIGURED, "model '" + model + "' is not served for embeddings");
            }
            if (lease.facts().rank().isPresent()) {
                throw new AgentException(ErrorCode.EMBEDDINGS_NOT_CONFIGURED, "model '" + model + "' ranks documents and makes no embeddings");
            }
            int size = lease.facts().embeddingSize();
            if (dimensions > size) {
                throw RequestBody.invalid("dimensions", "dimensions is " + dimensions + "; this model's vectors have " + size);
            }
            int kept = dimensions == 0 ? size : dimensions;
            TextPrompts inputs = closer.add(TextPrompts.read(body, input, lease.tokenizer(), MAX_INPUTS, false));
            PooledInputs pooled = closer.add(new PooledInputs(lease, context.sink(), inputs.all().size()));
            List<MemorySegment> vectors = List.of();
            SseWriter json = closer.add(SseWriter.allocate(inputs.all().size() * kept * 12L + 256));
            long tokens = 0;
            json.raw("{\"object\":\"list\",\"data\":[");
            for (int i = 0; i < inputs.all().size(); i++) {
                int place = i % PooledInputs.GROUP;
                if (place == 0) {
                    vectors = pooled.of(inputs.all().subList(i, Math.min(inputs.all().size(), i + PooledInputs.GROUP)));
                }
                MemorySegment values = vectors.get(place).asSlice(0, kept * 4L);
                normalise(values);
                json.raw(i == 0 ? "" : ",").raw("{\"object\":\"embedding\",\"index\":").number(i).raw(",\"embedding\":");
                if (base64) {
                    writeBase64(json, values);
                } else {
                    writeNumbers(json, values);
                }
                json.raw("}");
                tokens += inputs.all().get(i).count();
            }
            json.raw("],\"model\":").setting(model);
            json.raw(",\"usage\":{\"prompt_tokens\":").number(tokens).raw(",\"total_tokens\":").number(tokens).raw("}}");
            context.sink().document(json.segment());
        }
    }

    /** Scales to length one by the Euclidean norm; a vector of zeros stays. */
    private static void normalise(MemorySegment values) {
        double sum = 0;
        for (long at = 0; at < values.byteSize(); at += 4) {
            double value = values.get(FLOAT, at);
            sum += value * value;
        }
        double scale = sum > 0 ? 1 / Math.sqrt(sum) : 0;
        for (long at = 0; at < values.byteSize(); at += 4) {
            values.set(FLOAT, at, (float) (values.get(FLOAT, at) * scale));
        }
    }

    private static void writeNumbers(SseWriter json, MemorySegment values) {
        json.raw("[");
        for (long at = 0; at < values.byteSize(); at += 4) {
            json.raw(at == 0 ? "" : ",").number(values.get(FLOAT, at));
        }
        json.raw("]");
    }

    private static void writeBase64(SseWriter json, MemorySegment values) {
        json.raw("\"");
        long size = values.byteSize();
        for (long at = 0; at < size; at += 3) {
            int bits = byteAt(values, at) << 16 | byteAt(values, at + 1) << 8 | byteAt(values, at + 2);
            json.letter(BASE64.charAt(bits >>> 18)).letter(BASE64.charAt(bits >>> 12 & 63));
            json.letter(at + 1 < size ? BASE64.charAt(bits >>> 6 & 63) : '=').letter(at + 2 < size ? BASE64.charAt(bits & 63) : '=');
        }
        json.raw("\"");
    }

    private static int byteAt(MemorySegment values, long at) {
        return at < values.byteSize() ? values.get(ValueLayout.JAVA_BYTE, at) & 0xFF : 0;
    }
}
