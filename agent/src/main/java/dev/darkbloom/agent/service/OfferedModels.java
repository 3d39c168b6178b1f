package dev.darkbloom.agent.service;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.coordinator.NodeModels;
import dev.darkbloom.agent.coordinator.NodeReport;
import dev.darkbloom.agent.coordinator.Offering;
import dev.darkbloom.agent.engine.Engine;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.models.ModelEntry;
import dev.darkbloom.agent.models.builds.BuildStore;
import dev.darkbloom.agent.models.builds.FetchedBuild;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import dev.darkbloom.agent.service.builds.BuildDownloads;
import dev.darkbloom.agent.service.builds.Download;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models offered to a coordinator: those that their owner named, and builds of the coordinator's catalogue, which come and go while the agent
 * runs (provider protocol, 17).
 *
 * <p>Any thread asks; what changes models is done by the one thread {@code models-on-demand}. A coordinator changes and deletes only what it had
 * fetched itself, never what the owner named, bound, has in the models folder, or fetched.
 */
final class OfferedModels implements NodeModels, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(OfferedModels.class);
    /** What a switch of models gives to requests that run; nothing new is taken meanwhile. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    /** Time until a switch that was not possible is tried again, however often the coordinator sends its list. */
    private static final Duration AGAIN = Duration.ofMinutes(10);
    private static final int MOST_TARGETS = 256;
    private static final int MOST_PREFETCHES = 64;
    private static final int MOST_ALIASES = 256;
    private static final int MOST_ID_LETTERS = 200;
    private static final int MOST_NOTED = 1024;

    private final Parts parts;
    /** Served because the owner named it at the start. */
    private final Set<String> named;
    private final ScheduledThreadPoolExecutor worker;
    /** The latest list that the worker has not looked at; one is enough, since each replaces the one before. */
    private final AtomicReference<List<DesiredModel>> wanted = new AtomicReference<>();
    /** Builds that were asked for and not begun. */
    private final AtomicInteger prefetches = new AtomicInteger();
    private volatile Offering offering;
    // By the worker only, from here on:
    private Map<String, DesiredModel> targets = Map.of();
    private final Map<String, Download> pursued = new HashMap<>();
    private final Set<String> noted = new HashSet<>();
    /** What names of the coordinator's catalogue mean here. */
    private final Map<String, String> aliases;
    /** Builds that another one has taken the name of. */
    private final Set<String> superseded = new HashSet<>();
    /** Builds that have come and wait for a switch, in the order of their ids. */
    private final Map<String, FetchedBuild> waiting = new TreeMap<>();
    private boolean again;

    /**
     * What it is made of; all borrowed but {@code downloads}.
     *
     * @param isOwners whether an id belongs to a file of the owner's, served or not
     * @param reader joins a file with the settings
     * @param downloads empty where the owner does not want any
     * @param coordinator address whose builds are offered
     */
    record Parts(Engine engine, ServedModels served, Predicate<String> isOwners, Function<ModelEntry, ServedModel> reader, BuildStore store,
            Optional<BuildDownloads> downloads, String coordinator) {}

    private OfferedModels(Parts parts) {
        this.parts = parts;
        named = Set.copyOf(parts.served().list().stream().map(model -> model.spec().id()).toList());
        aliases = parts.store().aliases(parts.coordinator());
        worker = new ScheduledThreadPoolExecutor(1, task -> Thread.ofPlatform().daemon().name("models-on-demand").unstarted(task));
        worker.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /** Offers what is served, and the builds that the coordinator had fetched in earlier runs; those are loaded when they are asked for. */
    static OfferedModels open(Parts parts) {
        var models = new OfferedModels(parts);
        if (parts.downloads().isPresent()) {
            for (FetchedBuild build : parts.store().list()) {
                if (models.isCoordinators(build) && parts.served().find(build.id()).isEmpty() && !parts.isOwners().test(build.id())) {
                    try {
                        models.register(build);
                    } catch (AgentException e) {
                        log.warn("a fetched build cannot be offered build={} code={}", build.id(), e.code());
                    }
                }
            }
        }
        return models;
    }

    /** Tells where changes are to be told; until then nobody hears of them. */
    void connect(Offering to) {
        offering = to;
    }

    @Override
    public List<Offer> offers() {
        return parts.served().list().stream().filter(model -> !model.spec().embedding()).map(OfferedModels::offer).toList();
    }

    private static Offer offer(ServedModel model) {
        return new Offer(model.spec().id(), model.sizeBytes(), model.card().quantization().orElse(""), true);
    }

    @Override
    public void load(String modelId) throws InterruptedException {
        parts.engine().load(modelId);
    }

    @Override
    public void prefetch(String modelId, long priority, PrefetchNews news) {
        if (!isPlausible(modelId)) {
            news.failed("no such build");
            return;
        }
        if (prefetches.incrementAndGet() > MOST_PREFETCHES) {
            prefetches.decrementAndGet();
            news.failed("too many builds wait to be fetched");
            return;
        }
        submit(() -> {
            prefetches.decrementAndGet();
            begin(modelId, priority, news);
        });
    }

    /** Looks into the models folder, so it is the worker's. */
    private void begin(String modelId, long priority, PrefetchNews news) {
        if (isOwners(modelId)) {
            if (parts.served().find(modelId).isPresent()) {
                news.verified();
            } else {
                news.failed("this id is taken here");
            }
            return;
        }
        if (parts.downloads().isEmpty()) {
            news.failed("downloads are switched off here");
            return;
        }
        try {
            parts.downloads().get().fetch(modelId, Optional.empty(), priority, new Download.Listener() {
                @Override
                public void at(long bytesDone, long bytesTotal) {
                    news.downloading(bytesDone, bytesTotal);
                }

                @Override
                public void ended(Optional<FetchedBuild> build, Optional<AgentException> problem) {
                    submit(() -> {
                        if (build.isEmpty()) {
                            news.failed(told(problem));
                        } else if (adopt(build.get())) {
                            news.verified();
                        } else {
                            news.failed("the build cannot take the place of the one before now");
                        }
                    });
                }
            });
        } catch (AgentException e) {
            news.failed(told(Optional.of(e)));
        }
    }

    private static boolean isPlausible(String id) {
        return id != null && !id.isBlank() && id.length() <= MOST_ID_LETTERS && id.chars().allMatch(c -> c > ' ' && c < 0x7F && c != '\\')
                && !id.startsWith("/") && !id.startsWith(".") && !id.startsWith("~") && !id.startsWith("-") && !id.contains("..");
    }

    /** In words for the coordinator: they name nothing of this machine. */
    private static String told(Optional<AgentException> problem) {
        return switch (problem.map(AgentException::code).orElse(ErrorCode.INTERNAL)) {
            case BUILD_MISSING -> "the catalogue has no such build";
            case BUILD_INVALID -> "the build holds no GGUF model that can be loaded here";
            case DISK_FULL -> "not enough disk space";
            case QUEUE_FULL -> "too many builds wait to be fetched";
            case CANCELLED, DRAINING -> "the download was cancelled";
            case COORDINATOR_UNREACHABLE, DOWNLOAD_FAILED -> "the download failed";
            default -> "the build could not be fetched";
        };
    }

    @Override
    public void desired(List<DesiredModel> models) {
        if (wanted.getAndSet(List.copyOf(models)) == null) {
            submit(() -> take(wanted.getAndSet(null)));
        }
    }

    private interface Task {
        void run() throws InterruptedException;
    }

    private void submit(Task task) {
        later(task, Duration.ZERO);
    }

    private void later(Task task, Duration delay) {
        try {
            worker.schedule(() -> {
                try {
                    task.run();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                } catch (AgentException e) {
                    log.warn("a change of models was not made code={} why={}", e.code(), e.getMessage());
                } catch (RuntimeException | Error e) {
                    log.error("a change of models was not made", e);
                }
            }, delay.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            log.debug("the agent is stopping; a change of models is not made");
        }
    }

    private void take(List<DesiredModel> models) throws InterruptedException {
        var next = new LinkedHashMap<String, DesiredModel>();
        for (DesiredModel model : models) {
            if (next.size() < MOST_TARGETS && isPlausible(model.modelName()) && isPlausible(model.desiredBuild())) {
                next.put(model.modelName(), model);
            }
        }
        targets = next;
        pursued.values().removeIf(download -> {
            boolean wanted = targets.values().stream().anyMatch(target -> isFor(download, target));
            if (!wanted) {
                parts.downloads().orElseThrow().cancel(download);
            }
            return !wanted;
        });
        for (DesiredModel target : targets.values()) {
            pursue(target);
        }
        dropSuperseded();
    }

    /** Tries once more, after a while, what could not be done now; what is asked for until then waits for the same moment. */
    private void tryAgain() {
        if (!again) {
            again = true;
            later(() -> {
                again = false;
                for (FetchedBuild build : List.copyOf(waiting.values())) {
                    adopt(build);
                }
                for (DesiredModel target : targets.values()) {
                    pursue(target);
                }
                dropSuperseded();
            }, AGAIN);
        }
    }

    private boolean isFor(Download download, DesiredModel target) {
        return download.buildId().equals(target.desiredBuild());
    }

    private void pursue(DesiredModel target) throws InterruptedException {
        if (isHere(target)) {
            arrived(target);
            return;
        }
        if (parts.downloads().isEmpty()) {
            note(target, "downloads are switched off (coordinator.downloads)");
            return;
        }
        if (isOwners(target.desiredBuild())) {
            note(target, "this id is taken here");
            return;
        }
        if (pursued.containsKey(target.desiredBuild()) || waiting.containsKey(target.desiredBuild())) {
            return; // on its way
        }
        try {
            pursued.put(target.desiredBuild(), parts.downloads().get().fetch(target.desiredBuild(), target.aggregateSha256(), 0,
                    new Download.Listener() {
                        @Override
                        public void at(long bytesDone, long bytesTotal) {
                            // status shows it
                        }

                        @Override
                        public void ended(Optional<FetchedBuild> build, Optional<AgentException> problem) {
                            submit(() -> fetched(target, build, problem));
                        }
                    }));
        } catch (AgentException e) {
            note(target, told(Optional.of(e)));
        }
    }

    /** Says once why a target stays open: the coordinator repeats its list at every connection. */
    private void note(DesiredModel target, String why) {
        if (noted.size() < MOST_NOTED && noted.add(target.modelName() + " " + target.desiredBuild() + " " + why)) {
            log.info("the coordinator would like another build model={} build={} why not={}", target.modelName(), target.desiredBuild(), why);
        }
    }

    private void fetched(DesiredModel target, Optional<FetchedBuild> build, Optional<AgentException> problem) throws InterruptedException {
        pursued.remove(target.desiredBuild());
        if (build.isEmpty()) {
            note(target, told(problem));
        } else if (target.equals(targets.get(target.modelName())) && adopt(build.get())) {
            arrived(target);
            dropSuperseded();
        }
        DesiredModel now = targets.get(target.modelName());
        if (now != null && !now.equals(target)) {
            pursue(now); // another state was asked for meanwhile
        }
    }

    private boolean isHere(DesiredModel target) {
        Optional<ServedModel> served = parts.served().find(target.desiredBuild());
        return served.isPresent() && (isOwners(target.desiredBuild()) || target.aggregateSha256().isEmpty()
                || parts.store().list().stream().anyMatch(build -> isServed(build, served.get())
                        && build.aggregateSha256().equalsIgnoreCase(target.aggregateSha256().get())));
    }

    /** What the owner named or has a file of is never changed, replaced or deleted. */
    private boolean isOwners(String modelId) {
        return named.contains(modelId) || parts.isOwners().test(modelId);
    }

    /** Whether the coordinator had it fetched; another one's, and what the owner fetched, is not its to give or take. */
    private boolean isCoordinators(FetchedBuild build) {
        return build.coordinator().equals(parts.coordinator()) && !build.isOwners();
    }

    private static boolean isServed(FetchedBuild build, ServedModel served) {
        return build.id().equals(served.spec().id()) && build.files().equals(served.spec().files());
    }

    private void register(FetchedBuild build) {
        ServedModel model = parts.reader().apply(build.entry().orElseThrow());
        parts.engine().register(model.spec(), model.room());
        parts.served().put(model);
    }

    /** Offers a build that has come; returns whether it is offered. */
    private boolean adopt(FetchedBuild build) throws InterruptedException {
        Optional<ServedModel> served = parts.served().find(build.id());
        if (served.isEmpty()) {
            register(build);
            tell();
            return true;
        }
        if (isOwners(build.id()) || isServed(build, served.get())) {
            return true;
        }
        // Another state of a build that is offered: its files are exchanged while nothing runs.
        ServedModel next = parts.reader().apply(build.entry().orElseThrow());
        List<Offer> after = offers().stream().map(offer -> offer.id().equals(build.id()) ? offer(next) : offer).toList();
        boolean made = replace(after, () -> {
            parts.engine().unregister(build.id());
            parts.engine().register(next.spec(), next.room());
            parts.served().put(next);
        });
        if (made) {
            waiting.remove(build.id());
            parts.store().list().stream().filter(other -> other.id().equals(build.id()) && !other.folder().equals(build.folder()) && isCoordinators(other))
                    .forEach(parts.store()::delete);
        } else {
            waiting.put(build.id(), build);
            tryAgain();
        }
        return made;
    }

    private void tell() {
        Offering to = offering;
        if (to != null) {
            to.offersChanged();
        }
    }

    private boolean replace(List<Offer> after, Offering.Change change) throws InterruptedException {
        Offering to = offering;
        if (to == null) {
            change.make();
            return true;
        }
        if (again) {
            return false; // a switch was not possible a moment ago, and each attempt keeps requests out
        }
        return to.replace(NodeReport.update(after), PATIENCE, change);
    }

    /** The build that a name shall mean is offered: it takes over what the one before did. */
    private void arrived(DesiredModel target) throws InterruptedException {
        String build = target.desiredBuild();
        Optional<String> before = Optional.ofNullable(aliases.get(target.modelName())).or(target::previousBuild).filter(other -> !other.equals(build));
        if (before.filter(this::isLoaded).isPresent() && !isLoaded(build)) {
            try {
                load(before.get(), build);
            } catch (AgentException e) {
                note(target, "it cannot be loaded: " + e.code().wireCode());
                return; // the one before stays
            }
        }
        remember(target.modelName(), build);
        before.ifPresent(superseded::add);
    }

    private void remember(String name, String build) {
        if (build.equals(aliases.put(name, build))) {
            return;
        }
        if (aliases.size() > MOST_ALIASES) {
            aliases.keySet().retainAll(targets.keySet());
        }
        parts.store().remember(parts.coordinator(), aliases);
    }

    private boolean isLoaded(String modelId) {
        return parts.engine().models().stream().anyMatch(status -> status.id().equals(modelId)
                && (status.state() == ModelState.READY || status.state() == ModelState.LOADING));
    }

    private void load(String before, String build) throws InterruptedException {
        try {
            parts.engine().load(build);
        } catch (AgentException e) {
            if (e.code() != ErrorCode.OUT_OF_MEMORY) {
                throw e;
            }
            // No room beside the one before, which is busy: it gives its room when its requests have ended.
            boolean made = replace(offers(), () -> {
                parts.engine().unload(before);
                parts.engine().load(build);
            });
            if (!made) {
                tryAgain();
                throw e;
            }
        }
    }

    /** Takes away builds that no target means any more and whose successor is offered, and deletes their files. */
    private void dropSuperseded() throws InterruptedException {
        for (String old : List.copyOf(superseded)) {
            boolean wanted = targets.values().stream()
                    .anyMatch(target -> target.desiredBuild().equals(old) || target.previousBuild().filter(old::equals).isPresent());
            if (wanted) {
                continue;
            }
            List<FetchedBuild> builds = parts.store().list().stream().filter(build -> build.id().equals(old) && isCoordinators(build)).toList();
            if (isOwners(old) || builds.isEmpty()) {
                superseded.remove(old);
                continue;
            }
            List<Offer> after = offers().stream().filter(offer -> !offer.id().equals(old)).toList();
            if (parts.served().find(old).isPresent() && !replace(after, () -> {
                parts.served().remove(old);
                parts.engine().unregister(old);
            })) {
                tryAgain();
                return;
            }
            superseded.remove(old);
            builds.forEach(parts.store()::delete);
            log.info("a build was replaced and deleted build={}", old);
        }
    }

    /** Returns the downloads that run, wait, or have ended lately. */
    List<Download> downloads() {
        return parts.downloads().map(BuildDownloads::recent).orElse(List.of());
    }

    /** Ends what it does. Waits for its thread. */
    @Override
    public void close() {
        parts.downloads().ifPresent(BuildDownloads::close);
        worker.shutdownNow();
        boolean interrupted = false;
        while (true) {
            try {
                if (worker.awaitTermination(1, TimeUnit.MINUTES)) {
                    break;
                }
                log.warn("a change of models has not ended yet");
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
