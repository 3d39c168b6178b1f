package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The engine on llama.cpp: the demo model, and tiny models of every kind of memory. */
@Tag("model")
@Timeout(180)
class EngineOnModelTest {
    private static final List<String> QUESTIONS = List.of(
            "What is the capital of France?", "Hello", "What is llama.cpp?", "Who are you?", "What can you do?", "Thank you", "Good morning",
            "How do I stop the agent?");

    @TempDir
    private Path folder;

    private static Engine engine(ModelSpec spec) {
        Engine engine = Engine.open(Rig.settings(), LoadedModels.backend(), new MemoryLedger(Long.MAX_VALUE), NanoClock.SYSTEM);
        engine.register(spec, false);
        return engine;
    }

    private static ModelSpec demo(int contextTokens, int slots) {
        return spec("demo", TestModels.demo(), contextTokens, slots, 256, false);
    }

    /** One thread: two that wait for each other by spinning take a second per token on a machine whose cores are busy with other things. */
    private static ModelSpec spec(String id, Path file, int contextTokens, int slots, int batchTokens, boolean embedding) {
        return new ModelSpec(id, List.of(file), contextTokens, slots, KvLayout.STREAMS, (long) contextTokens * slots, 0, embedding, "",
                ComputeSettings.safe(1, batchTokens, batchTokens).withFlashAttention(FlashAttention.OFF));
    }

    private ModelSpec tiny(TinyModels.Kind kind, int slots) {
        Path file = folder.resolve(kind + ".gguf");
        kind.writer(7).write(file);
        boolean embedding = kind == TinyModels.Kind.EMBEDDING;
        return spec("tiny", file, 512, slots, embedding ? 256 : 64, embedding);
    }

    private static int[] tokens(ModelLease lease, String text) {
        try (var arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocateFrom(text);
            MemorySegment tokens = arena.allocate(ValueLayout.JAVA_INT, text.length() + 8);
            int count = lease.tokenizer().tokenize(bytes.asSlice(0, bytes.byteSize() - 1), true, true, tokens);
            return Arrays.copyOf(tokens.toArray(ValueLayout.JAVA_INT), count);
        }
    }

    private static int[] question(ModelLease lease, String text) {
        return tokens(lease, LoadedModels.question(text));
    }

    /** Random tokens, none of which is a control token. */
    private static int[] randomTokens(ModelLease lease, long seed, int count) {
        var random = new Random(seed);
        var pieces = lease.tokenizer().pieces();
        int[] tokens = new int[count];
        for (int i = 0; i < count; ) {
            int token = random.nextInt(lease.tokenizer().vocabularySize());
            if (!pieces.isControl(token) && !pieces.isEndOfGeneration(token)) {
                tokens[i++] = token;
            }
        }
        return tokens;
    }

    private static int[] ask(ModelLease lease, int[] prompt, int max) throws Exception {
        try (Caller caller = Caller.of(prompt).max(max).submit(lease)) {
            return caller.readAll();
        }
    }

    private static int cachedTokens(ModelLease lease, int[] prompt, int max, AtomicReference<int[]> answer) throws Exception {
        try (Caller caller = Caller.of(prompt).max(max).submit(lease)) {
            answer.set(caller.readAll());
            return caller.generation().progress().cachedTokens();
        }
    }

    @Test
    void demoModelAnswers() throws Exception {
        try (Engine engine = engine(demo(1024, 2)); ModelLease lease = engine.acquire("demo")) {
            var pieces = lease.tokenizer().pieces();
            var text = new StringBuilder();

            try (Caller caller = Caller.of(question(lease, "What is the capital of France?")).max(100).submit(lease)) {
                for (int token : caller.readAll()) {
                    byte[] piece = pieces.bytes().asSlice(pieces.offset(token), pieces.length(token)).toArray(ValueLayout.JAVA_BYTE);
                    text.append(new String(piece, java.nio.charset.StandardCharsets.UTF_8));
                }
                assertThat(caller.ending()).isEqualTo(FinishReason.STOP);
            }
            assertThat(text).hasToString("The capital of France is Paris.");
        }
    }

    @Test
    void eightTogetherGetWhatEachGetsAlone() throws Exception {
        try (Engine engine = engine(demo(1024, 8)); ModelLease lease = engine.acquire("demo")) {
            List<int[]> alone = new ArrayList<>();
            for (String question : QUESTIONS) {
                alone.add(ask(lease, question(lease, question), 100));
            }

            List<Caller> callers = new ArrayList<>();
            for (String question : QUESTIONS) {
                callers.add(Caller.of(question(lease, question)).max(100).ring(128).submit(lease));
            }

            for (int i = 0; i < callers.size(); i++) {
                assertThat(callers.get(i).readAll()).as(QUESTIONS.get(i)).isEqualTo(alone.get(i));
                callers.get(i).close();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = TinyModels.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "EMBEDDING")
    void conversationThatGoesOnInItsSlotGetsWhatItWouldGetFromTheStart(TinyModels.Kind kind) throws Exception {
        ModelSpec spec = tiny(kind, 1);
        int[] prompt;
        int[] continued;
        var reused = new AtomicReference<int[]>();
        try (Engine engine = engine(spec); ModelLease lease = engine.acquire("tiny")) {
            prompt = randomTokens(lease, 1, 100);
            int[] answer = ask(lease, prompt, 20);
            int[] more = randomTokens(lease, 2, 40);
            continued = Arrays.copyOf(prompt, prompt.length + answer.length + more.length);
            System.arraycopy(answer, 0, continued, prompt.length, answer.length);
            System.arraycopy(more, 0, continued, prompt.length + answer.length, more.length);

            assertThat(cachedTokens(lease, continued, 40, reused)).isGreaterThanOrEqualTo(100);
        }

        try (Engine engine = engine(spec); ModelLease lease = engine.acquire("tiny")) {
            assertThat(reused.get()).isEqualTo(ask(lease, continued, 40));
        }
    }

    @ParameterizedTest
    @EnumSource(value = TinyModels.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "EMBEDDING")
    void promptThatPartsFromWhatItsSlotHoldsGetsWhatItWouldGetFromTheStart(TinyModels.Kind kind) throws Exception {
        // With 200 tokens the windowed layers of this model have dropped nothing yet: they keep the window of 16 and a batch, rounded up to 256.
        int cached = partAfter(kind, 100, 200);

        assertThat(cached).isEqualTo(switch (kind) {
            case LLAMA, EXPERTS, SLIDING_WINDOW -> 100;
            case RECURRENT, HYBRID -> 0;
            case EMBEDDING -> throw new IllegalArgumentException("writes no text");
        });
    }

    @Test
    void windowThatHasDroppedTokensIsNotGoneBackInto() throws Exception {
        assertThat(partAfter(TinyModels.Kind.SLIDING_WINDOW, 100, 450)).isZero();
    }

    /** Runs a prompt, then one that parts from it after so many tokens; returns how many of those were reused for the right answer. */
    private int partAfter(TinyModels.Kind kind, int common, int promptTokens) throws Exception {
        ModelSpec spec = tiny(kind, 1);
        int[] parted;
        int cached;
        var reused = new AtomicReference<int[]>();
        try (Engine engine = engine(spec); ModelLease lease = engine.acquire("tiny")) {
            int[] prompt = randomTokens(lease, 1, promptTokens);
            ask(lease, prompt, 20);
            parted = Arrays.copyOf(prompt, common + 80);
            System.arraycopy(randomTokens(lease, 3, 80), 0, parted, common, 80);
            cached = cachedTokens(lease, parted, 40, reused);
        }
        try (Engine engine = engine(spec); ModelLease lease = engine.acquire("tiny")) {
            assertThat(reused.get()).isEqualTo(ask(lease, parted, 40));
        }
        return cached;
    }

    @Test
    void randomRequestsLeaveEverySlotFree() throws Exception {
        try (Engine engine = engine(demo(256, 4)); ModelLease lease = engine.acquire("demo")) {
            var wrong = new AtomicReference<Throwable>();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 8; t++) {
                var random = new Random(t);
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        for (int i = 0; i < 25; i++) {
                            randomRequest(lease, random);
                        }
                    } catch (Throwable e) {
                        wrong.set(e);
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }

            ModelStatus status = engine.models().getFirst();
            assertThat(wrong.get()).isNull();
            assertThat(status.busySlots()).isZero();
            assertThat(status.waiting()).isZero();
            assertThat(status.failed()).isZero();
            assertThat(status.finished() + status.cancelled()).isEqualTo(200);
            assertThat(status.lastError()).isEmpty();
        }
    }

    private static void randomRequest(ModelLease lease, Random random) throws Exception {
        int[] prompt = random.nextBoolean()
                ? question(lease, QUESTIONS.get(random.nextInt(QUESTIONS.size())))
                : randomTokens(lease, random.nextInt(5), 1 + random.nextInt(200));
        try (Caller caller = Caller.of(prompt).max(1 + random.nextInt(60)).ring(8).sampling(settings(random)).submit(lease)) {
            if (random.nextInt(3) == 0) {
                caller.read(random.nextInt(20));
                caller.generation().cancel();
                caller.awaitEnd();
            } else {
                caller.readAll();
            }
        }
    }

    private static SamplerSettings settings(Random random) {
        boolean greedy = random.nextBoolean();
        return new SamplerSettings(greedy ? 0f : 0.9f, 0f, 1f, 40, 0.95f, 0.05f, 1f, -1f, 0f, 0.1f, 64, 1.1f, 0f, 0f, 0f, 1.75f, 2, -1, 0, 5f,
                0.1f, -1f, 0.9f, random.nextInt(), 0, false, List.of(), MemorySegment.NULL, null);
    }

    @Test
    void decodingAllocatesNothingOnTheEngineThread() throws Exception {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int streams = 4;
        try (Engine engine = engine(demo(1024, streams)); ModelLease lease = engine.acquire("demo")) {
            long thread = Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().equals("engine-demo")).findFirst()
                    .orElseThrow().threadId();
            SamplerSettings endless = new SamplerSettings(0f, 0f, 1f, 0, 1f, 0f, 1f, -1f, 0f, 0.1f, 0, 1f, 0f, 0f, 0f, 1.75f, 2, 0, 0, 5f, 0.1f,
                    -1f, 0.9f, -1, 0, true, List.of(), MemorySegment.NULL, null);
            List<Long> bytesPerWindow = new ArrayList<>();

            // A round fills each stream's context; between rounds samplers come and go, which is not part of the promise.
            for (int round = 0; round < 12 && !cleanAtTheEnd(bytesPerWindow, 3); round++) {
                List<Caller> callers = new ArrayList<>();
                List<Thread> readers = new ArrayList<>();
                for (int i = 0; i < streams; i++) {
                    Caller caller = Caller.of(question(lease, QUESTIONS.get(i))).max(900).ring(64).sampling(endless).submit(lease);
                    callers.add(caller);
                    readers.add(Thread.ofVirtual().start(() -> read(caller)));
                }
                Rig.until(() -> callers.stream().allMatch(caller -> caller.generation().progress().generatedTokens() >= 100));
                long before = threads.getThreadAllocatedBytes(thread);
                Rig.until(() -> callers.stream().anyMatch(caller -> caller.generation().progress().generatedTokens() >= 700));
                bytesPerWindow.add(threads.getThreadAllocatedBytes(thread) - before);
                for (int i = 0; i < streams; i++) {
                    readers.get(i).join();
                    callers.get(i).close();
                }
            }

            assertThat(cleanAtTheEnd(bytesPerWindow, 3)).as("bytes per window of about 2,400 tokens: %s", bytesPerWindow).isTrue();
        }
    }

    private static boolean cleanAtTheEnd(List<Long> bytesPerWindow, int windows) {
        int size = bytesPerWindow.size();
        return size >= windows && bytesPerWindow.subList(size - windows, size).stream().allMatch(bytes -> bytes == 0);
    }

    private static void read(Caller caller) {
        try {
            caller.readAll();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void embeddingsAreTheSameAloneAndTogether() throws Exception {
        try (Engine engine = engine(tiny(TinyModels.Kind.EMBEDDING, 4)); ModelLease lease = engine.acquire("tiny")) {
            List<float[]> alone = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                alone.add(embed(lease, randomTokens(lease, i, 5 + 9 * i)));
            }

            float[][] together = new float[12][];
            List<Thread> askers = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                int n = i;
                askers.add(Thread.ofVirtual().start(() -> {
                    try {
                        together[n] = embed(lease, randomTokens(lease, n, 5 + 9 * n));
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }));
            }
            for (Thread asker : askers) {
                asker.join();
            }

            for (int i = 0; i < 12; i++) {
                assertThat(together[i]).usingComparatorWithPrecision(1e-4f).containsExactly(alone.get(i));
                assertThat(alone.get(i)).isNotEqualTo(alone.get((i + 1) % 12));
            }
        }
    }

    private static float[] embed(ModelLease lease, int[] tokens) throws InterruptedException {
        try (var arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(ValueLayout.JAVA_FLOAT, lease.facts().embeddingSize());
            lease.embed(arena.allocateFrom(ValueLayout.JAVA_INT, tokens), target);
            return target.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    @Test
    void ledgerHoldsWhatTheDryRunFound() throws Exception {
        var ledger = new MemoryLedger(1L << 32);
        try (Engine engine = Engine.open(Rig.settings(), LoadedModels.backend(), ledger, NanoClock.SYSTEM)) {
            engine.register(demo(1024, 2), false);
            engine.load("demo");
            long small = ledger.reservedBytes();
            engine.unload("demo");
            assertThat(ledger.reservedBytes()).isZero();

            engine.register(spec("larger", TestModels.demo(), 1024, 8, 256, false), false);
            engine.load("larger");

            assertThat(small).isPositive();
            assertThat(ledger.reservedBytes()).isGreaterThan(small);
        }
    }

    @Test
    void modelThatDoesNotFitIsShrunkByTheDryRun() throws Exception {
        ModelSpec wide = demo(1024, 64);
        long half = LoadedModels.backend().need(wide).totalBytes() * 6 / 10;
        try (Engine engine = Engine.open(Rig.settings().withMinContextTokens(256), LoadedModels.backend(), new MemoryLedger(half),
                NanoClock.SYSTEM)) {
            engine.register(wide, true);

            try (ModelLease lease = engine.acquire("demo")) {
                assertThat(lease.contextTokens()).isBetween(256, 512);
                assertThat(ask(lease, question(lease, "Hello"), 20)).isNotEmpty();
            }
        }
    }

    @Test
    void factsAreThoseOfTheModel() throws Exception {
        try (Engine engine = engine(demo(1024, 1)); ModelLease lease = engine.acquire("demo")) {
            assertThat(lease.facts().memoryKind()).isEqualTo(ModelRuntime.MemoryKind.ATTENTION);
            assertThat(lease.contextTokens()).isEqualTo(1024);
        }
    }
}
