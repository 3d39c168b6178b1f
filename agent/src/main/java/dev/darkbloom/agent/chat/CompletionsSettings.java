package dev.darkbloom.agent.chat;

import java.time.Duration;
import java.util.Map;

/**
 * What the person who runs the agent decides about answers.
 *
 * @param pingInterval silence after which a stream gets a comment; zero for none
 * @param requestTimeout longest time from a request's submission to its last token; zero for no limit
 * @param maxChoices most answers one request may ask for ({@code n} times its prompts)
 * @param ringTokens tokens that may wait between the engine and a request's thread
 * @param fingerprint {@code system_fingerprint} of every answer
 * @param enableThinking by model id, whether the model thinks when the request does not say; as the template has it for the others
 */
public record CompletionsSettings(
        Duration pingInterval,
        Duration requestTimeout,
        int maxChoices,
        int ringTokens,
        String fingerprint,
        Map<String, Boolean> enableThinking) {
    public CompletionsSettings {
        enableThinking = Map.copyOf(enableThinking);
        if (pingInterval.isNegative() || requestTimeout.isNegative() || maxChoices < 1 || ringTokens < 1) {
            throw new IllegalArgumentException(
                    "ping " + pingInterval + ", timeout " + requestTimeout + ", choices " + maxChoices + ", ring " + ringTokens);
        }
    }

    /** Returns the defaults: a ping after 15 s of silence, no timeout, 8 choices; the embedded demo model does not think unless asked. */
    public static CompletionsSettings defaults() {
        return new CompletionsSettings(Duration.ofSeconds(15), Duration.ZERO, 8, 256, "llama.cpp-v0.4.0", Map.of("demo", false));
    }
}
