package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.Schemas;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which schemas are enforced whole, which lose a keyword and are refused where that is asked for, and which have no grammar at all. */
@Tag("model")
class SchemaCheckTest {
    private static ModelRuntime model;

    @BeforeAll
    static void open() {
        model = LoadedModels.demo(1);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static void check(String schema) {
        try (var arena = Arena.ofConfined()) {
            model.tokenizer().checkSchema(utf8(arena, schema));
        }
    }

    private static void compile(String schema) {
        try (var arena = Arena.ofConfined()) {
            model.tokenizer().compileSchema(utf8(arena, schema)).close();
        }
    }

    private static MemorySegment utf8(Arena arena, String text) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
    }

    private static AgentException refusal(Runnable call) {
        AgentException refused = catchThrowableOfType(AgentException.class, call::run);
        assertThat(refused).isNotNull();
        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_SCHEMA);
        return refused;
    }

    @Test
    void everyBoundedSchemaIsEnforcedWhole() {
        for (Map.Entry<String, JsonNode> schema : Schemas.bounded().entrySet()) {
            assertThatCode(() -> check(schema.getValue().toString())).as(schema.getKey()).doesNotThrowAnyException();
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
        "{\"properties\":{\"secret\":{\"type\":\"integer\",\"multipleOf\":971}}} | multipleOf at /properties/0",
        "{\"properties\":{\"a\":{},\"secret\":{\"type\":\"array\",\"uniqueItems\":true}}} | uniqueItems at /properties/1",
        "{\"type\":\"string\",\"not\":{\"const\":\"secret\"}} | not at /",
        "{\"type\":\"array\",\"items\":{\"if\":{},\"then\":{\"const\":1}}} | if at /items",
        "{\"type\":\"object\",\"patternProperties\":{\"^secret\":{\"type\":\"null\"}}} | patternProperties at /",
        "{\"type\":\"object\",\"dependentRequired\":{\"a\":[\"secret\"],\"b\":[],\"c\":[],\"d\":[],\"e\":[]}} | dependentRequired at /",
        "{\"type\":\"object\",\"dependentSchemas\":{\"secret\":{}}} | dependentSchemas at /",
        "{\"type\":\"array\",\"contains\":{\"const\":1},\"maxContains\":1} | contains at /",
        "{\"type\":\"object\",\"minProperties\":2} | minProperties at /",
        "{\"type\":\"string\",\"pattern\":\"^(?=secret)\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"^(a*)*$\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"(secret\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"^secret)$\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"[secret\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"(?<secret\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"(secret)\\\\1\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"secret\\\\\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"secret{2,1}\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"*secret\"} | pattern at /",
        "{\"type\":\"string\",\"pattern\":\"^a+$\",\"maxLength\":3} | maxLength at /",
        "{\"type\":\"string\",\"format\":\"regex\"} | format at /",
        "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"array\",\"unevaluatedItems\":{}}]} | unevaluatedItems at /anyOf/1",
        "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]} | oneOf at /",
        "{\"type\":\"object\",\"properties\":{\"a\":{}},\"propertyNames\":{\"maxLength\":0}} | propertyNames at /",
    })
    void aKeywordThatIsNotEnforcedIsNamedWithItsPlace(String schema, String keyword) {
        assertThat(refusal(() -> check(schema))).hasMessageEndingWith("not supported: " + keyword).hasMessageNotContaining("secret");
        assertThatCode(() -> compile(schema)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "{\"$ref\":\"#\"}", "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}}}",
        "{\"anyOf\":[{\"$ref\":\"#\"}]}", "{\"allOf\":[{\"$ref\":\"#\"}]}", "{\"$ref\":\"https://example.com/a.json\"}", "{\"$ref\":\"#name\"}",
        "{\"$ref\":\"#/nowhere\"}", "{\"type\":\"wrong\"}", "{\"type\":[]}", "{\"enum\":[]}", "{\"type\":\"string\",\"enum\":[1]}",
        "{\"type\":\"integer\",\"minimum\":3,\"maximum\":2}", "{\"type\":\"string\",\"minLength\":-1}", "{\"required\":\"a\"}", "{\"properties\":[]}",
        "{\"properties\":{\"a\":false},\"required\":[\"a\"]}", "{\"type\":\"array\",\"items\":false,\"minItems\":1}",
        "{\"type\":\"array\",\"minItems\":1000000}", "{\"allOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "{\"multipleOf\":0}"})
    void whatNoValueSatisfiesOrNoReferenceReachesIsRefusedAlways(String schema) {
        refusal(() -> compile(schema));
        refusal(() -> check(schema));
    }

    @Test
    void aReferenceToTheWholeInAChoiceAddsNothingToIt() {
        assertThatCode(() -> compile("{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}")).doesNotThrowAnyException();
    }

    @Test
    void aMegabyteOfSchemaIsTakenOrRefusedButEnds() {
        var wide = new StringBuilder("{\"type\":\"object\",\"properties\":{\"p\":{}");
        for (int i = 0; wide.length() < 1 << 20; i++) {
            wide.append(",\"property number ").append(i).append("\":{\"type\":\"string\",\"maxLength\":").append(i % 50).append('}');
        }
        takenOrRefused(wide.append("}}").toString());
        takenOrRefused("{\"enum\":[\"" + "x".repeat(1 << 20) + "\"]}");
        takenOrRefused("{\"pattern\":\"^" + "(a|b?)".repeat(1 << 17) + "$\"}");
    }

    @Test
    void schemasThatMultiplyEnd() {
        var doubling = new StringBuilder("{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
        for (int i = 0; i < 60; i++) {
            String next = "{\"$ref\":\"#/$defs/d" + (i + 1) + "\"}";
            doubling.append("\"d").append(i).append("\":{\"allOf\":[").append(next).append(',').append(next).append("]},");
        }
        takenOrRefused(doubling.append("\"d60\":{\"type\":\"null\"}}}").toString());
        takenOrRefused("{\"pattern\":\"^" + "(".repeat(20) + "a" + "{1000})".repeat(20) + "$\"}");
        takenOrRefused("{\"allOf\":[" + "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"},{\"type\":\"boolean\"}]},".repeat(30) + "true]}");
        String deep = "{\"type\":\"array\",\"items\":".repeat(190) + "true" + "}".repeat(190);
        assertThatCode(() -> check(deep)).doesNotThrowAnyException();
    }

    /** What the schema is called does not matter here, only that the call comes back with a grammar or a refusal of its own. */
    private static void takenOrRefused(String schema) {
        AgentException refused = catchThrowableOfType(AgentException.class, () -> compile(schema));
        if (refused != null) {
            assertThat(refused.code()).isIn(ErrorCode.INVALID_SCHEMA, ErrorCode.INVALID_GRAMMAR);
        }
    }
}
