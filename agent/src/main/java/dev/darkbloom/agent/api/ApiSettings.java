package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.Redacted;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Where the endpoint listens and whom it answers.
 *
 * @param bind address or name to bind, {@code 127.0.0.1} unless the owner says otherwise
 * @param port TCP port; 0 takes a free one
 * @param token the key that clients send; empty for {@code --no-auth}
 * @param allowedOrigins web origins beside loopback ones whose pages may ask, as browsers write them ({@code https://chat.example}); {@code
 *     *} allows all
 */
public record ApiSettings(String bind, int port, Optional<Redacted> token, Set<String> allowedOrigins, ApiLimits limits) {
    public ApiSettings {
        Objects.requireNonNull(bind);
        Objects.requireNonNull(token);
        allowedOrigins = Set.copyOf(allowedOrigins);
        Objects.requireNonNull(limits);
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("port " + port);
        }
    }

    /** Returns settings with the default limits and no foreign origins. */
    public static ApiSettings of(String bind, int port, Optional<Redacted> token) {
        return new ApiSettings(bind, port, token, Set.of(), ApiLimits.DEFAULT);
    }
}
