package dev.darkbloom.agent.service;

import java.time.Duration;

/** Is told how a start goes on, for the person who watches. Called by the thread that starts. */
public interface StartNews {
    /** Hears nothing. */
    StartNews NONE = new StartNews() {};

    /** A model is being loaded; called again and again with its share, 0 to 1. */
    default void loading(String modelId, double share) {}

    default void loaded(String modelId, Duration took, int slots, int contextTokens) {}

    /** A model is not loaded now; its first request tries. */
    default void postponed(String modelId, String reason) {}

    /** Something that the owner should know and that does not stop the start. */
    default void warning(String text) {}

    /** The agent connects to its coordinator, from now on by itself. */
    default void connecting(String address) {}

    /** The endpoint answers. */
    default void ready(String baseUrl) {}
}
