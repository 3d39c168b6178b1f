package dev.darkbloom.agent.service.local;

import java.util.Objects;

/** One turn of a conversation. Prints without its text: that is a person's own. */
public record ChatMessage(Role role, String text) {
    /** Who speaks. */
    public enum Role { SYSTEM, USER, ASSISTANT }

    public ChatMessage {
        Objects.requireNonNull(role);
        Objects.requireNonNull(text);
    }

    @Override
    public String toString() {
        return "ChatMessage[role=" + role + ", characters=" + text.length() + "]";
    }
}
