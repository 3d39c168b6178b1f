package dev.darkbloom.agent.service.control;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;

/** The lines on the control socket: one JSON object each, told apart by {@code type}. */
final class ControlCodec {
    private static final JsonMapper MAPPER = new JsonMapper();

    private ControlCodec() {}

    static String line(ControlRequest request) {
        return switch (request) {
            case ControlRequest.Status() -> typed("status").toString();
            case ControlRequest.Stop(int timeoutSeconds) -> typed("stop").put("timeout_seconds", timeoutSeconds).toString();
            case ControlRequest.Calibrate(String model) -> typed("calibrate").put("model", model).toString();
            case ControlRequest.Reregister() -> typed("reregister").toString();
            case ControlRequest.Unknown(String type) -> typed(type).toString();
        };
    }

    static String line(ControlReply reply) {
        return switch (reply) {
            case ControlReply.Status(StatusReport report) -> typed("status").set("report", StatusCodec.toJson(report)).toString();
            case ControlReply.Draining(int requests) -> typed("draining").put("requests", requests).toString();
            case ControlReply.Refused(String message) -> typed("refused").put("message", message).toString();
        };
    }

    /** Returns a report as text for people's programs: indented. */
    static String pretty(StatusReport report) {
        return StatusCodec.toJson(report).toPrettyString();
    }

    static ControlRequest request(String line) throws IOException {
        JsonNode json = object(line);
        String type = json.path("type").asText();
        return switch (type) {
            case "status" -> new ControlRequest.Status();
            case "stop" -> new ControlRequest.Stop(Math.max(0, json.path("timeout_seconds").asInt()));
            case "calibrate" -> new ControlRequest.Calibrate(json.path("model").asText());
            case "reregister" -> new ControlRequest.Reregister();
            default -> new ControlRequest.Unknown(type);
        };
    }

    static ControlReply reply(String line) throws IOException {
        JsonNode json = object(line);
        String type = json.path("type").asText();
        return switch (type) {
            case "status" -> new ControlReply.Status(StatusCodec.fromJson(json.path("report")));
            case "draining" -> new ControlReply.Draining(json.path("requests").asInt());
            case "refused" -> new ControlReply.Refused(json.path("message").asText());
            default -> throw new IOException("the agent answers \"" + type + "\", which this program does not know; both should be of one version");
        };
    }

    private static ObjectNode typed(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type);
    }

    private static JsonNode object(String line) throws IOException {
        try {
            JsonNode json = MAPPER.readTree(line);
            if (json.isObject()) {
                return json;
            }
        } catch (JsonProcessingException e) {
            throw new IOException("not a line of the control protocol", e);
        }
        throw new IOException("not a line of the control protocol");
    }
}
