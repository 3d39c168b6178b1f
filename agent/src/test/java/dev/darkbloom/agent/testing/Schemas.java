package dev.darkbloom.agent.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.SpecVersion.VersionFlag;
import com.networknt.schema.SpecVersionDetector;
import com.networknt.schema.ValidationMessage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The bounded schemas of the tests, and an independent validator that says whether an answer keeps to one. */
public final class Schemas {
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).enable(DeserializationFeature.USE_BIG_INTEGER_FOR_INTS);

    private Schemas() {}

    /** Returns the schemas of {@code schemas/bounded.json} by name, in order. All of them are enforced whole, so {@code strict} is allowed. */
    public static Map<String, JsonNode> bounded() {
        try (InputStream file = Schemas.class.getResourceAsStream("/schemas/bounded.json")) {
            var schemas = new LinkedHashMap<String, JsonNode>();
            JSON.readTree(file).properties().forEach(entry -> schemas.put(entry.getKey(), entry.getValue()));
            return schemas;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns what is wrong with an answer: nothing when it is JSON and valid under the schema, formats included. */
    public static Set<ValidationMessage> complaints(JsonNode schema, String answer) throws JsonProcessingException {
        VersionFlag version = SpecVersionDetector.detectOptionalVersion(schema, false).orElse(VersionFlag.V202012);
        SchemaValidatorsConfig config = SchemaValidatorsConfig.builder().formatAssertionsEnabled(true).build();
        return JsonSchemaFactory.getInstance(version).getSchema(schema, config).validate(JSON.readTree(answer));
    }
}
