package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.chat.Parameters.Parameter;
import dev.darkbloom.agent.chat.Parameters.Treatment;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * The top-level members of one request: where each lies, and the scalar ones as Java values on demand. A member that is {@code null} counts
 * as absent, as it does for llama-server.
 */
final class RequestBody {
    private static final int MAX_WORD_BYTES = 64;

    private final JsonScanner json;
    private final Map<String, Slice> values;

    private RequestBody(JsonScanner json, Map<String, Slice> values) {
        this.json = json;
        this.values = values;
    }

    /**
     * Reads the members of a JSON object.
     *
     * @param body borrowed for as long as the result is used
     * @param unknown counts members that no documentation knows
     * @throws AgentException {@code INVALID_JSON}, or {@code UNSUPPORTED_PARAMETER} with the name
     */
    static RequestBody read(MemorySegment body, Parameters parameters, LongAdder unknown) {
        JsonScanner json = JsonScanner.of(body);
        if (json.kind(json.root()) != Kind.OBJECT) {
            throw new AgentException(ErrorCode.INVALID_JSON, "the request body is not a JSON object");
        }
        Map<String, Slice> values = new HashMap<>();
        for (JsonScanner.Cursor members = json.members(json.root()); members.next();) {
            Optional<String> name = parameters.names().find(json, members.key());
            if (name.isEmpty()) {
                unknown.increment();
            } else if (json.kind(members.value()) == Kind.NULL) {
                values.remove(name.get());
            } else {
                values.put(name.get(), members.value());
            }
        }
        var request = new RequestBody(json, values);
        for (String name : values.keySet()) {
            Parameter parameter = parameters.parameter(name);
            if (parameter.treatment() == Treatment.REFUSED && !request.isOneOf(name, parameter.neutral())) {
                throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, name, name + " is not supported");
            }
        }
        return request;
    }

    private boolean isOneOf(String name, List<String> literals) {
        MemorySegment value = json.segment(values.get(name));
        return literals.stream().anyMatch(literal -> {
            boolean same = value.byteSize() == literal.length();
            for (int i = 0; same && i < literal.length(); i++) {
                same = value.get(ValueLayout.JAVA_BYTE, i) == literal.charAt(i);
            }
            return same;
        });
    }

    JsonScanner json() {
        return json;
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    /** Returns a member's value; {@link Slice#EMPTY} when it is absent. */
    Slice value(String name) {
        return values.getOrDefault(name, Slice.EMPTY);
    }

    /** Returns a member that has to be of one kind; {@link Slice#EMPTY} when it is absent. */
    Slice value(String name, Kind kind) {
        Slice value = value(name);
        if (!value.isEmpty() && json.kind(value) != kind) {
            throw invalid(name, name + " must be " + word(kind));
        }
        return value;
    }

    private static String word(Kind kind) {
        return switch (kind) {
            case OBJECT -> "an object";
            case ARRAY -> "an array";
            case STRING -> "a string";
            case NUMBER -> "a number";
            case TRUE, FALSE -> "a boolean";
            case NULL -> "null";
        };
    }

    boolean flag(String name, boolean otherwise) {
        Slice value = value(name);
        if (value.isEmpty()) {
            return otherwise;
        }
        return switch (json.kind(value)) {
            case TRUE -> true;
            case FALSE -> false;
            default -> throw invalid(name, name + " must be a boolean");
        };
    }

    /** Returns a finite number from {@code least} to {@code most}. */
    float decimal(String name, double least, double most, float otherwise) {
        Slice value = value(name, Kind.NUMBER);
        if (value.isEmpty()) {
            return otherwise;
        }
        double number = json.number(value);
        if (!(number >= least && number <= most)) { // also what is not a number
            throw invalid(name, name + " is out of range: it must be from " + plain(least) + " to " + plain(most));
        }
        return (float) number;
    }

    /** Returns a finite number of any size that a {@code float} holds. */
    float decimal(String name, float otherwise) {
        return decimal(name, -Float.MAX_VALUE, Float.MAX_VALUE, otherwise);
    }

    int integer(String name, int least, int most, int otherwise) {
        Slice value = value(name, Kind.NUMBER);
        if (value.isEmpty()) {
            return otherwise;
        }
        OptionalLong number = json.integer(value);
        if (number.isEmpty() || number.getAsLong() < least || number.getAsLong() > most) {
            throw invalid(name, name + " must be an integer from " + least + " to " + most);
        }
        return (int) number.getAsLong();
    }

    /** Returns a short string that is a setting, for example a mode's name. */
    Optional<String> word(String name) {
        Slice value = value(name, Kind.STRING);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        Optional<String> word = json.setting(value, MAX_WORD_BYTES);
        if (word.isEmpty()) {
            throw invalid(name, name + " is longer than " + MAX_WORD_BYTES + " bytes");
        }
        return word;
    }

    private static String plain(double bound) {
        return bound == Math.rint(bound) && Math.abs(bound) < 1e15 ? Long.toString((long) bound) : Double.toString(bound);
    }

    static AgentException invalid(String param, String message) {
        return AgentException.ofParam(ErrorCode.INVALID_REQUEST, param, message);
    }
}
