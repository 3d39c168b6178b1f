package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Locale;
import java.util.Optional;

/**
 * Why a connection ended, or did not come to be.
 *
 * @param kind what follows from it
 * @param detail a few words for {@code status} and the log; holds no content
 * @param remedy what mends it, where more is known than the state's own advice says
 * @param retryAfter what the other side asks to be left alone for
 */
public record LinkEnd(Kind kind, String detail, Optional<String> remedy, Optional<Duration> retryAfter) {
    public LinkEnd(Kind kind, String detail) {
        this(kind, detail, Optional.empty(), Optional.empty());
    }

    LinkEnd withRemedy(String words) {
        return new LinkEnd(kind, detail, Optional.of(words), retryAfter);
    }

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
        /** The proxy asks for a login, or does not let the connection through. */
        PROXY_REFUSED(LinkState.PROXY_REFUSED),
        /** There was nothing to register with: something of this machine's own has to be mended. */
        NOT_SET_UP(LinkState.NOT_SET_UP),
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
        /** What is to be told has changed, for instance the account, in a way that only a new registration tells. */
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

    /** Longest time for which a coordinator is left alone because it asks for that. */
    static final Duration MOST_RETRY_AFTER = Duration.ofMinutes(10);

    static LinkEnd ofStatus(int status) {
        return ofStatus(status, Optional.empty(), Optional.empty(), Optional.empty());
    }

    /**
     * Returns what an HTTP status in place of the handshake's 101 means.
     *
     * @param location header of a redirect; it is told and never followed: who names another place is not thereby a coordinator
     * @param retryAfter header: seconds, or a date (RFC 9110, 10.2.3)
     * @param contentType header
     */
    static LinkEnd ofStatus(int status, Optional<String> location, Optional<String> retryAfter, Optional<String> contentType) {
        Kind kind = switch (status) {
            case 401, 403 -> Kind.UNAUTHORIZED;
            case 407 -> Kind.PROXY_REFUSED;
            case 426 -> Kind.OUTDATED;
            case 408, 425, 429 -> Kind.BUSY;
            default -> status >= 500 && status < 600 ? Kind.BUSY : Kind.NOT_A_COORDINATOR;
        };
        String answered = "answered the handshake with HTTP " + status;
        if (status >= 300 && status < 400) {
            return new LinkEnd(kind, answered + location.map(place -> ", a redirect to " + plain(place)).orElse(""))
                    .withRemedy("redirects are not followed; if you trust the place that this one names, set coordinator.url to it");
        }
        if (status == 200) {
            return new LinkEnd(kind, answered + contentType.map(type -> " and " + plain(type)).orElse(""))
                    .withRemedy("a page answers there, and no coordinator: check coordinator.url; a network that asks for a login may be in between");
        }
        return new LinkEnd(kind, answered, Optional.empty(),
                kind == Kind.BUSY ? retryAfter.flatMap(text -> pause(text, InstantSource.system())) : Optional.empty());
    }

    /** Returns what it means that something of our own failed for a reason that is known. */
    static LinkEnd of(AgentException e) {
        var end = new LinkEnd(e.code().kind() == ErrorCode.Kind.SETUP ? Kind.NOT_SET_UP : Kind.LOST, e.getMessage());
        // Where the message says it itself, the state's advice points there; a remedy twice in one line helps nobody.
        return e.code() == ErrorCode.CONFIG_INVALID || e.getMessage().contains(e.code().remedy()) ? end : end.withRemedy(e.code().remedy());
    }

    private static Optional<Duration> pause(String text, InstantSource wall) {
        try {
            Duration asked = text.strip().matches("\\d{1,9}") ? Duration.ofSeconds(Long.parseLong(text.strip()))
                    : Duration.between(wall.instant(), Instant.from(ZonedDateTime.parse(text.strip(), DateTimeFormatter.RFC_1123_DATE_TIME)));
            return Optional.of(asked.compareTo(MOST_RETRY_AFTER) > 0 ? MOST_RETRY_AFTER : asked).filter(Duration::isPositive);
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
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
