package dev.darkbloom.agent.service.local;

import dev.darkbloom.agent.api.DiscoveryRecord;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.config.AgentHome;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the running agent answers HTTP, as its discovery record says.
 *
 * @param baseUrl an OpenAI client's base URL
 * @param key empty text when the endpoint asks for none
 * @param recordFile the record
 * @param tokenFile where the key is kept
 */
public record LocalEndpoint(String baseUrl, Redacted key, Path recordFile, Path tokenFile) {
    /** Returns the endpoint of the agent that runs with {@code home}; empty when none does. */
    public static Optional<LocalEndpoint> find(AgentHome home) {
        return record(home).map(record -> new LocalEndpoint(record.baseUrl(), record.apiKey(), home.discoveryRecord(), home.localToken()));
    }

    /** Returns the endpoint of the agent that runs with {@code home}, or throws {@code NOT_RUNNING}. */
    public static LocalEndpoint require(AgentHome home) {
        return find(home).orElseThrow(() -> new AgentException(ErrorCode.NOT_RUNNING,
                "no agent answers on a local endpoint (there is no live " + home.discoveryRecord() + ")"));
    }

    /** Returns the discovery record as JSON, key included; {@code {}} when no agent runs. */
    public static String recordJson(AgentHome home) {
        try {
            var record = record(home);
            return record.isPresent() ? record.get().toJson() : "{}";
        } catch (IOException e) {
            throw new UncheckedIOException("cannot print " + home.discoveryRecord(), e);
        }
    }

    private static Optional<DiscoveryRecord> record(AgentHome home) {
        try {
            return DiscoveryRecord.read(home.discoveryRecord());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + home.discoveryRecord(), e);
        }
    }

    /** Returns whether the endpoint asks for a key. */
    public boolean requiresKey() {
        return !key.reveal().isEmpty();
    }
}
