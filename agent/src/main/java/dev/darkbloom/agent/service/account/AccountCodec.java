package dev.darkbloom.agent.service.account;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import java.time.Duration;
import java.util.Optional;

/** The shapes of the device-code calls (provider protocol, 15). */
final class AccountCodec {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final int LONGEST_TEXT = 300;

    private AccountCodec() {}

    /**
     * What a person has to confirm, and how we ask whether they have.
     *
     * @param deviceCode proves that it is us who asks
     * @param userCode for the person, as received
     * @param verificationUri where the person goes
     * @param expiresIn how long both hold
     * @param interval least time between two questions
     */
    record DeviceCode(Redacted deviceCode, String userCode, String verificationUri, Duration expiresIn, Duration interval) {}

    /** An answer to the question whether a person has confirmed. */
    sealed interface Grant {
        /** Not yet. */
        record Pending() implements Grant {}

        /** Not yet, and ask less often (RFC 8628, 3.5). */
        record SlowDown() implements Grant {}

        /** Confirmed. */
        record Authorized(Redacted token, Optional<String> account) implements Grant {}

        /** It will not be. */
        record Refused(String type) implements Grant {}
    }

    static DeviceCode deviceCode(String body) {
        JsonNode json = read(body);
        String device = text(json, "device_code").orElseThrow(() -> strange("device_code"));
        String user = text(json, "user_code").orElseThrow(() -> strange("user_code"));
        String uri = text(json, "verification_uri").filter(found -> found.startsWith("https://") || found.startsWith("http://"))
                .orElseThrow(() -> strange("verification_uri"));
        return new DeviceCode(new Redacted(device), user, uri,
                Duration.ofSeconds(Math.clamp(json.path("expires_in").asLong(900), 30, 3600)),
                Duration.ofSeconds(Math.clamp(json.path("interval").asLong(5), 1, 60)));
    }

    static String tokenRequest(Redacted deviceCode) {
        return JsonNodeFactory.instance.objectNode().put("device_code", deviceCode.reveal()).toString();
    }

    /** Reads an answer with any status. */
    static Grant grant(int status, String body) {
        JsonNode json;
        try {
            json = read(body);
        } catch (AgentException e) {
            if (status >= 400) {
                return new Grant.Refused("HTTP " + status);
            }
            throw e;
        }
        String word = text(json, "status").orElse("");
        if (status == 200 && word.equals("authorized")) {
            return new Grant.Authorized(new Redacted(text(json, "token").orElseThrow(() -> strange("token"))), text(json, "account_id"));
        }
        if (status == 200 && word.equals("authorization_pending")) {
            return new Grant.Pending();
        }
        String type = text(json.path("error"), "type").or(() -> text(json, "error")).orElse(status == 200 ? word : "HTTP " + status);
        return switch (type) {
            case "authorization_pending" -> new Grant.Pending(); // as the RFC has it
            case "slow_down" -> new Grant.SlowDown();
            default -> new Grant.Refused(type);
        };
    }

    /** A short request whose answer is streamed: only streams name their job. */
    static String checkRequest(String model) {
        var json = JsonNodeFactory.instance.objectNode().put("model", model).put("stream", true).put("max_tokens", 8).put("temperature", 0);
        json.putArray("messages").addObject().put("role", "user").put("content", "Hello");
        return json.toString();
    }

    /** Returns whether a line of a streamed answer carries a choice, and not an error. */
    static boolean isAnswer(String line) {
        try {
            JsonNode json = MAPPER.readTree(line.substring(line.indexOf(':') + 1));
            return json != null && json.path("choices").path(0).isObject();
        } catch (JsonProcessingException e) {
            return false; // [DONE]
        }
    }

    private static JsonNode read(String body) {
        try {
            JsonNode json = MAPPER.readTree(body);
            if (json != null && json.isObject()) {
                return json;
            }
        } catch (JsonProcessingException e) {
            // said below; the parser's own message quotes its input
        }
        throw new AgentException(ErrorCode.LOGIN_FAILED, "the coordinator's answer is not a JSON object");
    }

    /** Returns a member's text, printable and of bearable length. */
    private static Optional<String> text(JsonNode json, String name) {
        return Optional.of(json.path(name)).filter(JsonNode::isTextual).map(JsonNode::textValue)
                .filter(value -> !value.isEmpty() && value.length() <= LONGEST_TEXT && value.chars().allMatch(c -> c > ' ' && c < 0x7F));
    }

    private static AgentException strange(String member) {
        return new AgentException(ErrorCode.LOGIN_FAILED, "the coordinator's answer has no usable " + member);
    }
}
