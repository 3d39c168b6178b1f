package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.service.AgentRuntime;
import dev.darkbloom.agent.service.StartOptions;
import dev.darkbloom.agent.service.StopSignal;
import dev.darkbloom.agent.service.control.ControlClient;
import dev.darkbloom.agent.service.local.Benchmark;
import dev.darkbloom.agent.service.local.BenchmarkReport;
import dev.darkbloom.agent.service.local.LocalClient;
import dev.darkbloom.agent.service.local.LocalEndpoint;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures a model on this machine. */
@Command(
        name = "benchmark",
        description = "Measure how fast a model reads and writes.",
        sortOptions = false,
        footer = {
            "",
            "Asks the running agent; without one, --model starts one in this process for the time of the measurement. Rates are of all streams",
            "together, median and range of the runs. Other programs that compute at the same time show in the range."
        })
final class BenchmarkCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    @Option(names = "--model", paramLabel = "MODEL", description = "A model of the running agent; or what start takes.")
    private String model;

    @Option(names = "--streams", paramLabel = "N", split = ",", defaultValue = "1,4,8",
            description = "Numbers of answers at one time (default: ${DEFAULT-VALUE}).")
    private List<Integer> streams;

    @Option(names = "--prompt-tokens", paramLabel = "N", defaultValue = "256", description = "Tokens of each prompt, about (default: ${DEFAULT-VALUE}).")
    private int promptTokens;

    @Option(names = "--answer-tokens", paramLabel = "N", defaultValue = "128", description = "Tokens of each answer (default: ${DEFAULT-VALUE}).")
    private int answerTokens;

    @Option(names = "--runs", paramLabel = "N", defaultValue = "5", description = "Counted runs (default: ${DEFAULT-VALUE}).")
    private int runs;

    @Option(names = "--calibrate",
            description = "Before that, find anew with which settings the model computes fastest here, on a battery and beside other work, too.")
    private boolean calibrate;

    @Option(names = "--json", description = "As JSON.")
    private boolean json;

    BenchmarkCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() throws InterruptedException {
        if (promptTokens < 1 || answerTokens < 2 || runs < 1 || streams.stream().anyMatch(n -> n < 1)) {
            throw new ParameterException(spec.commandLine(), "--prompt-tokens, --runs and --streams are 1 or more, --answer-tokens 2 or more");
        }
        var running = LocalEndpoint.find(root.home());
        if (running.isPresent()) {
            return measure(running.get());
        }
        if (model == null) {
            throw new ParameterException(spec.commandLine(), "no agent is running; --model MODEL starts one for the measurement");
        }
        return measureOwn();
    }

    private int measureOwn() throws InterruptedException {
        var stop = new StopSignal();
        try (var _ = ProcessSignals.forwardTo(stop, root.terminal());
                var progress = new StartProgress(root.terminal().commentary());
                var _ = AgentRuntime.start(ownAgent(), stop, progress)) {
            Thread measuring = Thread.currentThread();
            Thread.ofVirtual().name("task-stop").start(() -> interruptAt(stop, measuring));
            return measure(LocalEndpoint.require(root.home()));
        } catch (InterruptedException e) {
            if (!stop.isRequested()) {
                throw e;
            }
            root.terminal().err().println("ended before it was measured");
            return 1;
        }
    }

    private static void interruptAt(StopSignal stop, Thread measuring) {
        try {
            stop.await();
            measuring.interrupt();
        } catch (InterruptedException _) {
            // Nobody interrupts this thread; it ends with the process.
            Thread.currentThread().interrupt();
        }
    }

    /** The settings file's, on a free port of loopback, with slots for the widest measurement. */
    private StartOptions ownAgent() {
        int widest = streams.stream().mapToInt(Integer::intValue).max().orElseThrow();
        ConfigValues values = root.configFile().load()
                .with(ConfigAddress.of(ConfigKey.LOCAL_PORT), "0", "benchmark")
                .with(ConfigAddress.of(ConfigKey.LOCAL_BIND), "127.0.0.1", "benchmark")
                .with(ConfigAddress.of(ConfigKey.STARTUP_PRELOAD), "true", "benchmark");
        if (widest > values.value(ConfigKey.PARALLEL)) {
            values = values.with(ConfigAddress.of(ConfigKey.PARALLEL), Integer.toString(widest), "--streams");
        }
        return new StartOptions(root.home(), root.configFile().path(), values, List.of(model), false, true, false);
    }

    private void calibrate(String id) {
        root.terminal().err().println(id + ": calibrating");
        try (var agent = ControlClient.connect(root.home()).orElseThrow(() -> new AgentException(ErrorCode.NOT_RUNNING, "the agent has ended"))) {
            agent.calibrate(id);
        }
    }

    private int measure(LocalEndpoint endpoint) throws InterruptedException {
        var err = root.terminal().err();
        try (var client = new LocalClient(endpoint)) {
            List<String> served = client.models();
            String id = model == null || served.size() == 1 ? served.getFirst() : model;
            if (!served.contains(id)) {
                throw new ParameterException(spec.commandLine(), "the agent does not serve " + id + "; it serves " + String.join(", ", served));
            }
            if (calibrate) {
                calibrate(id);
            }
            var plan = new Benchmark.Plan(id, promptTokens, answerTokens, runs, streams);
            var rows = new Benchmark(client, plan).run(n -> err.println(id + ": " + n + (n == 1 ? " stream" : " streams")));
            var report = BenchmarkReport.of(root.home(), plan, rows);
            root.terminal().out().println(json ? report.toJson() : BenchmarkText.of(report));
            return 0;
        }
    }
}
