package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.coordinator.Catalogue;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.coordinator.CoordinatorRoute;
import dev.darkbloom.agent.coordinator.NodeModels;
import dev.darkbloom.agent.coordinator.Offering;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.EngineSettings;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.models.builds.BuildFetch;
import dev.darkbloom.agent.models.builds.BuildStore;
import dev.darkbloom.agent.models.builds.FetchedBuild;
import dev.darkbloom.agent.protocol.AgentMessage;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import dev.darkbloom.agent.protocol.OfferedModel;
import dev.darkbloom.agent.service.builds.BuildDownloads;
import dev.darkbloom.agent.service.builds.Download;
import dev.darkbloom.agent.testing.Builds;
import dev.darkbloom.agent.testing.FakeOpener;
import dev.darkbloom.agent.testing.TinyModels;
import dev.darkbloom.agent.testing.coordinator.FilePeer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Builds that a coordinator wants, from its word to a model that serves: real files over HTTP, an engine over fakes. */
@Timeout(60)
class OfferedModelsTest {
    private static final Machine MACHINE = new Machine("test", 16L << 30, 4, 4);

    @TempDir
    Path folder;

    private final FilePeer peer = FilePeer.open();
    private final FakeOpener opener = new FakeOpener();
    private final RecordingOffering offering = new RecordingOffering();
    private final AtomicLong ticks = new AtomicLong();
    private MemoryLedger ledger;
    private Engine engine;
    private ServedModels served;
    private BuildStore store;
    private OfferedModels models;

    /** Agrees to every switch, until it is told not to. */
    private static final class RecordingOffering implements Offering {
        final List<List<String>> switches = new CopyOnWriteArrayList<>();
        volatile int changes;
        volatile boolean agrees = true;
        volatile int asked;
        volatile Runnable beforeChange = () -> { };

        @Override
        public void offersChanged() {
            changes++;
        }

        @Override
        public boolean replace(AgentMessage.ModelsUpdate after, Duration patience, Change change) throws InterruptedException {
            asked++;
            if (!agrees) {
                return false;
            }
            beforeChange.run();
            change.make();
            switches.add(after.models().stream().map(OfferedModel::id).toList());
            return true;
        }
    }

    private static final class RecordedNews implements NodeModels.PrefetchNews {
        final List<String> all = new CopyOnWriteArrayList<>();
        private final CountDownLatch over = new CountDownLatch(1);

        @Override
        public void downloading(long bytesDone, long bytesTotal) {
            if (all.isEmpty()) {
                all.add("downloading");
            }
        }

        @Override
        public void verified() {
            all.add("verified");
            over.countDown();
        }

        @Override
        public void failed(String why) {
            all.add(why);
            over.countDown();
        }

        List<String> untilOver() throws InterruptedException {
            over.await();
            return all;
        }
    }

    @BeforeEach
    void open() {
        start(Long.MAX_VALUE, true);
    }

    private void start(long budgetBytes, boolean downloads) {
        TinyModels.llama(1).write(folder.resolve("own.gguf"));
        AgentHome home = new AgentHome(folder.resolve("home"), folder.resolve("cache")).create();
        AgentConfig config = AgentConfig.of(ConfigValues.DEFAULTS);
        ledger = new MemoryLedger(budgetBytes);
        engine = Engine.open(EngineSettings.defaults().withUnloadGrace(Duration.ofSeconds(30)), opener, ledger, NanoClock.SYSTEM);
        served = ServedModels.choose(new ModelCatalog(home, config), List.of(folder.resolve("own.gguf").toString()), false, ConfigValues.DEFAULTS, MACHINE);
        served.list().forEach(model -> engine.register(model.spec(), model.room()));
        store = new BuildStore(home.builds());
        InstantSource wall = () -> Instant.EPOCH.plusSeconds(ticks.incrementAndGet());
        Optional<BuildDownloads> fetching = downloads
                ? Optional.of(BuildDownloads.start(new Catalogue(new CoordinatorHttp(CoordinatorRoute.of(CoordinatorAddress.parse(peer.url()), Map.of(), Optional.empty())), Optional.empty()),
                        new BuildFetch(store, new BuildFetch.Settings(0, Long.MAX_VALUE, 2, Duration.ofMillis(1)), wall)))
                : Optional.empty();
        models = OfferedModels.open(new OfferedModels.Parts(engine, served, new ModelCatalog(home, config)::isOwners, entry -> ServedModel.of(entry, config, MACHINE, true), store, fetching,
                CoordinatorAddress.parse(peer.url()).toString()));
        models.connect(offering);
    }

    @AfterEach
    void close() {
        stop();
        peer.close();
    }

    private void stop() {
        models.close();
        engine.close();
        assertThat(ledger.reservedBytes()).isZero();
    }

    /** Puts a build into the catalogue; returns its aggregate hash. */
    private String offer(String id, long seed) {
        byte[] model = TinyModels.llama(seed).toBytes();
        ObjectNode manifest = Builds.manifest(id, Map.of("m.gguf", model));
        peer.put("/v1/models/catalog/manifest/" + id.replace("/", "%2F"), manifest.toString().getBytes(StandardCharsets.UTF_8));
        peer.put("/" + Builds.prefix(id) + "/m.gguf", model);
        return manifest.path("aggregate_sha256").textValue();
    }

    private String coordinator() {
        return CoordinatorAddress.parse(peer.url()).toString();
    }

    private List<String> offered() {
        return models.offers().stream().map(NodeModels.Offer::id).toList();
    }

    private ModelState state(String id) {
        return engine.models().stream().filter(model -> model.id().equals(id)).findFirst().orElseThrow().state();
    }

    private static DesiredModel target(String name, String build, String previous) {
        return new DesiredModel(name, build, Optional.ofNullable(previous), Optional.empty(), Optional.empty());
    }

    private void awaitOffered(String... ids) {
        await().untilAsserted(() -> assertThat(offered()).containsExactly(ids));
    }

    @Test
    void aBuildThatIsPrefetchedIsOfferedAndLoadsWhenItIsAskedFor() throws Exception {
        offer("org/n", 2);
        var news = new RecordedNews();
        models.prefetch("org/n", 0, news);

        assertThat(news.untilOver()).containsExactly("downloading", "verified");
        assertThat(offered()).containsExactly("own", "org/n");
        assertThat(offering.changes).isEqualTo(1);
        assertThat(state("org/n")).isEqualTo(ModelState.UNLOADED);
        models.load("org/n");
        assertThat(state("org/n")).isEqualTo(ModelState.READY);
        assertThat(models.downloads()).singleElement().satisfies(one -> assertThat(one.state()).isEqualTo(Download.State.DONE));
    }

    @Test
    void whatCannotComeIsSaidInWordsThatNameNothingOfThisMachine() throws Exception {
        for (String[] wanted : new String[][] {{"org/missing", "the catalogue has no such build"}, {"no id", "no such build"}, {"", "no such build"}}) {
            var news = new RecordedNews();
            models.prefetch(wanted[0], 0, news);
            assertThat(news.untilOver()).containsExactly(wanted[1]);
        }
        byte[] rubbish = new byte[4000];
        peer.put("/v1/models/catalog/manifest/bad", Builds.manifest("bad", Map.of("m.gguf", rubbish)).toString().getBytes(StandardCharsets.UTF_8));
        peer.put("/b/bad/m.gguf", rubbish);
        var news = new RecordedNews();
        models.prefetch("bad", 0, news);
        assertThat(news.untilOver()).containsExactly("downloading", "the build holds no GGUF model that can be loaded here");
        assertThat(offered()).containsExactly("own");
    }

    @Test
    void theOwnersModelIsHereAlreadyAndNobodyFetchesIt() throws Exception {
        var news = new RecordedNews();
        models.prefetch("own", 0, news);

        assertThat(news.untilOver()).containsExactly("verified");
        assertThat(peer.requests()).isEmpty();
    }

    @Test
    void anOwnerWhoWantsNoDownloadsGetsNone() throws Exception {
        stop();
        start(Long.MAX_VALUE, false);
        offer("org/n", 2);
        var news = new RecordedNews();
        models.prefetch("org/n", 0, news);
        models.desired(List.of(target("n", "org/n", null)));

        assertThat(news.untilOver()).containsExactly("downloads are switched off here");
        assertThat(peer.requests()).isEmpty();
    }

    @Test
    void aNewBuildTakesOverFromTheOneBeforeWhichGoesWhenNobodyMeansItAnyMore() throws Exception {
        offer("org/n-1", 2);
        offer("org/n-2", 3);
        models.desired(List.of(target("n", "org/n-1", null)));
        awaitOffered("own", "org/n-1");
        models.load("org/n-1");

        models.desired(List.of(target("n", "org/n-2", "org/n-1")));
        awaitOffered("own", "org/n-1", "org/n-2");
        await().untilAsserted(() -> assertThat(state("org/n-2")).as("loaded, since the one before was").isEqualTo(ModelState.READY));
        await().untilAsserted(() -> assertThat(store.aliases(coordinator())).containsEntry("n", "org/n-2"));
        assertThat(offering.switches).isEmpty();

        models.desired(List.of(target("n", "org/n-2", null)));
        awaitOffered("own", "org/n-2");
        assertThat(offering.switches).containsExactly(List.of("own", "org/n-2"));
        await().untilAsserted(() -> assertThat(store.list()).extracting(FetchedBuild::id).containsExactly("org/n-2"));
        assertThat(engine.models()).extracting(status -> status.id()).containsExactly("own", "org/n-2");
    }

    @Test
    void aBuildThatDoesNotLoadTakesNothingOver() throws Exception {
        offer("org/n-1", 2);
        offer("org/n-2", 3);
        models.desired(List.of(target("n", "org/n-1", null)));
        awaitOffered("own", "org/n-1");
        models.load("org/n-1");
        opener.behaviour("org/n-2").failOpen(new AgentException(ErrorCode.MODEL_INVALID, "broken"));

        models.desired(List.of(target("n", "org/n-2", null)));

        await().untilAsserted(() -> assertThat(state("org/n-2")).isEqualTo(ModelState.FAILED));
        models.desired(List.of(target("n", "org/n-2", null)));
        awaitOffered("own", "org/n-1", "org/n-2");
        assertThat(store.aliases(coordinator())).containsEntry("n", "org/n-1");
        assertThat(state("org/n-1")).isEqualTo(ModelState.READY);
        assertThat(offering.switches).isEmpty();
    }

    @Test
    void withoutRoomForTwoTheOneBeforeGivesItsOwnWhileNothingRuns() throws Exception {
        stop();
        start(9_300, true);
        offer("org/n-1", 2);
        offer("org/n-2", 3);
        models.desired(List.of(target("n", "org/n-1", null)));
        awaitOffered("own", "org/n-1");
        models.load("org/n-1");
        long one = ledger.reservedBytes();
        assertThat(2 * one).as("two do not fit").isGreaterThan(ledger.budgetBytes());
        try (ModelLease _ = engine.acquire("org/n-1")) {
            offering.agrees = false;
            models.desired(List.of(target("n", "org/n-2", "org/n-1")));
            await().untilAsserted(() -> assertThat(engine.models().stream().filter(status -> status.id().equals("org/n-2"))
                    .findFirst().flatMap(status -> status.lastError())).isPresent());
            assertThat(state("org/n-1")).as("held, and nobody agreed to a switch").isEqualTo(ModelState.READY);
        }
        await().untilAsserted(() -> assertThat(offering.asked).isEqualTo(1));
        for (int i = 0; i < 5; i++) {
            models.desired(List.of(target("n", "org/n-2", "org/n-1")));
            models.desired(List.of(target("n", "org/n-2", "org/n-1"), target("o", "org/none" + i, null)));
        }
        await().untilAsserted(() -> assertThat(models.downloads()).extracting(Download::buildId).contains("org/none4"));
        assertThat(offering.asked).as("a switch that was not possible is not tried again at once").isEqualTo(1);
    }

    @Test
    void aDownloadThatNobodyWantsAnyMoreEnds() throws Exception {
        offer("org/n", 2);
        var begun = new CountDownLatch(1);
        peer.next(exchange -> { // the manifest
            byte[] manifest = Builds.manifest("org/n", Map.of("m.gguf", TinyModels.llama(2).toBytes())).toString().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, manifest.length);
            exchange.getResponseBody().write(manifest);
        });
        var hold = new CountDownLatch(1);
        peer.next(exchange -> {
            exchange.sendResponseHeaders(200, 1000);
            exchange.getResponseBody().write(new byte[10]);
            exchange.getResponseBody().flush();
            begun.countDown();
            try {
                hold.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        });
        models.desired(List.of(target("n", "org/n", null)));
        begun.await();

        models.desired(List.of());

        await().untilAsserted(() -> assertThat(models.downloads()).extracting(Download::state).containsExactly(Download.State.CANCELLED));
        hold.countDown();
        assertThat(offered()).containsExactly("own");
    }

    @Test
    void anotherStateThanTheWantedOneIsNotTaken() {
        offer("org/n", 2);
        models.desired(List.of(new DesiredModel("n", "org/n", Optional.empty(), Optional.of("r2"), Optional.of("0".repeat(64)))));

        await().untilAsserted(() -> assertThat(models.downloads()).extracting(Download::state).containsExactly(Download.State.FAILED));
        assertThat(offered()).containsExactly("own");
    }

    @Test
    void anotherStateOfABuildIsExchangedInASwitch() throws Exception {
        offer("org/n", 2);
        models.desired(List.of(target("n", "org/n", null)));
        awaitOffered("own", "org/n");
        models.load("org/n");
        Path before = served.require("org/n").spec().files().getFirst();
        String next = offer("org/n", 5);

        models.desired(List.of(new DesiredModel("n", "org/n", Optional.empty(), Optional.of("r2"), Optional.of(next))));

        await().untilAsserted(() -> assertThat(store.list()).extracting(FetchedBuild::aggregateSha256).containsExactly(next));
        assertThat(offering.switches).containsExactly(List.of("own", "org/n"));
        assertThat(served.require("org/n").spec().files().getFirst()).isNotEqualTo(before);
        assertThat(before).doesNotExist();
        models.load("org/n");
        assertThat(opener.opened().getLast().files()).isEqualTo(served.require("org/n").spec().files());
    }

    @Test
    void theNextRunOffersWhatThisCoordinatorHadFetchedAndNotWhatOthersHad() throws Exception {
        offer("org/n", 2);
        var news = new RecordedNews();
        models.prefetch("org/n", 0, news);
        news.untilOver();
        store.remember(coordinator(), Map.of("n", "org/n"));
        stop();

        start(Long.MAX_VALUE, true);
        assertThat(offered()).containsExactly("own", "org/n");
        assertThat(state("org/n")).isEqualTo(ModelState.UNLOADED);
        AgentHome home = new AgentHome(folder.resolve("home"), folder.resolve("cache"));
        var catalog = new ModelCatalog(home, AgentConfig.of(ConfigValues.DEFAULTS));
        assertThat(catalog.find("n").id()).as("by its name in the catalogue").isEqualTo("org/n");
        assertThat(catalog.list()).extracting(entry -> entry.id()).contains("org/n");
        stop();

        try (FilePeer other = FilePeer.open()) {
            start(Long.MAX_VALUE, true);
            models.close();
            models = OfferedModels.open(new OfferedModels.Parts(engine, withoutBuilds(), catalog::isOwners, entry -> ServedModel.of(entry,
                    AgentConfig.of(ConfigValues.DEFAULTS), MACHINE, true), store, Optional.of(BuildDownloads.start(
                    new Catalogue(new CoordinatorHttp(CoordinatorRoute.of(CoordinatorAddress.parse(other.url()), Map.of(), Optional.empty())), Optional.empty()),
                    new BuildFetch(store, BuildFetch.Settings.of(0, Long.MAX_VALUE), InstantSource.system()))), CoordinatorAddress.parse(other.url()).toString()));
            assertThat(offered()).containsExactly("own");
        }
        assertThat(catalog.remove("org/n")).isTrue();
        assertThat(catalog.remove("org/n")).isFalse();
    }

    private ServedModels withoutBuilds() {
        served.remove("org/n");
        return served;
    }

    @Test
    void noRoomForTwoMeansASwitchInWhichTheOneBeforeGivesItsOwn() throws Exception {
        stop();
        start(9_300, true);
        offer("org/n-1", 2);
        offer("org/n-2", 3);
        models.desired(List.of(target("n", "org/n-1", null)));
        awaitOffered("own", "org/n-1");
        models.load("org/n-1");
        ModelLease held = engine.acquire("org/n-1");
        offering.beforeChange = held::close;

        models.desired(List.of(target("n", "org/n-2", "org/n-1")));

        await().untilAsserted(() -> assertThat(state("org/n-2")).isEqualTo(ModelState.READY));
        assertThat(state("org/n-1")).isEqualTo(ModelState.UNLOADED);
    }

    @Test
    void namesOfTheOwnersFilesAreNotTheCoordinatorsToGive() throws Exception {
        AgentHome home = new AgentHome(folder.resolve("home"), folder.resolve("cache"));
        Path mine = TinyModels.llama(9).write(home.models().resolve("mine.gguf"));
        offer("mine", 2);
        offer("org/n", 3);
        var refused = new RecordedNews();
        models.prefetch("mine", 0, refused);
        assertThat(refused.untilOver()).containsExactly("this id is taken here");
        models.desired(List.of(target("mine", "org/n", null), target("x", "mine", null), target("/abs", "org/n", null), target("n", "/abs", null)));
        awaitOffered("own", "org/n");
        await().untilAsserted(() -> assertThat(store.aliases(coordinator())).containsEntry("mine", "org/n"));

        var catalog = new ModelCatalog(home, AgentConfig.of(ConfigValues.DEFAULTS));
        assertThat(catalog.find("mine").files()).containsExactly(mine);
        assertThat(catalog.find(mine.toString()).files()).containsExactly(mine);
        assertThat(store.list()).extracting(FetchedBuild::id).containsExactly("org/n");
        assertThat(store.aliases(coordinator())).doesNotContainKey("/abs");
    }

    @Test
    void whatTheOwnerOrAnotherCoordinatorFetchedIsNotTheCoordinatorsToDelete() throws Exception {
        offer("org/owners", 2);
        offer("org/others", 3);
        offer("org/n", 4);
        try (var http = new CoordinatorHttp(CoordinatorRoute.of(CoordinatorAddress.parse(peer.url()), Map.of(), Optional.empty()));
                Catalogue catalogue = new Catalogue(http, Optional.empty())) {
            var fetch = new BuildFetch(store, BuildFetch.Settings.of(0, Long.MAX_VALUE), InstantSource.system());
            fetch.run(catalogue.manifest("org/owners"), coordinator(), true, catalogue, (_, _) -> { });
            fetch.run(catalogue.manifest("org/others"), "wss://other.example/ws/provider", false, catalogue, (_, _) -> { });
        }
        models.desired(List.of(target("a", "org/n", "org/owners"), target("b", "org/n", "org/others")));
        awaitOffered("own", "org/n");
        models.desired(List.of(target("a", "org/n", null), target("b", "org/n", null)));
        models.desired(List.of());
        models.close(); // whatever it had to do is done, or never will be

        assertThat(store.list()).extracting(FetchedBuild::id).containsExactly("org/n", "org/others", "org/owners");
        assertThat(offering.switches).isEmpty();
    }

    @Test
    void listsOfAnyKindAreSurvived() {
        var many = new ArrayList<DesiredModel>();
        many.add(new DesiredModel(null, null, Optional.empty(), Optional.empty(), Optional.empty()));
        for (int i = 0; i < 1000; i++) {
            many.add(target("name" + i, "build" + i, null));
        }
        models.desired(many);
        models.desired(List.of());

        await().untilAsserted(() -> assertThat(models.downloads()).allMatch(one -> one.state() == Download.State.CANCELLED
                || one.state() == Download.State.FAILED));
        assertThat(offered()).containsExactly("own");
    }
}
