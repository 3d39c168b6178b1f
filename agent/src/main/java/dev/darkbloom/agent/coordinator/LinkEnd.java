package dev.darkbloom.agent.coordinator;

import java.util.Locale;

/**
 * Why a connection ended, or did not come to be.
 *
 * @param kind what follows from it
 * @param detail a few words for {@code status} and the log; holds no content
 */
public record LinkEnd(Kind kind, String detail) {
    /** What follows from an end. */
    public enum Kind {
        /** No connection: no route, no name, refused, timed out. */
        UNREACHABLE(LinkState.WAITING),
        /** It answered 401 or 403. */
        UNAUTHORIZED(LinkState.UNAUTHORIZED),
        /** It answered 426. */
        OUTDATED(LinkState.OUTDATED),
        /** It answered with another status that no retry mends soon. */
        NOT_A_COORDINATOR(LinkState.NOT_A_COORDINATOR),
        /** Its certificate was not accepted. */
        UNTRUSTED(LinkState.UNTRUSTED),
        /** It answered 429 or 5xx, or closed with 1012, 1013. */
        BUSY(LinkState.WAITING),
        /** It closed, with any other code. */
        CLOSED(LinkState.WAITING),
        /** It closed with 1008: something that was sent is not in its protocol. */
        VIOLATION(LinkState.WAITING),
        /** It closed because another connection has this machine's serial number. */
        REPLACED(LinkState.WAITING),
        /** The connection broke, or no pong came in time. */
        LOST(LinkState.WAITING),
        /** The machine slept, or its clock jumped: the coordinator may have forgotten the node. */
        SLEPT(LinkState.WAITING),
        /** The coordinator's public list does not show the node any more. */
        FORGOTTEN(LinkState.WAITING),
        /** What is to be offered has changed in a way that only a new registration tells. */
        RENEWED(LinkState.WAITING),
        /** We closed it for good. */
        STOPPED(LinkState.STOPPED);

        private final LinkState state;

        Kind(LinkState state) {
            this.state = state;
        }

        /** Returns the state in which the link waits for the next attempt. */
        LinkState state() {
            return state;
        }

        /** Returns whether only a person can mend it, so that attempts are minutes apart. */
        boolean needsPerson() {
            return state != LinkState.WAITING && state != LinkState.STOPPED;
        }
    }

    /** Close reason by which coordinators say that a newer connection took over (provider protocol, 1.1). */
    private static final String REPLACED_REASON = "replaced by new connection";

    /** Returns what an HTTP status in place of the handshake's 101 means. */
    static LinkEnd ofStatus(int status) {
        Kind kind = switch (status) {
            case 401, 403, 407 -> Kind.UNAUTHORIZED;
            case 426 -> Kind.OUTDATED;
            case 408, 425, 429 -> Kind.BUSY;
            default -> status >= 500 ? Kind.BUSY : Kind.NOT_A_COORDINATOR;
        };
        return new LinkEnd(kind, "answered the handshake with HTTP " + status);
    }

    /**
     * Returns what a close frame means.
     *
     * @param reason the other side's text
     */
    static LinkEnd ofClose(int code, String reason) {
        String plain = plain(reason);
        Kind kind;
        if (plain.startsWith(REPLACED_REASON)) {
            kind = Kind.REPLACED;
        } else {
            kind = switch (code) {
                case 1002, 1003, 1007, 1008, 1009 -> Kind.VIOLATION;
                case 1012, 1013 -> Kind.BUSY;
                case 1006, -1 -> Kind.LOST;
                default -> Kind.CLOSED;
            };
        }
        return new LinkEnd(kind, "closed with " + code + (plain.isEmpty() ? "" : " " + plain));
    }

    private static final int LONGEST_TEXT = 200;

    /** Returns what the other side wrote as it may be printed: short, on one line, without control characters. */
    static String plain(String theirs) {
        var text = new StringBuilder();
        for (int i = 0; i < theirs.length() && text.length() < LONGEST_TEXT; i++) {
            char c = theirs.charAt(i);
            text.append(c >= ' ' && c < 0x7F ? c : '?');
        }
        return text.toString();
    }

    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT) + ": " + detail;
    }
}
