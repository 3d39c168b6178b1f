package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.ErrorCode;
import io.netty.handler.codec.DateFormatter;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import java.util.Date;
import java.util.function.BooleanSupplier;

/** Builds the status line and headers of answers. Any thread. */
final class ResponseHeads {
    static final String JSON = "application/json";

    private static final String EVENT_STREAM = "text/event-stream";
    private static final String REQUEST_ID = "X-Request-Id";
    private static final String MESSAGES_REQUEST_ID = "Request-Id";
    private static final String ACCEL_BUFFERING = "X-Accel-Buffering";
    private static final String CHALLENGE = "Bearer";
    private static final String ANY_ORIGIN = "*";

    /** While the agent stops, no connection outlives its answer. */
    private final BooleanSupplier draining;

    ResponseHeads(BooleanSupplier draining) {
        this.draining = draining;
    }

    /** Returns the head of an answer whose length is known. */
    HttpResponse document(Exchange exchange, int status, String contentType, long bytes) {
        HttpResponse head = head(exchange, status, exchange.keepAlive());
        head.headers().set(HttpHeaderNames.CONTENT_TYPE, contentType);
        head.headers().set(HttpHeaderNames.CONTENT_LENGTH, bytes);
        return head;
    }

    /** Returns the head of a stream of events. */
    HttpResponse stream(Exchange exchange) {
        HttpResponse head = head(exchange, 200, exchange.keepAlive() && exchange.takesChunks());
        HttpHeaders headers = head.headers();
        headers.set(HttpHeaderNames.CONTENT_TYPE, EVENT_STREAM);
        headers.set(HttpHeaderNames.CACHE_CONTROL, HttpHeaderValues.NO_CACHE);
        // Proxies of the nginx family collect a response unless told not to.
        headers.set(ACCEL_BUFFERING, "no");
        if (exchange.takesChunks()) {
            headers.set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
        }
        return head;
    }

    /** Returns the head of a refusal. */
    HttpResponse refusal(Exchange exchange, ErrorCode code, String allow, long bytes) {
        HttpResponse head = document(exchange, code.httpStatus(), JSON, bytes);
        HttpHeaders headers = head.headers();
        if (code.httpStatus() == HttpResponseStatus.SERVICE_UNAVAILABLE.code()) {
            headers.set(HttpHeaderNames.RETRY_AFTER, retryAfterSeconds(code));
        }
        if (code == ErrorCode.UNAUTHORIZED) {
            headers.set(HttpHeaderNames.WWW_AUTHENTICATE, CHALLENGE);
            // Not readable by a foreign page: such a page was refused before the key was looked at.
            if (!exchange.hasOrigin()) {
                headers.set(HttpHeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
            }
        }
        if (!allow.isEmpty()) {
            headers.set(HttpHeaderNames.ALLOW, allow);
        }
        return head;
    }

    /** Returns the head of an answer without a body. */
    HttpResponse empty(Exchange exchange, String allow) {
        HttpResponse head = head(exchange, HttpResponseStatus.NO_CONTENT.code(), exchange.keepAlive());
        head.headers().set(HttpHeaderNames.ALLOW, allow);
        return head;
    }

    private HttpResponse head(Exchange exchange, int status, boolean keepAlive) {
        var head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(status));
        HttpHeaders headers = head.headers();
        headers.set(HttpHeaderNames.DATE, DateFormatter.format(new Date()));
        headers.set(REQUEST_ID, exchange.id().value());
        if (exchange.isMessages()) {
            headers.set(MESSAGES_REQUEST_ID, exchange.id().value());
        }
        Cors.mark(headers, exchange.origin());
        // Said to every client, since each version of HTTP reads silence in its own way and the answer itself is always HTTP/1.1.
        boolean stays = keepAlive && !draining.getAsBoolean();
        headers.set(HttpHeaderNames.CONNECTION, stays ? HttpHeaderValues.KEEP_ALIVE : HttpHeaderValues.CLOSE);
        return head;
    }

    /** Returns whether the connection ends with the answer of this head. */
    static boolean closes(HttpResponse head) {
        return head.headers().contains(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE, true);
    }

    /** A slot comes free within an answer's length; memory, a load or a restart takes longer. */
    private static int retryAfterSeconds(ErrorCode code) {
        boolean isQueue = code == ErrorCode.QUEUE_FULL || code == ErrorCode.NO_KV_SPACE || code == ErrorCode.DEADLINE_EXCEEDED;
        return isQueue ? 1 : 5;
    }
}
