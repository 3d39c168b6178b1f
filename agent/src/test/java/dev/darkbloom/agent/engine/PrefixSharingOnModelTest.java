package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TinyModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Prompts that are taken over from other slots, on llama.cpp, for every kind of memory and both KV layouts: the tokens are those of a request
 * that has the model for itself and computes all of its prompt.
 */
@Tag("model")
@Timeout(180)
class PrefixSharingOnModelTest {
    private static final int COMMON = 150;
    private static final int OWN = 20;
    private static final int ANSWER = 24;
    private static final int REQUESTS = 5;
    private static final int CONTEXT = 512;

    @TempDir
    private Path folder;

    private static Stream<Arguments> kindsAndLayouts() {
        return Stream.of(TinyModels.Kind.values()).filter(kind -> kind != TinyModels.Kind.EMBEDDING)
                .flatMap(kind -> Stream.of(KvLayout.values()).map(layout -> Arguments.of(kind, layout)));
    }

    private Engine engine(TinyModels.Kind kind, KvLayout layout, int slots) {
        Path file = folder.resolve(kind + ".gguf");
        if (!Files.exists(file)) {
            kind.writer(7).write(file);
        }
        ModelSpec streams = ModelSpec.ofText("tiny", file, CONTEXT, slots, ComputeSettings.safe(1, 64, 64).withFlashAttention(FlashAttention.OFF));
        Engine engine = Engine.open(Rig.settings(), LoadedModels.backend(), new MemoryLedger(Long.MAX_VALUE), NanoClock.SYSTEM);
        engine.register(layout == KvLayout.STREAMS ? streams : streams.unified(streams.kvTokens()), false);
        return engine;
    }

    private static int[] prompt(ModelLease lease, int own) {
        int[] common = tokens(lease, 1, COMMON);
        int[] prompt = Arrays.copyOf(common, COMMON + OWN);
        System.arraycopy(tokens(lease, own, OWN), 0, prompt, COMMON, OWN);
        return prompt;
    }

    private static int[] tokens(ModelLease lease, long seed, int count) {
        var random = new Random(seed);
        var pieces = lease.tokenizer().pieces();
        return random.ints(0, lease.tokenizer().vocabularySize())
                .filter(token -> !pieces.isControl(token) && !pieces.isEndOfGeneration(token))
                .limit(count)
                .toArray();
    }

    /** Answers each prompt in a context of its own. */
    private List<int[]> alone(TinyModels.Kind kind, KvLayout layout) throws Exception {
        List<int[]> answers = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            try (Engine engine = engine(kind, layout, 1); ModelLease lease = engine.acquire("tiny");
                    Caller caller = submit(lease, prompt(lease, 10 + i))) {
                answers.add(caller.readAll());
                assertThat(caller.generation().progress().cachedTokens()).isZero();
            }
        }
        return answers;
    }

    private static Caller submit(ModelLease lease, int[] prompt) {
        return Caller.of(prompt).max(ANSWER).ring(64).submit(lease);
    }

    @ParameterizedTest
    @MethodSource("kindsAndLayouts")
    void requestsThatComeTogetherGetWhatEachGetsAlone(TinyModels.Kind kind, KvLayout layout) throws Exception {
        List<int[]> alone = alone(kind, layout);
        try (Engine engine = engine(kind, layout, REQUESTS); ModelLease lease = engine.acquire("tiny")) {
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < REQUESTS; i++) {
                callers.add(submit(lease, prompt(lease, 10 + i)));
            }
            for (int i = 0; i < REQUESTS; i++) {
                assertThat(callers.get(i).readAll()).as("request %d", i).isEqualTo(alone.get(i));
                callers.get(i).close();
            }

            ModelStatus status = engine.models().getFirst();
            // The first one's memory may hold all of its prompt before the others have come; a state cannot be taken back then.
            boolean goesBack = kind == TinyModels.Kind.LLAMA || kind == TinyModels.Kind.EXPERTS || kind == TinyModels.Kind.SLIDING_WINDOW;
            assertThat(status.cachedTokens()).isGreaterThanOrEqualTo(goesBack ? (REQUESTS - 1) * COMMON : 0);
            assertThat(status.promptTokens() + status.cachedTokens()).isEqualTo((long) REQUESTS * (COMMON + OWN));
        }
    }

    @ParameterizedTest
    @MethodSource("kindsAndLayouts")
    void whatAnAnsweringSlotHoldsIsTakenOverExactly(TinyModels.Kind kind, KvLayout layout) throws Exception {
        List<int[]> alone = alone(kind, layout);
        try (Engine engine = engine(kind, layout, REQUESTS); ModelLease lease = engine.acquire("tiny");
                Caller first = Caller.of(prompt(lease, 10)).max(ANSWER).ring(2).submit(lease)) {
            first.read(1); // its reader is slow: it is in the middle of its answer for as long as it takes
            for (int i = 1; i < REQUESTS; i++) {
                try (Caller caller = submit(lease, prompt(lease, 10 + i))) {
                    assertThat(caller.readAll()).as("request %d", i).isEqualTo(alone.get(i));
                }
            }
            assertThat(first.readAll()).isEqualTo(alone.getFirst());
        }
    }

    @ParameterizedTest
    @MethodSource("kindsAndLayouts")
    void aLeaderThatIsCancelledLeavesTheOthersExact(TinyModels.Kind kind, KvLayout layout) throws Exception {
        List<int[]> alone = alone(kind, layout);
        try (Engine engine = engine(kind, layout, REQUESTS); ModelLease lease = engine.acquire("tiny")) {
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < REQUESTS; i++) {
                callers.add(submit(lease, prompt(lease, 10 + i)));
            }
            callers.getFirst().generation().cancel(); // wherever it is by now: nowhere, in the middle of its prompt or of its answer
            for (int i = 1; i < REQUESTS; i++) {
                assertThat(callers.get(i).readAll()).as("request %d", i).isEqualTo(alone.get(i));
                callers.get(i).close();
            }
            callers.getFirst().awaitEnd().close();
        }
    }
}
