package dev.darkbloom.agent.service.control;

import java.time.Duration;

/** What the command line may ask of a running agent. */
sealed interface ControlRequest {
    /** How it stands; answered by one {@link ControlReply.Status}. */
    record Status() implements ControlRequest {}

    /**
     * To end. Answered by {@link ControlReply.Draining} now and then, until the connection closes because the agent has gone.
     *
     * @param timeoutSeconds how long requests that run may take to finish, 0 or more
     */
    record Stop(int timeoutSeconds) implements ControlRequest {
        public Stop {
            if (timeoutSeconds < 0) {
                throw new IllegalArgumentException("a timeout of " + timeoutSeconds + " s");
            }
        }

        Duration timeout() {
            return Duration.ofSeconds(timeoutSeconds);
        }
    }

    /** To calibrate a model anew, however long that takes; answered by one {@link ControlReply.Status} afterwards, or a refusal. */
    record Calibrate(String model) implements ControlRequest {}

    /** To register anew with what the token's file now holds; answered by one {@link ControlReply.Status}. */
    record Reregister() implements ControlRequest {}

    /** Something that a newer command line asks. */
    record Unknown(String type) implements ControlRequest {}
}
