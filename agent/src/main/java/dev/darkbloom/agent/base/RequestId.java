package dev.darkbloom.agent.base;

/**
 * The name of one request inside this process; it stands in logs and in thread names and carries no content.
 *
 * @param value at most 64 characters out of letters, digits, {@code -} and {@code _}
 */
public record RequestId(String value) {
    public RequestId {
        if (value.isEmpty() || value.length() > 64) {
            throw new IllegalArgumentException("a request id has 1 to 64 characters, not " + value.length());
        }
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (!(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')) {
                throw new IllegalArgumentException("a request id holds letters, digits, '-' and '_' only");
            }
        }
    }

    @Override
    public String toString() {
        return value;
    }
}
