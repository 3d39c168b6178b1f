package dev.darkbloom.agent.coordinator;

import java.util.Locale;

/**
 * Where the connection to the coordinator stands. Exactly one of these at a time; {@link CoordinatorLink} moves it.
 *
 * <p>That a node is connected does not say that it gets work: eligibility is a list of gates of its own.
 */
public enum LinkState {
    /** Not begun. */
    IDLE("nothing to do"),
    /** An attempt is under way: name lookup, proxy, TLS, handshake. */
    CONNECTING("nothing to do; it is connecting"),
    /** The socket is open and {@code register} is written; the coordinator's first challenge has not come. */
    REGISTERED("nothing to do; if it lasts, the coordinator did not accept the registration: see its version and coordinator.* settings"),
    /** Registered, and a challenge was answered. */
    CONNECTED("nothing to do"),
    /** Between two attempts. */
    WAITING("nothing to do; it tries again by itself. If it lasts, check the network and coordinator.url"),
    /** The coordinator answered the handshake with 401 or 403. */
    UNAUTHORIZED("the coordinator does not let this node in: check coordinator.url, then run: darkbloom-agent login"),
    /** The coordinator answered the handshake with 426: it speaks a newer protocol only. */
    OUTDATED("the coordinator asks for a newer agent: update darkbloom-agent"),
    /** The coordinator answered the handshake with something that is no WebSocket. */
    NOT_A_COORDINATOR("nothing that speaks the provider protocol answers there: check coordinator.url"),
    /** Its certificate does not prove that it is the coordinator. */
    UNTRUSTED("the coordinator's certificate does not fit its name or is signed by nobody known here: check coordinator.url and the clock"),
    /** The proxy asks for a login, or does not let the connection through. */
    PROXY_REFUSED("the proxy does not let this node through: check HTTPS_PROXY, ALL_PROXY and NO_PROXY"),
    /** Something on this machine that is told at registration cannot be had, for instance a file of its own is damaged. */
    NOT_SET_UP("something of this machine's own keeps it from registering: mend what is named, or see the log"),
    /** Another connection with this machine's serial number took its place, twice. */
    REPLACED("another agent is connected for this machine: stop it, then restart this one"),
    /** What runs is being finished, nothing new is taken. */
    DRAINING("nothing to do; what runs is being finished, nothing new is taken"),
    /** Ended for good. */
    STOPPED("start it: darkbloom-agent start");

    private final String advice;

    LinkState(String advice) {
        this.advice = advice;
    }

    /** Returns what its owner should do. */
    public String advice() {
        return advice;
    }

    /** Returns the state as {@code status} prints it: {@code not-a-coordinator}. */
    public String word() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Returns whether frames go back and forth. */
    public boolean isOpen() {
        return this == REGISTERED || this == CONNECTED || this == DRAINING;
    }
}
