package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.SseWriter;

/** The {@code error} member of an answer that fails late. Its text is one of ours per code, whatever the exception says. */
final class ErrorJson {
    private ErrorJson() {}

    static void write(SseWriter json, AgentException error) {
        json.raw("\"error\":{\"message\":\"").raw(text(error.code()))
                .raw("\",\"type\":\"").raw(error.code().wireType())
                .raw("\",\"code\":\"").raw(error.code().wireCode())
                .raw("\"}");
    }

    /** As Anthropic's API has it. */
    static void writeMessages(SseWriter json, AgentException error) {
        json.raw("\"error\":{\"type\":\"").raw(error.code().messagesType())
                .raw("\",\"message\":\"").raw(text(error.code()))
                .raw("\"}");
    }

    /** Returns what is said of a late failure. */
    static String text(ErrorCode code) {
        return switch (code) {
            case NO_KV_SPACE, OUT_OF_MEMORY, QUEUE_FULL -> "no room to go on";
            case DEADLINE_EXCEEDED -> "the time limit was reached";
            case DRAINING -> "the agent is stopping";
            default -> "generation failed";
        };
    }
}
