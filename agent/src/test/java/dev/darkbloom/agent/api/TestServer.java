package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.Redacted;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/** An endpoint on a free loopback port, over a runner of the test's. */
final class TestServer implements AutoCloseable {
    static final String KEY = "dk-local-test";

    final FakeModels models = new FakeModels();
    final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    final ApiServer server;
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private TestServer(ApiSettings settings, RequestRunner runner, PropsSource props) {
        server = ApiServer.open(settings, new ApiServices(runner, models, ModelCards.NONE, props, registry));
    }

    static TestServer open(RequestRunner runner) {
        return open(ApiLimits.DEFAULT, runner);
    }

    static TestServer open(ApiLimits limits, RequestRunner runner) {
        return new TestServer(settings(limits), runner, PropsSource.NONE);
    }

    static TestServer open(ApiSettings settings, RequestRunner runner, PropsSource props) {
        return new TestServer(settings, runner, props);
    }

    static ApiSettings settings(ApiLimits limits) {
        return new ApiSettings("127.0.0.1", 0, Optional.of(new Redacted(KEY)), Set.of(), limits);
    }

    /** Returns a request with the key. */
    HttpRequest.Builder request(String path) {
        return anonymous(path).header("Authorization", "Bearer " + KEY);
    }

    HttpRequest.Builder anonymous(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path)).timeout(Duration.ofSeconds(20));
    }

    HttpResponse<String> send(HttpRequest.Builder request) {
        try {
            return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    HttpResponse<String> get(String path) {
        return send(request(path));
    }

    HttpResponse<String> post(String path, String body) {
        return send(request(path).POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    RawConnection connect() {
        return RawConnection.to(server.port());
    }

    @Override
    public void close() {
        client.close();
        server.close();
    }
}
