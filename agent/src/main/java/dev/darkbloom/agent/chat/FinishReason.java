package dev.darkbloom.agent.chat;

/** Why an answer ended, as OpenAI's API names it. */
enum FinishReason {
    /** The model ended it, or a stop string did. */
    STOP("stop"),
    /** The token limit or the context's end. */
    LENGTH("length"),
    /** The model ended it and calls tools. */
    TOOL_CALLS("tool_calls");

    private final String wire;

    FinishReason(String wire) {
        this.wire = wire;
    }

    String wire() {
        return wire;
    }
}
