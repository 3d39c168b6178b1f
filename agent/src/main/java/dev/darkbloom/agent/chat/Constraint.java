package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * What a request demands of the answer's form: a JSON schema, a grammar, or nothing. Owned by the request; segments live until
 * {@link #close}, a schema as long as the body.
 */
final class Constraint implements AutoCloseable {
    /** {@code json_object} asks for an object, where llama-server's own default would allow any JSON value. */
    private static final MemorySegment ANY_OBJECT = Arena.global().allocateFrom(ValueLayout.JAVA_BYTE,
            "{\"type\":\"object\"}".getBytes(StandardCharsets.US_ASCII));

    private final MemorySegment schema;
    private final Content grammar;
    private final boolean strict;

    private Constraint(MemorySegment schema, Content grammar, boolean strict) {
        this.schema = schema;
        this.grammar = grammar;
        this.strict = strict;
    }

    /**
     * Reads {@code response_format}, {@code json_schema} and {@code grammar}, of which one may ask for something.
     *
     * @throws AgentException {@code INVALID_REQUEST}, {@code INVALID_SCHEMA}
     */
    static Constraint read(RequestBody body) {
        MemorySegment schema = schema(body);
        boolean strict = isStrict(body); // before anything is opened
        Slice text = body.value("grammar", Kind.STRING);
        if (text.isEmpty() || body.json().isEmptyText(text)) {
            return new Constraint(schema, Content.confined(1), strict);
        }
        if (schema.byteSize() > 0) {
            throw RequestBody.invalid("grammar", "grammar cannot be combined with a schema or a response format");
        }
        Content grammar = Content.confined(text.length());
        try {
            body.json().decode(text, grammar);
            return new Constraint(schema, grammar, false);
        } catch (Throwable t) {
            grammar.close();
            throw t;
        }
    }

    private static MemorySegment schema(RequestBody body) {
        MemorySegment format = formatSchema(body);
        Slice own = body.value("json_schema");
        if (own.isEmpty()) {
            return format;
        }
        if (format.byteSize() > 0) {
            throw RequestBody.invalid("json_schema", "json_schema cannot be combined with response_format");
        }
        return checkedSchema(body, own, "json_schema");
    }

    private static MemorySegment formatSchema(RequestBody body) {
        JsonScanner json = body.json();
        Slice format = body.value("response_format", Kind.OBJECT);
        if (format.isEmpty()) {
            return MemorySegment.NULL;
        }
        Slice type = json.member(format, "type");
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw RequestBody.invalid("response_format", "response_format.type must be text, json_object or json_schema");
        }
        Slice inner = json.member(format, "schema");
        if (json.textEquals(type, "text")) {
            return MemorySegment.NULL;
        }
        if (json.textEquals(type, "json_object")) {
            return inner.isEmpty() || json.kind(inner) == Kind.NULL ? ANY_OBJECT : checkedSchema(body, inner, "response_format");
        }
        if (json.textEquals(type, "json_schema")) {
            Slice wrapper = json.member(format, "json_schema");
            if (!wrapper.isEmpty() && json.kind(wrapper) == Kind.OBJECT) {
                inner = json.member(wrapper, "schema");
            }
            if (inner.isEmpty()) {
                throw RequestBody.invalid("response_format", "response_format.json_schema.schema is missing");
            }
            return checkedSchema(body, inner, "response_format");
        }
        throw RequestBody.invalid("response_format", "response_format.type must be text, json_object or json_schema");
    }

    private static boolean isStrict(RequestBody body) {
        JsonScanner json = body.json();
        Slice format = body.value("response_format", Kind.OBJECT);
        if (format.isEmpty()) {
            return false;
        }
        Slice wrapper = json.member(format, "json_schema");
        Slice strict = json.member(!wrapper.isEmpty() && json.kind(wrapper) == Kind.OBJECT ? wrapper : format, "strict");
        if (strict.isEmpty() || json.kind(strict) == Kind.NULL) {
            return false;
        }
        if (json.kind(strict) != Kind.TRUE && json.kind(strict) != Kind.FALSE) {
            throw RequestBody.invalid("response_format", "response_format.json_schema.strict must be a boolean");
        }
        return json.kind(strict) == Kind.TRUE;
    }

    /**
     * Refuses a strict schema that cannot be enforced whole; one that is not strict loses the keywords that are not enforced.
     *
     * @throws AgentException {@code INVALID_SCHEMA}, with the keyword and its place
     */
    void check(Tokenizer tokenizer) {
        if (strict && schema.byteSize() > 0) {
            tokenizer.checkSchema(schema);
        }
    }

    private static MemorySegment checkedSchema(RequestBody body, Slice schema, String param) {
        Kind kind = body.json().kind(schema);
        if (kind != Kind.OBJECT && kind != Kind.TRUE && kind != Kind.FALSE) {
            throw AgentException.ofParam(ErrorCode.INVALID_SCHEMA, param, "a JSON schema is an object or a boolean");
        }
        return body.json().segment(schema);
    }

    /** Returns the schema's JSON text, or {@link MemorySegment#NULL}. */
    MemorySegment schema() {
        return schema;
    }

    /** Returns the grammar's text, or {@link MemorySegment#NULL}; a view until {@link #close}. */
    MemorySegment grammar() {
        return grammar.length() == 0 ? MemorySegment.NULL : grammar.segment();
    }

    boolean isNone() {
        return schema.byteSize() == 0 && grammar.length() == 0;
    }

    @Override
    public void close() {
        grammar.close();
    }
}
