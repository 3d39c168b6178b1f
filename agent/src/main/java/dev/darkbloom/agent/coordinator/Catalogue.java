package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.coordinator.CoordinatorHttp.Answer;
import dev.darkbloom.agent.coordinator.CoordinatorHttp.FileAnswer;
import dev.darkbloom.agent.models.builds.BuildManifest;
import dev.darkbloom.agent.models.builds.BuildSource;
import dev.darkbloom.agent.protocol.CatalogueList;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A coordinator's catalogue: which models it routes, and where the files of their builds are (provider protocol, 16).
 *
 * <p>Any thread; calls block. Coordinators of April 2026 have the list and no manifests.
 */
public final class Catalogue implements BuildSource, AutoCloseable {
    private static final int MOST_REDIRECTS = 5;
    /** Silence within a file after which another attempt is made. */
    private static final Duration STALL = Duration.ofSeconds(60);

    private final CoordinatorHttp http;
    private final Optional<String> filesUrl;
    private final Duration stall;

    /**
     * Takes {@code http}.
     *
     * @param filesUrl where files are; empty for the coordinator's own address
     */
    public Catalogue(CoordinatorHttp http, Optional<String> filesUrl) {
        this(http, filesUrl, STALL);
    }

    Catalogue(CoordinatorHttp http, Optional<String> filesUrl, Duration stall) {
        this.http = http;
        this.filesUrl = filesUrl;
        this.stall = stall;
    }

    /** Returns the address of the coordinator whose catalogue it is. */
    public CoordinatorAddress address() {
        return http.address();
    }

    /**
     * Returns the models that the coordinator routes.
     *
     * @throws AgentException {@code COORDINATOR_UNREACHABLE} when there is no answer, or none that is a catalogue
     */
    public List<CatalogueList.Entry> list() throws InterruptedException {
        Answer answer = http.get("/v1/models/catalog");
        CatalogueList found = Optional.of(answer).filter(Answer::isOk).flatMap(page -> CatalogueList.parse(page.body()))
                .orElseThrow(() -> new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, address() + " has no catalogue (HTTP " + answer.status() + ")"));
        return found.entries().stream().map(one -> new CatalogueList.Entry(plain(one.id()), plain(one.name()), plain(one.type()), one.sizeGb(),
                one.leastMemoryGb())).toList();
    }

    private static String plain(String theirs) {
        return LinkEnd.plain(theirs);
    }

    /**
     * Returns what a build consists of.
     *
     * @throws AgentException {@code BUILD_MISSING} when the catalogue has no manifest of it, {@code BUILD_INVALID}, {@code
     *     COORDINATOR_UNREACHABLE}
     */
    public BuildManifest manifest(String buildId) throws InterruptedException {
        Answer answer = http.get("/v1/models/catalog/manifest/" + encode(buildId));
        if (answer.status() == 404 || answer.status() == 410) {
            throw new AgentException(ErrorCode.BUILD_MISSING, "the catalogue has no manifest of " + plain(buildId));
        }
        if (!answer.isOk()) {
            throw new AgentException(ErrorCode.COORDINATOR_UNREACHABLE, "the catalogue did not answer (HTTP " + answer.status() + ")");
        }
        if (answer.body().length() > BuildManifest.MOST_BYTES) {
            throw new AgentException(ErrorCode.BUILD_INVALID, "the catalogue's manifest cannot be used: it is longer than "
                    + BuildManifest.MOST_BYTES + " bytes");
        }
        return BuildManifest.parse(buildId, answer.body());
    }

    @Override
    public Opened open(String path, long offset) throws IOException, InterruptedException {
        URI at = address(path);
        for (int hops = 0; hops <= MOST_REDIRECTS; hops++) {
            FileAnswer answer = begin(at, offset);
            switch (answer.status()) {
                case 200 -> {
                    return new Opened(answer.body(), 0);
                }
                case 206 -> {
                    if (answer.contentRange().filter(range -> range.startsWith("bytes " + offset + "-")).isEmpty()) {
                        answer.body().close();
                        throw new IOException("the server sent another part than was asked for");
                    }
                    return new Opened(answer.body(), offset);
                }
                case 301, 302, 303, 307, 308 -> {
                    answer.body().close();
                    at = redirected(at, answer.location());
                }
                case 416 -> { // there is no such byte: what we have is not of this file
                    answer.body().close();
                    if (offset == 0) {
                        throw refused(answer.status());
                    }
                    return open(path, 0);
                }
                case 408, 425, 429 -> {
                    answer.body().close();
                    throw new IOException("HTTP " + answer.status());
                }
                default -> {
                    answer.body().close();
                    if (answer.status() >= 500) {
                        throw new IOException("HTTP " + answer.status());
                    }
                    throw refused(answer.status());
                }
            }
        }
        throw new IOException("more than " + MOST_REDIRECTS + " redirections");
    }

    private FileAnswer begin(URI at, long offset) throws IOException, InterruptedException {
        try {
            return http.file(at, offset, stall);
        } catch (AgentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static AgentException refused(int status) {
        return new AgentException(ErrorCode.DOWNLOAD_FAILED, "a file of the build cannot be had (HTTP " + status + ")");
    }

    private static URI redirected(URI from, Optional<String> location) throws IOException {
        URI to;
        try {
            to = from.resolve(location.orElse(""));
        } catch (IllegalArgumentException e) {
            throw new IOException("redirected to what is no address", e);
        }
        boolean isHttp = "https".equalsIgnoreCase(to.getScheme()) || "http".equalsIgnoreCase(to.getScheme());
        boolean isInward = to.getHost() != null && isInward(from.getHost(), to.getHost());
        boolean isDown = "https".equalsIgnoreCase(from.getScheme()) && !"https".equalsIgnoreCase(to.getScheme());
        if (location.isEmpty() || !isHttp || isDown || isInward || to.getHost() == null) {
            throw new AgentException(ErrorCode.DOWNLOAD_FAILED, "a file of the build is redirected to where this agent does not go");
        }
        return to;
    }

    /** Whether a server outside sends into this network. */
    static boolean isInward(String from, String to) {
        return isWithin(to) && !isWithin(from);
    }

    /** Whether a host is this machine or in its own network, by its name or literal address. */
    private static boolean isWithin(String host) {
        String plain = host.startsWith("[") ? host.substring(1, host.length() - 1) : host.toLowerCase(Locale.ROOT);
        if (plain.equals("localhost") || plain.endsWith(".localhost") || plain.endsWith(".local")) {
            return true;
        }
        if (plain.indexOf(':') < 0 && !plain.chars().allMatch(c -> c == '.' || c >= '0' && c <= '9')) {
            return false;
        }
        try {
            InetAddress address = InetAddress.getByName(plain); // a literal: no name server is asked
            return address.isLoopbackAddress() || address.isAnyLocalAddress() || address.isLinkLocalAddress() || address.isSiteLocalAddress();
        } catch (UnknownHostException e) {
            return true;
        }
    }

    private URI address(String path) {
        var encoded = new StringBuilder();
        for (String part : path.split("/")) {
            encoded.append('/').append(encode(part));
        }
        if (filesUrl.isEmpty()) {
            return http.address().http(encoded.toString());
        }
        try {
            URI uri = URI.create(filesUrl.get().replaceAll("/+$", "") + encoded);
            if (uri.getHost() != null && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))) {
                return uri;
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, "coordinator.files_url", "coordinator.files_url is no http or https address");
    }

    /** Of a part of a path; {@link URLEncoder} writes forms, where a space is a plus. */
    private static String encode(String part) {
        return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public void close() {
        http.close();
    }
}
