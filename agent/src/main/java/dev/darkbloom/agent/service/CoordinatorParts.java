package dev.darkbloom.agent.service;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.chat.Completions;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.coordinator.Catalogue;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.coordinator.CoordinatorLink;
import dev.darkbloom.agent.coordinator.CoordinatorRoute;
import dev.darkbloom.agent.coordinator.LinkStatus;
import dev.darkbloom.agent.coordinator.NodeModels;
import dev.darkbloom.agent.coordinator.NodeReport;
import dev.darkbloom.agent.coordinator.TrustFile;
import dev.darkbloom.agent.crypto.BoxKeys;
import dev.darkbloom.agent.crypto.DeviceSigner;
import dev.darkbloom.agent.crypto.SecureEnclaveSigner;
import dev.darkbloom.agent.crypto.SoftwareSigner;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.MemoryLedger;
import dev.darkbloom.agent.hardware.HardwareProbe;
import dev.darkbloom.agent.hardware.HardwareReport;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.hardware.MetricsProbe;
import dev.darkbloom.agent.hardware.MetricsSampler;
import dev.darkbloom.agent.hardware.Posture;
import dev.darkbloom.agent.hardware.PostureProbe;
import dev.darkbloom.agent.hardware.ProcessHardening;
import dev.darkbloom.agent.models.builds.BuildFetch;
import dev.darkbloom.agent.models.builds.BuildStore;
import dev.darkbloom.agent.service.account.AccountToken;
import dev.darkbloom.agent.service.builds.BuildDownloads;
import dev.darkbloom.agent.service.builds.Download;
import dev.darkbloom.agent.service.doctor.Gates;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an agent consists of besides when it serves a coordinator. Any thread. */
final class CoordinatorParts {
    private static final Logger log = LoggerFactory.getLogger(CoordinatorParts.class);
    private static final int SERIAL_LETTERS = 10;

    private final AgentConfig.Coordinator config;
    private final AgentHome home;
    private final Engine engine;
    private final MetricsSampler metrics;
    private final RememberedPosture posture;
    private final OfferedModels models;
    private final long totalMemoryBytes;
    private final String version;
    private final boolean signedInSecureEnclave;
    private final CoordinatorLink link;
    private final TrustFile trusts;

    /** Keeps the last posture, so that {@code status} need not measure. */
    private static final class RememberedPosture implements PostureProbe {
        private final PostureProbe probe;
        private volatile Posture last;

        RememberedPosture(PostureProbe probe) {
            this.probe = probe;
        }

        @Override
        public Posture posture() {
            last = probe.posture();
            return last;
        }

        Optional<Posture> last() {
            return Optional.ofNullable(last);
        }
    }

    private CoordinatorParts(AgentConfig.Coordinator config, AgentHome home, Engine engine, MetricsSampler metrics, RememberedPosture posture,
            OfferedModels models, long totalMemoryBytes, String version, boolean signedInSecureEnclave, CoordinatorLink link, TrustFile trusts) {
        this.config = config;
        this.home = home;
        this.engine = engine;
        this.metrics = metrics;
        this.posture = posture;
        this.models = models;
        this.totalMemoryBytes = totalMemoryBytes;
        this.version = version;
        this.signedInSecureEnclave = signedInSecureEnclave;
        this.link = link;
        this.trusts = trusts;
    }

    /**
     * Returns the coordinator's address.
     *
     * @throws AgentException {@code COORDINATOR_MISSING} where none is named, {@code CONFIG_INVALID} where a test posture is claimed towards
     *     another machine
     */
    static CoordinatorAddress address(Optional<String> named, AgentConfig config) {
        CoordinatorAddress address = CoordinatorAddress.parse(named.or(() -> config.coordinator().url())
                .orElseThrow(() -> new AgentException(ErrorCode.COORDINATOR_MISSING, "no coordinator is set, and none is built in")));
        if (config.coordinator().testPosture().isOn() && !address.isLoopback()) {
            throw AgentException.ofParam(ErrorCode.CONFIG_INVALID, "coordinator.test_posture",
                    "coordinator.test_posture claims what is not measured; that is for a coordinator on this machine, and " + address.host()
                            + " is not");
        }
        return address;
    }

    /** Starts what serves a coordinator; {@code closer} ends it. Models should be loaded by now: they are told as they are. */
    static CoordinatorParts start(CoordinatorAddress address, AgentConfig config, AgentHome home, Engine engine, MemoryLedger ledger,
            ServedModels served, Machine machine, Completions completions, Closer closer) {
        ProcessHardening.apply().forEach(refused -> log.warn("not protected: {}", refused));
        BoxKeys keys = closer.add(BoxKeys.generate());
        DeviceSigner signer = SecureEnclaveSigner.open(home.enclaveKey())
                .orElseGet(() -> SoftwareSigner.open(home.signingKey()));
        MetricsSampler metrics = closer.add(MetricsSampler.start(MetricsProbe.ofThisSystem(InstantSource.system()), MetricsSampler.INTERVAL,
                MetricsSampler.MAX_AGE, InstantSource.system()));
        var posture = new RememberedPosture(PostureProbe.ofThisSystem(InstantSource.system()));
        CoordinatorRoute route = CoordinatorRoute.of(address, System.getenv(), config.coordinator().caFile());
        var store = new BuildStore(home.builds());
        AgentConfig.Downloads downloads = config.coordinator().downloads();
        Optional<BuildDownloads> fetching = Optional.empty();
        if (downloads.isAllowed()) {
            var catalogue = new Catalogue(new CoordinatorHttp(route), downloads.filesUrl());
            fetching = Optional.of(BuildDownloads.start(catalogue,
                    new BuildFetch(store, BuildFetch.Settings.of(downloads.diskReserve().bytes(), downloads.quota().bytes()), InstantSource.system())));
        }
        OfferedModels models = closer.add(OfferedModels.open(new OfferedModels.Parts(engine, served, new ModelCatalog(home, config)::isOwners,
                entry -> ServedModel.of(entry, config, machine, true), store, fetching, address.toString())));
        String numbers = AgentVersion.current().agent().replaceAll("[^0-9.].*", "");
        String version = numbers.isEmpty() ? "0.0.0" : numbers;
        HardwareReport hardware = HardwareProbe.ofThisSystem().report();
        var report = new NodeReport(config.coordinator(), new NodeReport.Parts(models, engine, ledger,
                hardware, metrics::latest, posture, signer, () -> AccountToken.of(home.accountToken(), address),
                version, keys.publicKey(), serial(home.root()), InstantSource.system()));
        TrustFile trusts = TrustFile.open(home.trust(), address);
        CoordinatorLink link = closer.add(CoordinatorLink.start(new CoordinatorLink.Parts(route, report, completions::relay, keys,
                config.coordinator().signResponses() ? Optional.of(signer) : Optional.empty(), config.coordinator().heartbeatInterval(),
                "darkbloom-agent/" + AgentVersion.current().agent(), Optional.of(trusts))));
        models.connect(link);
        return new CoordinatorParts(config.coordinator(), home, engine, metrics, posture, models, hardware.memoryBytes(),
                config.coordinator().reportedVersion().orElse(version), signer.isInSecureEnclave(), link, trusts);
    }

    /** Returns what stands for a serial number in a claimed posture: the same for a home, another for another home. */
    private static String serial(Path home) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(home.toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().withUpperCase().formatHex(hash).substring(0, SERIAL_LETTERS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    CoordinatorLink link() {
        return link;
    }

    LinkStatus status() {
        return link.status();
    }

    List<String> offered() {
        return models.offers().stream().map(NodeModels.Offer::id).toList();
    }

    /** Returns the builds that come, wait, or have come or failed lately. */
    List<Download> downloads() {
        return models.downloads();
    }

    AgentConfig.Coordinator config() {
        return config;
    }

    boolean isSignedInSecureEnclave() {
        return signedInSecureEnclave;
    }

    Optional<Posture> posture() {
        return posture.last();
    }

    private Gates.Account account(CoordinatorAddress address) {
        try {
            return AccountToken.read(home.accountToken()).<Gates.Account>map(kept -> kept.coordinator().isSame(address)
                    ? new Gates.Account.Here() : new Gates.Account.Elsewhere(kept.coordinator().toString())).orElseGet(Gates.Account.None::new);
        } catch (AgentException e) {
            return new Gates.Account.Damaged(e.getMessage());
        }
    }

    /** Judges the gates as things stand. */
    Gates gates(LinkStatus status) {
        return Gates.of(new Gates.Facts(config, status, offered(), engine.models(), totalMemoryBytes,
                account(status.address()), version, posture.last(), metrics.latest(), trusts.latest(), Instant.now()));
    }
}
