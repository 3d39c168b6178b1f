package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.deser.DeserializationProblemHandler;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * How Jackson reads and writes the records of this room: as Go does it on the other side.
 *
 * <p>Names in snake case. A string is not taken for a number, nor the other way round. {@code null} is what an absent member is: zero, an
 * empty string, an empty list. An integer with a decimal point is refused from agents, as the coordinator refuses it, and taken from
 * coordinators. Unknown members are skipped and counted. Messages of Jackson's exceptions quote their input and go no further than here.
 */
final class WireJson {
    /** Attribute of a reader: the counter of unknown members. */
    static final String UNKNOWN_FIELDS = "unknownFields";
    /** Attribute of a reader: the text of {@code attestation.attestation} as it came. */
    static final String STATEMENT = "statement";

    /** Deepest nesting of a message; ours have five levels. */
    private static final int MAX_DEPTH = 32;
    private static final int MAX_STRING = 1 << 20;

    /** For messages of coordinators, and for writing. */
    static final JsonMapper OF_COORDINATORS = mapper().enable(DeserializationFeature.ACCEPT_FLOAT_AS_INT).build();
    /** For messages of agents. */
    static final JsonMapper OF_AGENTS = mapper().disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT).build();

    private static final JsonMapper BLOBS = mapper().propertyNamingStrategy(PropertyNamingStrategies.LOWER_CAMEL_CASE).build();

    private WireJson() {}

    private static JsonMapper.Builder mapper() {
        var constraints = StreamReadConstraints.builder()
                .maxNestingDepth(MAX_DEPTH).maxStringLength(MAX_STRING).maxNumberLength(64).maxNameLength(1024).build();
        var builder = JsonMapper.builder(JsonFactory.builder().streamReadConstraints(constraints).build())
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .enable(DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_USING_DEFAULT_VALUE)
                .enable(DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_AS_NULL)
                .withCoercionConfig(LogicalType.Textual, text -> text
                        .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                        .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                        .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
                .addHandler(new UnknownFields())
                .addModule(new WireModule());
        for (Class<?> type : List.of(Optional.class, OptionalLong.class, OptionalDouble.class)) {
            builder.withConfigOverride(type, o -> o.setInclude(JsonInclude.Value.construct(JsonInclude.Include.NON_EMPTY, null)));
        }
        for (Class<?> type : List.of(String.class, List.class, Map.class)) {
            builder.withConfigOverride(type, o -> o.setSetterInfo(JsonSetter.Value.forValueNulls(Nulls.AS_EMPTY)));
        }
        return builder;
    }

    /** Skips and counts members that a nested record does not have; those of messages are counted by {@link MessageDecoder}. */
    private static final class UnknownFields extends DeserializationProblemHandler {
        @Override
        public boolean handleUnknownProperty(DeserializationContext context, JsonParser parser, JsonDeserializer<?> deserializer,
                Object beanOrClass, String name) throws IOException {
            Class<?> type = beanOrClass instanceof Class<?> known ? known : beanOrClass.getClass();
            boolean message = AgentMessage.class.isAssignableFrom(type) || CoordinatorMessage.class.isAssignableFrom(type);
            if (!message && context.getAttribute(UNKNOWN_FIELDS) instanceof LongAdder counter && !WireNames.IGNORED.contains(name)) {
                counter.increment();
            }
            parser.skipChildren();
            return true;
        }
    }

    static AttestationBlob readBlob(String statement) {
        try {
            return BLOBS.readValue(statement, AttestationBlob.class);
        } catch (JsonProcessingException e) {
            throw malformed("attestation", e);
        }
    }

    /** Says the kind of {@code e} and where it happened, and leaves out what it quotes. */
    static MalformedMessageException malformed(String type, JsonProcessingException e) {
        String place = e.getLocation() == null ? "" : " at byte " + e.getLocation().getByteOffset();
        return new MalformedMessageException(type + ": " + e.getClass().getSimpleName() + place);
    }
}
