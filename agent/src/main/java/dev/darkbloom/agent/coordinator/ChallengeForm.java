package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.CoordinatorMessage.AttestationChallenge;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Base64;
import java.util.regex.Pattern;

/**
 * What a challenge has to look like (provider protocol, 5.3). The key that answers it also signs attestation blobs and answers: a coordinator that
 * could choose the text would have whatever it likes signed, so nothing but 32 bytes in base64 and a time is.
 */
final class ChallengeForm {
    private static final int NONCE_BYTES = 32;
    private static final int NONCE_LETTERS = 44;
    private static final Pattern WHOLE_SECONDS_UTC = Pattern.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z");

    private ChallengeForm() {}

    /** Returns whether a challenge may be answered. */
    static boolean isProper(AttestationChallenge challenge) {
        return isNonce(challenge.nonce()) && isTime(challenge.timestamp());
    }

    private static boolean isNonce(String text) {
        if (text == null || text.length() != NONCE_LETTERS) {
            return false;
        }
        try {
            byte[] bytes = Base64.getDecoder().decode(text);
            return bytes.length == NONCE_BYTES && Base64.getEncoder().encodeToString(bytes).equals(text);
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static boolean isTime(String text) {
        if (text == null || !WHOLE_SECONDS_UTC.matcher(text).matches()) {
            return false;
        }
        try {
            Instant.parse(text);
            return true;
        } catch (DateTimeException e) {
            return false;
        }
    }
}
