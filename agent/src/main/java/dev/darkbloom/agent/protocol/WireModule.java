package dev.darkbloom.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.ContextualDeserializer;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.base.RequestId;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Teaches Jackson the types of the records that it does not know: optional members, ids, secrets, signed and sealed things. */
final class WireModule extends SimpleModule {
    private static final long serialVersionUID = 1L;

    @FunctionalInterface
    private interface Write<T> {
        void write(T value, JsonGenerator out) throws IOException;
    }

    @FunctionalInterface
    private interface Read<T> {
        T read(JsonParser in, DeserializationContext context) throws IOException;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    WireModule() {
        super("darkbloom-protocol");
        addSerializer(Optional.class, (JsonSerializer) new OptionalWriter());
        addDeserializer(Optional.class, (JsonDeserializer) new OptionalReader(null));
        addSerializer(OptionalLong.class, new JsonSerializer<>() {
            @Override
            public void serialize(OptionalLong value, JsonGenerator out, SerializerProvider provider) throws IOException {
                out.writeNumber(value.getAsLong());
            }

            @Override
            public boolean isEmpty(SerializerProvider provider, OptionalLong value) {
                return value.isEmpty();
            }
        });
        addSerializer(OptionalDouble.class, new JsonSerializer<>() {
            @Override
            public void serialize(OptionalDouble value, JsonGenerator out, SerializerProvider provider) throws IOException {
                out.writeNumber(value.getAsDouble());
            }

            @Override
            public boolean isEmpty(SerializerProvider provider, OptionalDouble value) {
                return value.isEmpty();
            }
        });
        read(OptionalLong.class, OptionalLong.empty(), (in, context) -> OptionalLong.of(context.readValue(in, long.class)));
        read(OptionalDouble.class, OptionalDouble.empty(), (in, context) -> OptionalDouble.of(context.readValue(in, double.class)));
        write(Redacted.class, (secret, out) -> out.writeString(secret.reveal()));
        read(Redacted.class, new Redacted(""), (in, context) -> new Redacted(context.readValue(in, String.class)));
        write(RequestId.class, (id, out) -> out.writeString(id.value()));
        read(RequestId.class, null, (in, context) -> requestId(in, context));
        write(SignedAttestation.class, WireModule::writeAttestation);
        read(SignedAttestation.class, null, WireModule::readAttestation);
        write(EncryptedPayload.class, WireModule::writePayload);
    }

    private <T> void write(Class<T> type, Write<T> write) {
        addSerializer(type, new StdSerializer<>(type) {
            private static final long serialVersionUID = 1L;

            @Override
            public void serialize(T value, JsonGenerator out, SerializerProvider provider) throws IOException {
                write.write(value, out);
            }
        });
    }

    private <T> void read(Class<T> type, T absent, Read<T> read) {
        addDeserializer(type, new StdDeserializer<>(type) {
            private static final long serialVersionUID = 1L;

            @Override
            public T deserialize(JsonParser in, DeserializationContext context) throws IOException {
                return read.read(in, context);
            }

            @Override
            public T getNullValue(DeserializationContext context) throws JsonMappingException {
                if (absent == null) {
                    throw JsonMappingException.from(context, type.getSimpleName() + " is missing");
                }
                return absent;
            }
        });
    }

    private static RequestId requestId(JsonParser in, DeserializationContext context) throws IOException {
        try {
            return new RequestId(context.readValue(in, String.class));
        } catch (IllegalArgumentException e) {
            throw JsonMappingException.from(in, "not a request id");
        }
    }

    private static void writeAttestation(SignedAttestation attestation, JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeFieldName("attestation");
        out.writeRawValue(attestation.statement()); // what was signed, as it is
        out.writeStringField("signature", attestation.signature());
        out.writeEndObject();
    }

    private static SignedAttestation readAttestation(JsonParser in, DeserializationContext context) throws IOException {
        String signature = "";
        if (!in.isExpectedStartObjectToken()) {
            throw JsonMappingException.from(in, "not an object");
        }
        while (in.nextToken() == JsonToken.FIELD_NAME) {
            boolean isSignature = in.currentName().equals("signature");
            in.nextToken();
            if (isSignature) {
                signature = in.currentToken() == JsonToken.VALUE_STRING ? in.getText() : "";
            }
            in.skipChildren();
        }
        if (!(context.getAttribute(WireJson.STATEMENT) instanceof String statement)) {
            throw JsonMappingException.from(in, "no statement");
        }
        return new SignedAttestation(statement, signature);
    }

    private static void writePayload(EncryptedPayload payload, JsonGenerator out) throws IOException {
        var target = (ContentStream) out.getOutputTarget();
        out.writeStartObject();
        out.writeStringField("ephemeral_public_key", payload.ephemeralPublicKey());
        out.writeFieldName("ciphertext");
        out.writeRawValue("\"");
        out.flush();
        target.content().append(payload.ciphertext());
        out.writeRaw('"');
        out.writeEndObject();
    }

    private static final class OptionalWriter extends JsonSerializer<Optional<?>> {
        @Override
        public void serialize(Optional<?> value, JsonGenerator out, SerializerProvider provider) throws IOException {
            provider.defaultSerializeValue(value.orElseThrow(), out);
        }

        @Override
        public boolean isEmpty(SerializerProvider provider, Optional<?> value) {
            return value.isEmpty();
        }
    }

    private static final class OptionalReader extends StdDeserializer<Optional<?>> implements ContextualDeserializer {
        private static final long serialVersionUID = 1L;

        private final transient JsonDeserializer<?> inner;

        OptionalReader(JsonDeserializer<?> inner) {
            super(Optional.class);
            this.inner = inner;
        }

        @Override
        public JsonDeserializer<?> createContextual(DeserializationContext context, BeanProperty property) throws JsonMappingException {
            JavaType type = context.getContextualType();
            return new OptionalReader(context.findContextualValueDeserializer(type.containedType(0), property));
        }

        @Override
        public Optional<?> deserialize(JsonParser in, DeserializationContext context) throws IOException {
            return Optional.ofNullable(inner.deserialize(in, context)); // null: a word of an enum that we do not know
        }

        @Override
        public Optional<?> getNullValue(DeserializationContext context) {
            return Optional.empty();
        }
    }
}
