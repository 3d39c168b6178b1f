package dev.darkbloom.agent.models.builds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.testing.Builds;
import dev.darkbloom.agent.testing.TinyModels;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BuildFetchTest {
    private static final String ID = "org/m.1";

    @TempDir
    Path folder;

    private final Map<String, byte[]> files = new TreeMap<>();
    private final ScriptedSource source = new ScriptedSource();
    private final List<Long> progress = new ArrayList<>();
    private BuildStore store;
    private long quota = Long.MAX_VALUE;
    private boolean isOwners;

    @BeforeEach
    void makeBuild() {
        store = new BuildStore(folder.resolve("builds"));
        files.put("q8/tiny.gguf", TinyModels.llama(7).toBytes());
        files.put("README.md", new byte[] {1});
    }

    /** Serves the files of the build; each opening may go wrong in its own way. */
    private final class ScriptedSource implements BuildSource {
        final Deque<Fault> faults = new ArrayDeque<>();
        final List<String> opened = new ArrayList<>();

        @Override
        public Opened open(String path, long offset) throws IOException, InterruptedException {
            opened.add(path + " " + offset);
            byte[] bytes = files.get(path.substring(Builds.prefix(ID).length() + 1));
            return faults.isEmpty() ? rest(bytes, offset) : faults.remove().open(bytes, offset);
        }
    }

    private interface Fault {
        BuildSource.Opened open(byte[] bytes, long offset) throws IOException, InterruptedException;
    }

    private static BuildSource.Opened rest(byte[] bytes, long offset) {
        return new BuildSource.Opened(new ByteArrayInputStream(bytes, (int) offset, bytes.length - (int) offset), offset);
    }

    private static Fault breaksAfter(int count) {
        return (bytes, offset) -> new BuildSource.Opened(new SequenceInputStream(
                new ByteArrayInputStream(bytes, (int) offset, Math.min(count, bytes.length - (int) offset)), new InputStream() {
                    @Override
                    public int read() throws IOException {
                        throw new IOException("reset");
                    }
                }), offset);
    }

    private static Fault endsAfter(int count) {
        return (bytes, offset) -> new BuildSource.Opened(new ByteArrayInputStream(bytes, (int) offset, count), offset);
    }

    private static Fault changedAt(int index) {
        return (bytes, offset) -> {
            byte[] other = bytes.clone();
            other[index] ^= 1;
            return rest(other, offset);
        };
    }

    private static Fault fromTheBeginning() {
        return (bytes, _) -> rest(bytes, 0);
    }

    private static Fault throwing(IOException e) {
        return (_, _) -> {
            throw e;
        };
    }

    private BuildManifest manifest() {
        return BuildManifest.parse(ID, Builds.manifest(ID, files).toString());
    }

    private FetchedBuild fetch() throws InterruptedException {
        return fetch(0);
    }

    private FetchedBuild fetch(long reserve) throws InterruptedException {
        return new BuildFetch(store, new BuildFetch.Settings(reserve, quota, 3, Duration.ofMillis(1)), InstantSource.fixed(Instant.EPOCH))
                .run(manifest(), "wss://c.example/ws/provider", isOwners, source, (done, total) -> {
                    assertThat(total).isEqualTo(files.get("q8/tiny.gguf").length);
                    progress.add(done);
                });
    }

    private void assertWhole(FetchedBuild build) throws IOException {
        assertThat(Files.readAllBytes(build.files().getFirst())).isEqualTo(files.get("q8/tiny.gguf"));
        assertThat(store.find(ID)).contains(build);
        assertThat(build.entry().id()).isEqualTo(ID);
        assertThat(build.entry().problem()).isEmpty();
        try (Stream<Path> all = Files.list(store.root())) {
            assertThat(all).as("nothing unfinished is left").containsExactly(build.folder());
        }
    }

    @Test
    void aBuildComesWithTheModelsFilesOnly() throws Exception {
        FetchedBuild build = fetch();

        assertWhole(build);
        assertThat(build.coordinator()).isEqualTo("wss://c.example/ws/provider");
        assertThat(source.opened).containsExactly("b/org-m.1/q8/tiny.gguf 0");
        assertThat(progress).isSorted().endsWith((long) files.get("q8/tiny.gguf").length);
        assertThat(Files.getPosixFilePermissions(build.files().getFirst())).isEqualTo(PosixFilePermissions.fromString("rw-------"));
    }

    @Test
    void aBuildThatIsHereIsNotFetchedAgain() throws Exception {
        FetchedBuild first = fetch();

        assertThat(fetch()).isEqualTo(first);
        assertThat(source.opened).hasSize(1);
    }

    @Test
    void aTransferThatBreaksGoesOnWhereItBroke() throws Exception {
        source.faults.addAll(List.of(breaksAfter(100), throwing(new IOException("refused")), endsAfter(50)));

        assertWhole(fetch());
        assertThat(source.opened).containsExactly("b/org-m.1/q8/tiny.gguf 0", "b/org-m.1/q8/tiny.gguf 100", "b/org-m.1/q8/tiny.gguf 100",
                "b/org-m.1/q8/tiny.gguf 150");
    }

    @Test
    void aSourceThatBeginsAgainIsTakenFromItsBeginning() throws Exception {
        source.faults.addAll(List.of(breaksAfter(100), fromTheBeginning()));

        assertWhole(fetch());
    }

    @Test
    void whatCameInAnEarlierRunIsKept() throws Exception {
        source.faults.addAll(List.of(breaksAfter(100), throwing(new IOException()), throwing(new IOException())));
        assertThatThrownBy(this::fetch).isInstanceOfSatisfying(AgentException.class,
                e -> assertThat(e.code()).isEqualTo(ErrorCode.DOWNLOAD_FAILED)).hasMessageContaining("stopped at 100 of");
        assertThat(store.list()).isEmpty();

        assertWhole(fetch());
        assertThat(source.opened.getLast()).isEqualTo("b/org-m.1/q8/tiny.gguf 100");
    }

    @Test
    void aByteThatIsWrongIsFoundAndTheFileComesOnceMore() throws Exception {
        source.faults.add(changedAt(1000));

        assertWhole(fetch());
        assertThat(source.opened).hasSize(2);
    }

    @Test
    void aFileThatIsWrongTwiceIsNoBuild() throws Exception {
        source.faults.addAll(List.of(changedAt(1000), changedAt(2000)));

        assertThatThrownBy(this::fetch).hasMessageContaining("does not match the hash")
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DOWNLOAD_FAILED));
        assertThat(store.list()).isEmpty();
        assertWhole(fetch()); // nothing wrong was kept
    }

    @Test
    void aByteChangedOnDiskBetweenTwoRunsIsFound() throws Exception {
        source.faults.addAll(List.of(breaksAfter(100), throwing(new IOException()), throwing(new IOException())));
        assertThatThrownBy(this::fetch).isInstanceOf(AgentException.class);
        Path part;
        try (Stream<Path> all = Files.walk(store.root())) {
            part = all.filter(path -> path.toString().endsWith(".part")).findFirst().orElseThrow();
        }
        byte[] kept = Files.readAllBytes(part);
        kept[50] ^= 1;
        Files.write(part, kept);

        assertWhole(fetch());
    }

    @Test
    void aSourceWithMoreThanTheManifestSaysIsNotBelieved() throws Exception {
        source.faults.add((bytes, offset) -> rest(Arrays.copyOf(bytes, bytes.length + 1), offset));

        assertWhole(fetch());
        assertThat(source.opened).hasSize(2);
    }

    @Test
    void aDiskWithoutRoomIsLeftAlone() {
        assertThatThrownBy(() -> fetch(Long.MAX_VALUE / 2))
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DISK_FULL))
                .hasMessageContaining("are kept");
        assertThat(source.opened).isEmpty();
    }

    @Test
    void whatIsNoModelIsFoundBeforeItIsABuild() {
        files.put("q8/tiny.gguf", new byte[5000]);

        assertThatThrownBy(this::fetch).hasMessageContaining("cannot be loaded")
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.BUILD_INVALID));
        assertThat(store.list()).isEmpty();
    }

    @Test
    void anInterruptEndsItAndKeepsWhatCame() throws Exception {
        var reading = new CountDownLatch(1);
        source.faults.add((bytes, offset) -> new BuildSource.Opened(new SequenceInputStream(new ByteArrayInputStream(bytes, 0, 100), new InputStream() {
            @Override
            public int read() throws IOException {
                reading.countDown();
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    throw new IOException(e); // as the JDK's HTTP client does
                }
                return -1;
            }
        }), offset));
        var how = new AtomicReference<Throwable>();
        Thread thread = Thread.ofPlatform().start(() -> {
            try {
                fetch();
            } catch (Throwable t) {
                how.set(t);
            }
        });
        reading.await();

        thread.interrupt();
        thread.join();

        assertThat(how.get()).isInstanceOf(InterruptedException.class);
        assertWhole(fetch());
        assertThat(source.opened.getLast()).isEqualTo("b/org-m.1/q8/tiny.gguf 100");
    }

    @Test
    void twoAtATimeDoNotWriteOneFile() throws Exception {
        source.faults.add((bytes, offset) -> {
            assertThatThrownBy(this::fetch).hasMessageContaining("being fetched already");
            return rest(bytes, offset);
        });

        assertWhole(fetch());
    }

    @Test
    void anotherStateOfABuildStandsBesideTheFirstAndComesFirst() throws Exception {
        FetchedBuild first = fetch();
        files.put("q8/tiny.gguf", TinyModels.llama(8).toBytes());
        FetchedBuild second = new BuildFetch(store, BuildFetch.Settings.of(0, Long.MAX_VALUE), InstantSource.fixed(Instant.EPOCH.plusSeconds(1)))
                .run(manifest(), "c", false, source, (_, _) -> { });

        assertThat(store.list()).containsExactly(second, first);
        assertThat(store.find(ID)).contains(second);
        store.delete(first);
        assertThat(store.list()).containsExactly(second);
        assertThat(first.folder()).doesNotExist();
    }

    @Test
    void aDamagedRecordHidesItsBuildOnly() throws Exception {
        FetchedBuild build = fetch();
        Path other = Files.createDirectories(store.root().resolve("other"));
        Files.writeString(other.resolve("build.json"), "{\"id\":\"x\",\"files\":[\"../../outside\"],\"fetched_at\":\"1970-01-01T00:00:00Z\"}");
        Files.createDirectories(store.root().resolve("empty"));
        Files.writeString(Files.createDirectories(store.root().resolve("garbage")).resolve("build.json"), "{");

        assertThat(store.list()).containsExactly(build);
    }

    @Test
    void coordinatorsHaveAQuotaTogetherAndTheOwnerHasNone() throws Exception {
        quota = files.get("q8/tiny.gguf").length - 1;
        assertThatThrownBy(this::fetch).hasMessageContaining("builds of coordinators take 0 of")
                .isInstanceOfSatisfying(AgentException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DISK_FULL));

        isOwners = true;
        FetchedBuild build = fetch();
        assertWhole(build);
        assertThat(build.isOwners()).isTrue();
    }

    @Test
    void namesAreKeptForEachCoordinator() {
        assertThat(store.aliases("a")).isEmpty();
        store.remember("a", Map.of("m", ID, "n", "x"));
        store.remember("b", Map.of("m", "org/m.2"));
        store.remember("a", Map.of("m", ID));

        var again = new BuildStore(store.root());
        assertThat(again.aliases("a")).isEqualTo(Map.of("m", ID));
        assertThat(again.aliases("b")).isEqualTo(Map.of("m", "org/m.2"));
        assertThat(again.meanings("m")).containsExactly(ID, "org/m.2");
        assertThat(again.meanings("n")).isEmpty();
    }
}
