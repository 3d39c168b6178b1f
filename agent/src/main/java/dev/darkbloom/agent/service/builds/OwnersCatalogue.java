package dev.darkbloom.agent.service.builds;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.coordinator.Catalogue;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.coordinator.CoordinatorRoute;
import dev.darkbloom.agent.models.builds.BuildFetch;
import dev.darkbloom.agent.models.builds.BuildManifest;
import dev.darkbloom.agent.models.builds.BuildStore;
import dev.darkbloom.agent.models.builds.FetchedBuild;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** A coordinator's catalogue as the machine's owner looks into it. Belongs to one thread; calls block. */
public final class OwnersCatalogue implements AutoCloseable {
    private final Catalogue catalogue;
    private final BuildStore store;
    private final Set<String> bound;
    private final BuildFetch fetch;

    /**
     * One model of the catalogue.
     *
     * @param name for people; may be empty
     * @param sizeGb of the weights that the coordinator counts with; 0 when it does not say
     * @param leastMemoryGb memory of the machines that it should run on; 0 when it does not say
     * @param here {@code bound} to a file, {@code fetched}, or empty
     */
    public record Row(String id, String name, String type, double sizeGb, long leastMemoryGb, String here) {}

    private OwnersCatalogue(Catalogue catalogue, BuildStore store, Set<String> bound, BuildFetch fetch) {
        this.catalogue = catalogue;
        this.store = store;
        this.bound = bound;
        this.fetch = fetch;
    }

    /**
     * Opens the catalogue of the coordinator that is named, or else of the one in the settings.
     *
     * @throws AgentException {@code COORDINATOR_MISSING} where neither names one
     */
    public static OwnersCatalogue open(Optional<String> url, AgentConfig config, AgentHome home, Map<String, String> environment) {
        String text = url.or(() -> config.coordinator().url())
                .orElseThrow(() -> new AgentException(ErrorCode.COORDINATOR_MISSING, "no coordinator is set, and none is built in"));
        var store = new BuildStore(home.builds());
        AgentConfig.Downloads downloads = config.coordinator().downloads();
        return new OwnersCatalogue(
                new Catalogue(new CoordinatorHttp(CoordinatorRoute.of(CoordinatorAddress.parse(text), environment,
                        config.coordinator().caFile())), downloads.filesUrl()),
                store,
                config.models().entrySet().stream().filter(model -> model.getValue().path().isPresent()).map(Map.Entry::getKey)
                        .collect(Collectors.toSet()),
                new BuildFetch(store, BuildFetch.Settings.of(downloads.diskReserve().bytes(), downloads.quota().bytes()), InstantSource.system()));
    }

    /** Returns the models of the catalogue, as it lists them. */
    public List<Row> list() throws InterruptedException {
        Set<String> fetched = store.list().stream().map(FetchedBuild::id).collect(Collectors.toSet());
        return catalogue.list().stream().map(model -> new Row(model.id(), model.name(), model.type(), model.sizeGb(), model.leastMemoryGb(),
                bound.contains(model.id()) ? "bound" : fetched.contains(model.id()) ? "fetched" : "")).toList();
    }

    /**
     * Fetches a build, going on where an earlier attempt ended.
     *
     * @throws AgentException {@code BUILD_MISSING}, {@code BUILD_INVALID}, {@code DISK_FULL}, {@code DOWNLOAD_FAILED}, {@code
     *     COORDINATOR_UNREACHABLE}
     */
    public FetchedBuild download(String buildId, BuildFetch.Progress progress) throws InterruptedException {
        BuildManifest manifest = catalogue.manifest(buildId);
        progress.at(0, manifest.modelBytes());
        return fetch.run(manifest, catalogue.address().toString(), true, catalogue, progress);
    }

    /** Returns rows as a JSON array; names are stable and carry their unit. */
    public static String toJson(List<Row> rows) {
        var array = JsonNodeFactory.instance.arrayNode();
        rows.forEach(row -> array.addObject().put("id", row.id()).put("name", row.name()).put("type", row.type()).put("size_gb", row.sizeGb())
                .put("least_memory_gb", row.leastMemoryGb()).put("here", row.here()));
        return array.toPrettyString();
    }

    @Override
    public void close() {
        catalogue.close();
    }
}
