package dev.darkbloom.agent.coordinator;

import io.netty.channel.ConnectTimeoutException;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakeException;
import io.netty.handler.proxy.ProxyConnectException;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;

/** What a failure of the transport means. Messages of exceptions are kept out where they quote what was received. */
final class TransportFailure {
    private static final Pattern PROXY_STATUS = Pattern.compile("status: (\\d{3})");

    /** First word of what this room's own handlers say of a connection that was closed too early. */
    static final String CLOSED = "closed";

    private TransportFailure() {}

    /** Returns what {@code cause}, which came up on {@code route}, means. */
    static LinkEnd of(Throwable cause, CoordinatorRoute route) {
        return refusal(cause)
                .or(() -> find(cause, ProxyConnectException.class).map(e -> proxy(e, route)))
                .or(() -> certificate(cause, route))
                .or(() -> tls(cause))
                .or(() -> frame(cause))
                .orElseGet(() -> connection(cause, route));
    }

    private static <T extends Throwable> Optional<T> find(Throwable cause, Class<T> type) {
        for (Throwable at = cause; at != null; at = at.getCause()) {
            if (type.isInstance(at)) {
                return Optional.of(type.cast(at));
            }
        }
        return Optional.empty();
    }

    private static LinkEnd unreachable(String detail) {
        return new LinkEnd(LinkEnd.Kind.UNREACHABLE, detail);
    }

    /** An answer to the handshake that is no WebSocket's. */
    private static Optional<LinkEnd> refusal(Throwable cause) {
        return find(cause, WebSocketClientHandshakeException.class).map(e -> {
            HttpResponse response = e.response();
            if (response == null) {
                return unreachable("no answer to the handshake in time");
            }
            if (response.decoderResult().isFailure()) {
                return new LinkEnd(LinkEnd.Kind.NOT_A_COORDINATOR, "what answers is no web server, or speaks TLS where ws:// was given");
            }
            return LinkEnd.ofStatus(response.status().code(), Optional.ofNullable(response.headers().get(HttpHeaderNames.LOCATION)),
                    Optional.ofNullable(response.headers().get(HttpHeaderNames.RETRY_AFTER)),
                    Optional.ofNullable(response.headers().get(HttpHeaderNames.CONTENT_TYPE)));
        });
    }

    private static LinkEnd proxy(ProxyConnectException e, CoordinatorRoute route) {
        String name = "the proxy " + route.proxy().map(ProxyChoice::toString).orElse("");
        String told = String.valueOf(e.getMessage());
        Matcher status = PROXY_STATUS.matcher(told);
        if (status.find()) {
            return switch (status.group(1)) {
                case "407" -> login(name + " asks for a user and a password (HTTP 407)");
                case "401", "403", "405" -> forbidden(name + " refuses to connect to this coordinator (HTTP " + status.group(1) + ")");
                default -> unreachable(name + " did not connect (HTTP " + status.group(1) + ")");
            };
        }
        if (told.contains("authMethod") || told.contains("authStatus")) {
            return login(name + " asks for a user and a password, or refuses those it was given");
        }
        if (told.contains("FORBIDDEN")) {
            return forbidden(name + " refuses to connect to this coordinator");
        }
        return find(e, ConnectException.class).map(refused -> connection(refused, route))
                .orElseGet(() -> unreachable(name + (told.contains("timeout") ? " did not connect in time" : " did not connect")));
    }

    private static LinkEnd login(String detail) {
        return new LinkEnd(LinkEnd.Kind.PROXY_REFUSED, detail).withRemedy(
                "put the proxy's user and password into its variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, special characters as %XX");
    }

    private static LinkEnd forbidden(String detail) {
        return new LinkEnd(LinkEnd.Kind.PROXY_REFUSED, detail).withRemedy(
                "have the proxy's operator allow the coordinator's host and port, or reach it without one: NO_PROXY");
    }

    private static Optional<LinkEnd> certificate(Throwable cause, CoordinatorRoute route) {
        Optional<CertificateException> outer = find(cause, CertificateException.class);
        if (outer.isEmpty()) {
            return Optional.empty();
        }
        if (find(cause, CertificateExpiredException.class).isPresent()) {
            return untrusted("its certificate has expired", "the coordinator's operator has to renew its certificate; look at this machine's clock, too");
        }
        if (find(cause, CertificateNotYetValidException.class).isPresent()) {
            return untrusted("its certificate is not valid yet", "look at this machine's clock; if it is right, the coordinator's certificate is not");
        }
        if (find(cause, CertPathBuilderException.class).isPresent()) {
            return untrusted("its certificate is signed by nobody known here",
                    "if the coordinator is your own, name its authority: darkbloom-agent config set coordinator.ca_file FILE.pem");
        }
        String told = String.valueOf(outer.get().getMessage()); // the JDK's own words, and names that the certificate holds
        if (told.startsWith("No subject alternative") || told.startsWith("No name matching")) {
            return untrusted("its certificate is for another name than " + route.address().host(),
                    "check coordinator.url: it has to name the coordinator as its certificate does");
        }
        return untrusted("its certificate was not accepted", "the coordinator's operator has to replace its certificate; check coordinator.url, too");
    }

    private static Optional<LinkEnd> untrusted(String detail, String remedy) {
        return Optional.of(new LinkEnd(LinkEnd.Kind.UNTRUSTED, detail).withRemedy(remedy));
    }

    private static Optional<LinkEnd> tls(Throwable cause) {
        if (find(cause, SslHandshakeTimeoutException.class).isPresent()) {
            return Optional.of(unreachable("no TLS handshake in time"));
        }
        if (find(cause, NotSslRecordException.class).isPresent()) {
            return Optional.of(new LinkEnd(LinkEnd.Kind.NOT_A_COORDINATOR, "no TLS is spoken there")
                    .withRemedy("check coordinator.url: wss:// is for TLS, ws:// for none, and the port belongs to one of them"));
        }
        boolean handshake = find(cause, SSLHandshakeException.class).isPresent();
        return find(cause, SSLException.class).filter(_ -> handshake).flatMap(e -> {
            String told = String.valueOf(e.getMessage());
            return told.contains("protocol") ? untrusted("no TLS 1.2 or 1.3 is spoken there", "the coordinator's operator has to allow TLS 1.2 or 1.3")
                    : untrusted("the TLS handshake failed", "check coordinator.url and this machine's clock");
        });
    }

    private static Optional<LinkEnd> frame(Throwable cause) {
        if (find(cause, TooLongFrameException.class).isPresent()) {
            return Optional.of(new LinkEnd(LinkEnd.Kind.VIOLATION, "sent a message that is too long"));
        }
        return find(cause, CorruptedWebSocketFrameException.class)
                .map(_ -> new LinkEnd(LinkEnd.Kind.VIOLATION, "sent what is no WebSocket frame"));
    }

    private static LinkEnd connection(Throwable cause, CoordinatorRoute route) {
        String where = route.proxy().map(proxy -> " to the proxy " + proxy).orElse("");
        return switch (cause) {
            case UnknownHostException _ -> unreachable(where.isEmpty() ? "its name is not known" : "the proxy's name is not known");
            case ConnectTimeoutException _ -> unreachable("no connection" + where + ": timed out");
            case ConnectException e when String.valueOf(e.getMessage()).startsWith(CLOSED) -> unreachable("closed before it answered")
                    .withRemedy("it tries again by itself. If it lasts, check coordinator.url: a server that wants wss:// closes what begins with ws://");
            case ConnectException e -> unreachable("no connection" + where + ": " + briefly(e));
            case IOException _ -> new LinkEnd(LinkEnd.Kind.LOST, "the connection broke");
            default -> new LinkEnd(LinkEnd.Kind.LOST, cause.getClass().getSimpleName());
        };
    }

    private static String briefly(ConnectException cause) {
        String message = String.valueOf(cause.getMessage());
        return message.contains("refused") ? "refused" : message.contains("timed out") ? "timed out" : cause.getClass().getSimpleName();
    }
}
