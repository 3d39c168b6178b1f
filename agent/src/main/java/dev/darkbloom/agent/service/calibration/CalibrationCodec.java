package dev.darkbloom.agent.service.calibration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;

/** The file of calibrations: JSON, names in snake case, units in them. */
final class CalibrationCodec {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final int FORMAT = 1;

    private CalibrationCodec() {}

    static String toJson(List<CalibrationRecord> records) {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("format", FORMAT);
        var entries = json.putArray("calibrations");
        for (CalibrationRecord found : records) {
            ObjectNode entry = entries.addObject();
            entry.put("model", found.key().model());
            entry.put("library", found.key().library());
            entry.put("machine", found.key().machine());
            entry.put("form", found.key().form());
            entry.put("measured_at", found.measuredAt().toString());
            entry.put("threads", found.threads());
            entry.put("thread_polling", found.poll());
            entry.put("flash_attention", word(found.flashAttention()));
            entry.put("ubatch_tokens", found.ubatchTokens());
            entry.put("prefill_nanos_per_token", found.prefillNanosPerToken());
            entry.put("speedup", found.speedup());
            entry.put("spread", found.spread());
            var measured = entry.putArray("measured");
            found.measured().stream().sorted().forEach(choice -> measured.add(word(choice)));
        }
        return json.toPrettyString() + "\n";
    }

    /**
     * Reads what {@link #toJson} wrote.
     *
     * @throws IOException when it is something else, or from a version that writes another format
     */
    static List<CalibrationRecord> fromJson(String text) throws IOException {
        JsonNode json;
        try {
            json = MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IOException("it is no JSON", e);
        }
        if (json.path("format").asInt() != FORMAT) {
            throw new IOException("its format is not " + FORMAT);
        }
        var records = new ArrayList<CalibrationRecord>();
        for (JsonNode entry : json.path("calibrations")) {
            try {
                records.add(read(entry));
            } catch (IllegalArgumentException | DateTimeException e) {
                throw new IOException("one of its entries makes no sense", e);
            }
        }
        return records;
    }

    private static CalibrationRecord read(JsonNode entry) {
        var measured = EnumSet.noneOf(Choice.class);
        entry.path("measured").forEach(name -> measured.add(constant(Choice.class, name)));
        var found = new CalibrationRecord(
                new CalibrationKey(entry.path("model").asText(), entry.path("library").asText(), entry.path("machine").asText(),
                        entry.path("form").asText()),
                Instant.parse(entry.path("measured_at").asText()),
                entry.path("threads").asInt(),
                entry.path("thread_polling").asInt(-1),
                constant(FlashAttention.class, entry.path("flash_attention")),
                entry.path("ubatch_tokens").asInt(),
                entry.path("prefill_nanos_per_token").asLong(-1),
                entry.path("speedup").asDouble(),
                entry.path("spread").asDouble(),
                measured);
        found.appliedTo(ComputeSettings.safe(1, 1, 1)); // throws when a value is out of range
        return found;
    }

    private static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private static <E extends Enum<E>> E constant(Class<E> type, JsonNode name) {
        return Enum.valueOf(type, name.asText().toUpperCase(Locale.ROOT));
    }
}
