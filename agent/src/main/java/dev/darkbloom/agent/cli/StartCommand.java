package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.config.ConfigValues;
import dev.darkbloom.agent.service.AgentLog;
import dev.darkbloom.agent.service.AgentRuntime;
import dev.darkbloom.agent.service.StartOptions;
import dev.darkbloom.agent.service.StopSignal;
import dev.darkbloom.agent.service.account.AccountLink;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Runs the agent in this process until it is told to end. */
@Command(
        name = "start",
        description = "Load models and answer a coordinator's consumers, or this machine's own clients, until stopped.",
        sortOptions = false,
        footer = {
            "",
            "Examples:",
            "  darkbloom-agent start --local --model demo",
            "  darkbloom-agent start --local --model ~/models/llama.gguf --ctx-size 8192 --parallel 4",
            "  darkbloom-agent start --local --all --port 8001",
            "  darkbloom-agent start --coordinator-url wss://coordinator.example --model org/model-8bit --local-endpoint",
            "",
            "Ctrl-C, SIGTERM and darkbloom-agent stop end it: what runs is finished first."
        })
final class StartCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    @Option(names = "--local", description = "Answer this machine's own clients only; no coordinator is contacted.")
    private boolean local;

    @Option(names = "--coordinator-url", paramLabel = "URL",
            description = "Serve this coordinator's consumers; coordinator.url in the settings says the same.")
    private String coordinatorUrl;

    @Option(names = "--local-endpoint", description = "Answer this machine's own clients besides, with the same weights and slots.")
    private boolean localEndpoint;

    @Option(names = "--model", paramLabel = "MODEL",
            description = "demo, an id of models list, or a GGUF file; may be given several times.")
    private List<String> models = new ArrayList<>();

    @Option(names = "--all", description = "Serve every model of models list that can be loaded.")
    private boolean all;

    @Option(names = "--ctx-size", paramLabel = "TOKENS",
            description = "Context of each slot; the model's own by default, less where memory asks for it.")
    private String contextSize;

    @Option(names = "--parallel", paramLabel = "N", description = "Slots of each model: requests answered side by side (default: 8).")
    private String parallel;

    @Option(names = "--threads", paramLabel = "N",
            description = "Threads that compute; by default as many as were measured to be best, up to one per performance core.")
    private String threads;

    @Option(names = "--port", paramLabel = "PORT", description = "Port of the local endpoint; 0 takes any free one (default: 8000).")
    private String port;

    @Option(names = "--bind", paramLabel = "ADDRESS", description = "Address of the local endpoint (default: 127.0.0.1).")
    private String bind;

    @Option(names = "--no-auth", description = "Ask clients for no key.")
    private boolean noAuth;

    @Option(names = "--i-understand-open-endpoint", description = "Allow --no-auth on an address that others can reach.")
    private boolean openEndpoint;

    @Option(names = "--foreground", description = "Stay in this terminal, which every start does in this version.")
    private boolean foreground;

    StartCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() throws InterruptedException {
        Terminal terminal = root.terminal();
        if (local && (coordinatorUrl != null || localEndpoint)) {
            throw new ParameterException(spec.commandLine(), "--local contacts no coordinator; leave it out, or leave out "
                    + (coordinatorUrl != null ? "--coordinator-url" : "--local-endpoint"));
        }
        ConfigValues values = values();
        if (!local && coordinatorUrl == null && values.value(ConfigKey.COORDINATOR_URL).isEmpty()) {
            terminal.err().println("""
                    start needs to know whom to answer:
                      --local                  this machine's own clients; works now
                      --hub                    a private network of your own machines; not in this version
                      --coordinator-url URL    a coordinator's network; coordinator.url in the settings says the same
                    nothing was started and nothing was sent anywhere; try: darkbloom-agent start --local --model demo""");
            return 1;
        }
        if (!local) {
            String url = coordinatorUrl != null ? coordinatorUrl : values.value(ConfigKey.COORDINATOR_URL);
            AccountLink.warning(url, "an account's token").ifPresent(terminal.err()::println);
        }
        StartOptions.Audience audience = local ? StartOptions.Audience.LOCAL
                : localEndpoint ? StartOptions.Audience.BOTH : StartOptions.Audience.COORDINATOR;
        var options = new StartOptions(root.home(), root.configFile().path(), values, audience, Optional.ofNullable(coordinatorUrl), models, all,
                !noAuth, openEndpoint);
        AgentLog.toConsole(terminal.isInteractive(), root.isVerbose());
        var stop = new StopSignal();
        try (var signals = ProcessSignals.forwardTo(stop, terminal);
                var progress = new StartProgress(terminal);
                var agent = AgentRuntime.start(options, stop, progress)) {
            signals.running(agent::requestsInFlight);
            agent.serve();
        } catch (AgentException e) {
            if (e.code() == ErrorCode.CANCELLED && stop.isRequested()) {
                terminal.err().println("stopped before it was ready");
                return 1;
            }
            throw e;
        }
        terminal.err().println("stopped");
        return 0;
    }

    /** Returns the settings file's values with the flags over them. */
    private ConfigValues values() {
        ConfigValues values = root.configFile().load();
        try {
            values = with(values, ConfigKey.CONTEXT_LENGTH, contextSize, "--ctx-size");
            values = with(values, ConfigKey.PARALLEL, parallel, "--parallel");
            values = with(values, ConfigKey.THREADS, threads, "--threads");
            values = with(values, ConfigKey.LOCAL_PORT, port, "--port");
            return with(values, ConfigKey.LOCAL_BIND, bind, "--bind");
        } catch (AgentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
    }

    private static ConfigValues with(ConfigValues values, ConfigKey<?> key, String text, String flag) {
        return text == null ? values : values.with(ConfigAddress.of(key), text, flag);
    }
}
