package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.Redacted;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Optional;

/** The key that a client must show: {@code Authorization: Bearer <key>} or, as Anthropic clients send it, {@code x-api-key: <key>}. */
final class ApiKey {
    private static final String SCHEME = "Bearer";
    private static final String X_API_KEY = "x-api-key";

    /** Empty: everybody may ask. */
    private final Optional<byte[]> key;

    ApiKey(Optional<Redacted> token) {
        key = token.map(secret -> secret.reveal().getBytes(StandardCharsets.UTF_8));
    }

    /** Returns whether a request may pass; takes the same time for every wrong key of one length. */
    boolean admits(HttpHeaders headers) {
        if (key.isEmpty()) {
            return true;
        }
        String authorization = headers.get(HttpHeaderNames.AUTHORIZATION);
        if (authorization != null && isKey(bearer(authorization.strip()))) {
            return true;
        }
        String header = headers.get(X_API_KEY);
        return header != null && isKey(header.strip());
    }

    private boolean isKey(String shown) {
        return MessageDigest.isEqual(key.orElseThrow(), shown.getBytes(StandardCharsets.UTF_8));
    }

    private static String bearer(String authorization) {
        int length = SCHEME.length();
        boolean isBearer = authorization.length() > length
                && authorization.regionMatches(true, 0, SCHEME, 0, length)
                && Character.isWhitespace(authorization.charAt(length));
        return isBearer ? authorization.substring(length).strip() : "";
    }
}
