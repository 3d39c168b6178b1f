package dev.darkbloom.agent.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.models.builds.BuildSource;
import dev.darkbloom.agent.protocol.CatalogueList;
import dev.darkbloom.agent.testing.Builds;
import dev.darkbloom.agent.testing.coordinator.FilePeer;
import dev.darkbloom.agent.testing.coordinator.HttpPeer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CatalogueTest {
    private static final String FILE = "/b/org-m/a%20b.gguf";

    private final HttpPeer coordinator = HttpPeer.open();
    private final FilePeer files = FilePeer.open();
    private final Catalogue catalogue = catalogue(Optional.of(files.url() + "/"), Duration.ofSeconds(30));

    private Catalogue catalogue(Optional<String> filesUrl, Duration stall) {
        return new Catalogue(new CoordinatorHttp(CoordinatorRoute.of(CoordinatorAddress.parse("http://127.0.0.1:" + coordinator.port()), Map.of(), Optional.empty())), filesUrl, stall);
    }

    @AfterEach
    void close() {
        catalogue.close();
        coordinator.close();
        files.close();
    }

    private String read(String path, long offset) throws IOException, InterruptedException {
        try (BuildSource.Opened opened = catalogue.open(path, offset)) {
            return opened.offset() + ":" + new String(opened.body().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void theListIsReadAsTheServerOfAprilWritesIt() throws Exception {
        coordinator.answer("/v1/models/catalog", 200, """
                {"models":[{"id":"org/m-8bit","s3_name":"m","display_name":"M","architecture":"x","description":"d","model_type":"text",
                 "size_gb":27.5,"min_ram_gb":36,"active":true,"weight_hash":""},{"id":"n"},{"display_name":"without an id"}]}""");

        assertThat(catalogue.list()).containsExactly(new CatalogueList.Entry("org/m-8bit", "M", "text", 27.5, 36), new CatalogueList.Entry("n", "", "", 0, 0));
    }

    @Test
    void whatIsNoCatalogueIsSaid() {
        coordinator.answer("/v1/models/catalog", 200, "<html>");
        coordinator.answer("/v1/models/catalog", 503, "{}");

        assertThatThrownBy(catalogue::list).hasMessageContaining("has no catalogue (HTTP 200)");
        assertThatThrownBy(catalogue::list).hasMessageContaining("has no catalogue (HTTP 503)");
    }

    @Test
    void aManifestIsAskedForByItsIdWhateverItHolds() throws Exception {
        coordinator.answer("/v1/models/catalog/manifest/org/m.1 x", 200, Builds.manifest("org/m.1 x", Map.of("m.gguf", new byte[3])).toString());

        assertThat(catalogue.manifest("org/m.1 x").modelBytes()).isEqualTo(3);
        assertThat(coordinator.requests()).containsExactly("GET /v1/models/catalog/manifest/org%2Fm.1%20x ");
    }

    @Test
    void aManifestThatIsNotThereIsAnotherThingThanNoAnswer() {
        coordinator.answer("/v1/models/catalog/manifest/n", 500, "{}");

        assertThatThrownBy(() -> catalogue.manifest("m"))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.BUILD_MISSING));
        assertThatThrownBy(() -> catalogue.manifest("n"))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.COORDINATOR_UNREACHABLE));
    }

    @Test
    void aFileIsReadFromAByteOn() throws Exception {
        files.put(FILE, "0123456789".getBytes(StandardCharsets.UTF_8));

        assertThat(read("b/org-m/a b.gguf", 0)).isEqualTo("0:0123456789");
        assertThat(read("b/org-m/a b.gguf", 4)).isEqualTo("4:456789");
        assertThat(files.requests()).containsExactly(FILE, FILE + " bytes=4-");
    }

    @Test
    void filesLieAtTheCoordinatorWhereNothingElseIsSet() throws Exception {
        coordinator.answer("/b/m.gguf", 200, "abc");
        try (Catalogue other = catalogue(Optional.empty(), Duration.ofSeconds(30)); var opened = other.open("b/m.gguf", 0)) {
            assertThat(opened.body().readAllBytes()).asString().isEqualTo("abc");
        }
    }

    @Test
    void anOffsetBeyondTheFileBeginsAgain() throws Exception {
        files.put(FILE, "0123".getBytes(StandardCharsets.UTF_8));

        assertThat(read("b/org-m/a b.gguf", 4)).isEqualTo("0:0123");
    }

    @Test
    void anotherPartThanWasAskedForIsNotTaken() {
        files.next(exchange -> {
            exchange.getResponseHeaders().add("Content-Range", "bytes 3-4/10");
            exchange.sendResponseHeaders(206, 2);
            exchange.getResponseBody().write(new byte[2]);
        });

        assertThatThrownBy(() -> read("b/m.gguf", 4)).isInstanceOf(IOException.class).hasMessageContaining("another part");
    }

    @Test
    void redirectionsAreFollowedWithTheirRangeButNotForEver() throws Exception {
        files.put("/there", "0123456789".getBytes(StandardCharsets.UTF_8));
        redirect("/there");
        assertThat(read("b/m.gguf", 8)).isEqualTo("8:89");

        for (int i = 0; i < 10; i++) {
            redirect("/b/m.gguf");
        }
        assertThatThrownBy(() -> read("b/m.gguf", 0)).isInstanceOf(IOException.class).hasMessageContaining("redirections");
    }

    @Test
    void aRedirectionToWhatIsNoHttpIsRefused() {
        redirect("file:///etc/passwd");

        assertThatThrownBy(() -> read("b/m.gguf", 0))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DOWNLOAD_FAILED));
    }

    @Test
    void aServerOutsideSendsNobodyIntoThisNetwork() {
        // The server that redirects is on this machine, which may lead to this machine.
        assertThat(Catalogue.isInward("models.example", "127.0.0.1")).isTrue();
        assertThat(Catalogue.isInward("models.example", "[::1]")).isTrue();
        assertThat(Catalogue.isInward("models.example", "169.254.169.254")).isTrue();
        assertThat(Catalogue.isInward("models.example", "192.168.1.1")).isTrue();
        assertThat(Catalogue.isInward("models.example", "printer.local")).isTrue();
        assertThat(Catalogue.isInward("models.example", "cdn.example")).isFalse();
        assertThat(Catalogue.isInward("models.example", "8.8.8.8")).isFalse();
        assertThat(Catalogue.isInward("127.0.0.1", "localhost")).isFalse();
    }

    private void redirect(String to) {
        files.next(exchange -> {
            exchange.getResponseHeaders().add("Location", to);
            exchange.sendResponseHeaders(302, -1);
        });
    }

    @Test
    void statusesSayWhetherAnotherAttemptMayDoBetter() {
        for (int status : new int[] {500, 503, 429, 408}) {
            files.next(exchange -> exchange.sendResponseHeaders(status, -1));
            assertThatThrownBy(() -> read("b/m.gguf", 0)).as("%d", status).isInstanceOf(IOException.class);
        }
        for (int status : new int[] {400, 401, 403, 404, 410}) {
            files.next(exchange -> exchange.sendResponseHeaders(status, -1));
            assertThatThrownBy(() -> read("b/m.gguf", 0)).as("%d", status).isInstanceOf(AgentException.class).hasMessageContaining("HTTP " + status);
        }
    }

    @Test
    void aBodyThatStopsComingEnds() throws Exception {
        var hold = new CountDownLatch(1);
        files.next(exchange -> {
            exchange.sendResponseHeaders(200, 100);
            exchange.getResponseBody().write(new byte[50]);
            exchange.getResponseBody().flush();
            try {
                hold.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        });
        try (Catalogue impatient = catalogue(Optional.of(files.url()), Duration.ofSeconds(2)); var opened = impatient.open("b/m.gguf", 0)) {
            assertThat(opened.body().readNBytes(50)).hasSize(50);
            assertThatThrownBy(() -> opened.body().read()).isInstanceOf(IOException.class).hasMessageContaining("no answer in time");
        } finally {
            hold.countDown();
        }
    }

    @Test
    void anAddressOfFilesThatIsNoneIsNamed() {
        try (Catalogue wrong = catalogue(Optional.of("ftp://x"), Duration.ofSeconds(1))) {
            assertThatThrownBy(() -> wrong.open("m.gguf", 0)).hasMessageContaining("coordinator.files_url");
        }
    }
}
