package dev.darkbloom.agent.content;

/**
 * A place inside a {@link Content}: bytes {@code [offset, offset + length)}.
 *
 * @param offset bytes from the content's start; not negative
 * @param length bytes; not negative
 */
public record Slice(long offset, long length) {
    public static final Slice EMPTY = new Slice(0, 0);

    public Slice {
        if (offset < 0 || length < 0) {
            throw new IllegalArgumentException("slice at " + offset + " of " + length + " bytes");
        }
    }

    public boolean isEmpty() {
        return length == 0;
    }

    public long end() {
        return offset + length;
    }
}
