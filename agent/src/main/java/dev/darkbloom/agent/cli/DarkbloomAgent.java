package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.config.ConfigFile;
import dev.darkbloom.agent.service.AgentVersion;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command line as a whole: its verbs, and the options that every verb takes. */
@Command(
        name = DarkbloomAgent.NAME,
        synopsisHeading = "",
        customSynopsis = "usage: darkbloom-agent VERB [options]",
        description = {"", "Runs language models on this machine and answers OpenAI clients on a local endpoint.", ""},
        optionListHeading = "%nEvery verb takes:%n",
        versionProvider = DarkbloomAgent.Version.class,
        footer = {
            "",
            "Examples:",
            "  darkbloom-agent start --local --model demo       serve the small model that comes with the agent",
            "  darkbloom-agent start --local --model FILE.gguf  serve a model of yours",
            "  darkbloom-agent chat                             talk to it from another terminal",
            "  darkbloom-agent local                            what to paste into an OpenAI client",
            "",
            "darkbloom-agent VERB --help explains a verb."
        })
public final class DarkbloomAgent implements Runnable {
    static final String NAME = "darkbloom-agent";

    @Option(names = {"-c", "--config"}, paramLabel = "FILE", scope = ScopeType.INHERIT,
            description = "Settings file, instead of agent.toml in the agent's home.")
    private Path config;

    @Option(names = {"-v", "--verbose"}, scope = ScopeType.INHERIT, description = "More detail; stack traces of errors.")
    private boolean verbose;

    @Option(names = {"-h", "--help"}, usageHelp = true, scope = ScopeType.INHERIT, description = "This help.")
    private boolean help;

    @Option(names = "--version", versionHelp = true, description = "Versions of the agent, llama.cpp and Java, and the platform.")
    private boolean version;

    @Spec
    private CommandSpec spec;

    private final AgentHome home;
    private final Map<String, String> environment;
    private final Terminal terminal;

    DarkbloomAgent(AgentHome home, Map<String, String> environment, Terminal terminal) {
        this.home = home;
        this.environment = environment;
        this.terminal = terminal;
    }

    /** Runs one command line of this process and returns its exit code. */
    public static int run(String... args) {
        return commandLine(AgentHome.locate(), System.getenv(), Terminal.ofProcess(), args).execute(args);
    }

    /** Returns a command line that is ready to run {@code args}. */
    static CommandLine commandLine(AgentHome home, Map<String, String> environment, Terminal terminal, String... args) {
        var root = new DarkbloomAgent(home, environment, terminal);
        var line = new CommandLine(root);
        CommandGroups.register(line, root, args);
        var failures = new Failures(root);
        return line.setOut(terminal.out())
                .setErr(terminal.err())
                .setUsageHelpAutoWidth(terminal.isInteractive())
                .setUsageHelpWidth(110)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(failures)
                .setExecutionExceptionHandler(failures);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a verb is missing");
    }

    AgentHome home() {
        return home;
    }

    Terminal terminal() {
        return terminal;
    }

    ConfigFile configFile() {
        return ConfigFile.locate(Optional.ofNullable(config), environment, home);
    }

    Map<String, String> environment() {
        return environment;
    }

    boolean isVerbose() {
        return verbose;
    }

    /** Prints what {@code --version} asks for. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return AgentVersion.current().lines();
        }
    }
}
