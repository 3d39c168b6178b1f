package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A coordinator's HTTP API, for the few small calls that a node and its owner make: account, catalogue, public list.
 *
 * <p>Any thread; every call blocks. It goes the way that the socket goes, by the same proxy and with the same authorities. Redirects are not
 * followed.
 */
public final class CoordinatorHttp implements AutoCloseable {
    /** Longest time for one call, its answer included. */
    public static final Duration LIMIT = Duration.ofSeconds(15);
    /** Largest answer taken. */
    static final int MOST_BYTES = 8 << 20;
    private static final Duration LONGEST_FILE = Duration.ofDays(30);
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

    private final CoordinatorRoute route;
    private final EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, CoordinatorHttp::thread, NioIoHandler.newFactory());

    /** An answer. Its headers' names are in small letters. */
    public record Answer(int status, Map<String, String> headers, String body) {
        public boolean isOk() {
            return status >= 200 && status < 300;
        }

        /** Returns the first value of a header, whose name is in small letters. */
        public Optional<String> header(String name) {
            return Optional.ofNullable(headers.get(name));
        }
    }

    /** Opens nothing yet. */
    public CoordinatorHttp(CoordinatorRoute route) {
        this.route = route;
    }

    private static Thread thread(Runnable task) {
        var made = new FastThreadLocalThread(task, "coordinator-http");
        made.setDaemon(true);
        return made;
    }

    /** Returns the coordinator's. */
    public CoordinatorAddress address() {
        return route.address();
    }

    /**
     * Asks for a page.
     *
     * @param path begins with a slash
     * @throws AgentException {@code COORDINATOR_UNREACHABLE} when no answer comes
     */
    public Answer get(String path) throws InterruptedException {
        return send(HttpMethod.GET, path, "");
    }

    /** Posts a JSON text; as {@link #get}. */
    public Answer post(String path, String json) throws InterruptedException {
        return send(HttpMethod.POST, path, json);
    }

    private Answer send(HttpMethod method, String path, String json) throws InterruptedException {
        try (HttpCall call = HttpCall.begin(route, method, route.address().http(path), json, Map.of(), HttpCall.Limits.of(LIMIT), loop)) {
            HttpCall.Head head = call.head();
            byte[] bytes = call.body().readNBytes(MOST_BYTES + 1);
            if (bytes.length > MOST_BYTES) {
                throw new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "the coordinator's answer is longer than " + MOST_BYTES + " bytes");
            }
            return new Answer(head.status(), head.headers(), new String(bytes, StandardCharsets.UTF_8));
        } catch (InterruptedIOException e) {
            throw (InterruptedException) new InterruptedException("interrupted while an answer came").initCause(e);
        } catch (IOException e) {
            throw new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "no whole answer from " + route.address().http("") + ": " + e.getMessage(), e);
        }
    }

    /**
     * Sends a request whose answer comes line by line, as server-sent events do.
     *
     * @param authorization the whole header's secret part, after {@code Bearer}
     * @param limit for all of it
     * @return status, headers and lines; the caller closes the lines, which throw {@link UncheckedIOException} where the answer breaks off
     * @throws AgentException {@code COORDINATOR_UNREACHABLE} when no answer begins
     */
    public LineAnswer stream(String path, String json, Redacted authorization, Map<String, String> headers, Duration limit)
            throws InterruptedException {
        var all = new TreeMap<>(headers);
        all.put("Authorization", "Bearer " + authorization.reveal());
        HttpCall call = HttpCall.begin(route, HttpMethod.POST, route.address().http(path), json, all, HttpCall.Limits.of(limit), loop);
        try {
            HttpCall.Head head = call.head();
            var lines = new BufferedReader(new InputStreamReader(call.body(), StandardCharsets.UTF_8)).lines().onClose(call::close);
            return new LineAnswer(head.status(), head.headers(), lines);
        } catch (Throwable t) {
            call.close();
            throw t;
        }
    }

    /**
     * Begins to read a file, wherever it is; nothing that says who we are goes with it.
     *
     * @param offset byte to begin at
     * @param stall longest silence, before the answer and within it
     * @return the answer whatever its status; the caller closes its body
     * @throws AgentException {@code COORDINATOR_UNREACHABLE} when none begins
     */
    FileAnswer file(URI uri, long offset, Duration stall) throws InterruptedException {
        Map<String, String> headers = offset > 0 ? Map.of("range", "bytes=" + offset + "-") : Map.of();
        CoordinatorRoute way = route.to(CoordinatorAddress.of(uri));
        HttpCall call = HttpCall.begin(way, HttpMethod.GET, uri, "", headers, new HttpCall.Limits(LONGEST_FILE, stall), loop);
        try {
            HttpCall.Head head = call.head();
            return new FileAnswer(head.status(), Optional.ofNullable(head.headers().get("location")),
                    Optional.ofNullable(head.headers().get("content-range")), call.body());
        } catch (Throwable t) {
            call.close();
            throw t;
        }
    }

    /** The beginning of a file. */
    record FileAnswer(int status, Optional<String> location, Optional<String> contentRange, InputStream body) {}

    /** An answer that is read line by line. */
    public record LineAnswer(int status, Map<String, String> headers, Stream<String> lines) implements AutoCloseable {
        @Override
        public void close() {
            lines.close();
        }
    }

    /** Ends what still runs. */
    @Override
    public void close() {
        loop.shutdownGracefully(0, CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS).awaitUninterruptibly();
    }
}
