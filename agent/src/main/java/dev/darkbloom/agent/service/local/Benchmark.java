package dev.darkbloom.agent.service.local;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/**
 * Measures a model through the endpoint, as clients see it: how fast prompts are read and answers written at several numbers of streams.
 *
 * <p>Every prompt is another one, so that nothing is taken from memory; answers have a fixed length. One round at each number of streams goes
 * uncounted before the runs.
 */
public final class Benchmark {
    private static final double NANOS_PER_SECOND = 1e9;
    private static final String[] SYLLABLES = {"ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "zu"};

    private final LocalClient client;
    private final Plan plan;
    private final Random random = new Random(20_261_124);
    private final int wordsPerPrompt;

    /**
     * What to measure.
     *
     * @param promptTokens tokens of each prompt, about
     * @param answerTokens tokens of each answer, exactly
     * @param runs counted rounds at each number of streams
     */
    public record Plan(String model, int promptTokens, int answerTokens, int runs, List<Integer> streams) {
        public Plan {
            streams = List.copyOf(streams);
        }
    }

    /** A measure over the runs: the median and how far apart they lie. */
    public record Spread(double median, double min, double max) {
        static Spread of(List<Double> values) {
            var sorted = values.stream().sorted().toList();
            int half = sorted.size() / 2;
            double median = sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
            return new Spread(median, sorted.getFirst(), sorted.getLast());
        }
    }

    /**
     * The result at one number of streams; rates are of all streams together.
     *
     * @param promptTokens tokens of one prompt, on average
     * @param timeToFirstMillis median over the streams of a run
     */
    public record Row(int streams, int promptTokens, Spread prefillTokensPerSecond, Spread decodeTokensPerSecond, Spread timeToFirstMillis) {}

    private record Round(double prefill, double decode, double toFirstMillis, int promptTokens) {}

    public Benchmark(LocalClient client, Plan plan) {
        this.client = client;
        this.plan = plan;
        // Syllables are one to several tokens, by the model's vocabulary.
        String sample = words(plan.promptTokens());
        this.wordsPerPrompt = Math.max(1, Math.round((float) plan.promptTokens() * plan.promptTokens() / client.tokens(plan.model(), sample)));
    }

    /**
     * Runs the plan.
     *
     * @param begins hears each number of streams before its rounds
     * @throws AgentException what the endpoint says
     */
    public List<Row> run(IntConsumer begins) throws InterruptedException {
        var rows = new ArrayList<Row>();
        for (int streams : plan.streams()) {
            begins.accept(streams);
            round(streams);
            var rounds = new ArrayList<Round>();
            for (int i = 0; i < plan.runs(); i++) {
                rounds.add(round(streams));
            }
            rows.add(new Row(streams, rounds.getFirst().promptTokens(),
                    Spread.of(rounds.stream().map(Round::prefill).toList()),
                    Spread.of(rounds.stream().map(Round::decode).toList()),
                    Spread.of(rounds.stream().map(Round::toFirstMillis).toList())));
        }
        return rows;
    }

    /** All streams begin together. Reading ends with the last first token, writing lasts from the first first token to the end. */
    private Round round(int streams) throws InterruptedException {
        var prompts = new ArrayList<String>();
        for (int i = 0; i < streams; i++) {
            prompts.add(words(wordsPerPrompt));
        }
        var answers = new ArrayList<AnswerStats>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var pending = new ArrayList<Future<AnswerStats>>();
            prompts.forEach(prompt -> pending.add(threads.submit(() -> client.measured(plan.model(), prompt, plan.answerTokens()))));
            try {
                for (Future<AnswerStats> answer : pending) {
                    answers.add(result(answer));
                }
            } finally {
                // Nothing runs any more unless one failed or we were interrupted; then the others are of no use.
                threads.shutdownNow();
            }
        }
        double lastFirst = answers.stream().mapToLong(answer -> answer.toFirstToken().toNanos()).max().orElseThrow() / NANOS_PER_SECOND;
        double firstFirst = answers.stream().mapToLong(answer -> answer.toFirstToken().toNanos()).min().orElseThrow() / NANOS_PER_SECOND;
        double end = answers.stream().mapToLong(answer -> answer.total().toNanos()).max().orElseThrow() / NANOS_PER_SECOND;
        int read = answers.stream().mapToInt(answer -> answer.promptTokens() - answer.cachedTokens()).sum();
        int written = answers.stream().mapToInt(AnswerStats::generatedTokens).sum();
        // The first token of the first stream is what the clock starts with.
        return new Round(read / lastFirst, (written - 1) / Math.max(end - firstFirst, 1e-9),
                Spread.of(answers.stream().map(answer -> answer.toFirstToken().toNanos() / 1e6).toList()).median(),
                answers.stream().mapToInt(AnswerStats::promptTokens).sum() / streams);
    }

    private static AnswerStats result(Future<AnswerStats> answer) throws InterruptedException {
        try {
            return answer.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof AgentException known ? known
                    : new AgentException(ErrorCode.INTERNAL, "a stream of the benchmark failed", e.getCause());
        }
    }

    private String words(int count) {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(SYLLABLES[random.nextInt(SYLLABLES.length)]).append(i % 3 == 2 ? " " : "");
        }
        return text.toString();
    }
}
