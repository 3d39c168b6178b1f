package dev.darkbloom.agent.service;

import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.ConfigValues;
import java.nio.file.Path;
import java.util.List;

/**
 * How to start.
 *
 * @param home where the agent keeps its things
 * @param configFile the settings file, for reports
 * @param values what it and the flags say
 * @param models what to serve: ids or paths; empty for what the settings enable
 * @param allModels serve everything that can be loaded
 * @param requiresKey whether clients of the local endpoint send its key
 * @param acceptsOpenEndpoint whether the owner knows that an endpoint without a key, reachable from outside, is open to everyone
 */
public record StartOptions(
        AgentHome home,
        Path configFile,
        ConfigValues values,
        List<String> models,
        boolean allModels,
        boolean requiresKey,
        boolean acceptsOpenEndpoint) {
    public StartOptions {
        models = List.copyOf(models);
    }
}
