package dev.darkbloom.agent.service;

import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.ConfigValues;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * How to start.
 *
 * @param home where the agent keeps its things
 * @param configFile the settings file, for reports
 * @param values what it and the flags say
 * @param audience whom to answer
 * @param coordinatorUrl the coordinator's address; empty for the settings' own
 * @param models what to serve: ids or paths; empty for what the settings enable
 * @param allModels serve everything that can be loaded
 * @param requiresKey whether clients of the local endpoint send its key
 * @param acceptsOpenEndpoint whether the owner knows that an endpoint without a key, reachable from outside, is open to everyone
 */
public record StartOptions(
        AgentHome home,
        Path configFile,
        ConfigValues values,
        Audience audience,
        Optional<String> coordinatorUrl,
        List<String> models,
        boolean allModels,
        boolean requiresKey,
        boolean acceptsOpenEndpoint) {
    /** As the other, for this machine's own clients. */
    public StartOptions(AgentHome home, Path configFile, ConfigValues values, List<String> models, boolean allModels, boolean requiresKey,
            boolean acceptsOpenEndpoint) {
        this(home, configFile, values, Audience.LOCAL, Optional.empty(), models, allModels, requiresKey, acceptsOpenEndpoint);
    }

    /** Whom an agent answers. */
    public enum Audience {
        /** This machine's own clients. */
        LOCAL,
        /** A coordinator's consumers. */
        COORDINATOR,
        /** Both, with the same weights and slots. */
        BOTH;

        /** Returns whether there is a local endpoint. */
        public boolean isLocal() {
            return this != COORDINATOR;
        }

        /** Returns whether a coordinator is served. */
        public boolean isCoordinator() {
            return this != LOCAL;
        }
    }

    public StartOptions {
        models = List.copyOf(models);
    }
}
