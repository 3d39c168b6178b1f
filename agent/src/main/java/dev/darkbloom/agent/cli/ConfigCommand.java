package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigFile;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.config.ConfigReference;
import dev.darkbloom.agent.config.ConfigValues;
import java.util.LinkedHashSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Reads and edits the settings file. */
@Command(
        name = "config",
        description = "Read, set and explain settings.",
        footer = {
            "",
            "Examples:",
            "  darkbloom-agent config get                          every setting and where it comes from",
            "  darkbloom-agent config set backend.parallel 4",
            "  darkbloom-agent config set 'models.\"my-model-1.5\".path' /models/my-model-1.5.gguf",
            "  darkbloom-agent config explain local.port"
        })
final class ConfigCommand implements Runnable {
    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    ConfigCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "config needs one of get, set, unset, explain");
    }

    @Command(name = "get", description = "Print one setting, or all with where they come from.")
    void get(@Parameters(paramLabel = "KEY", arity = "0..1", description = "As in the file: local.port") String key) {
        ConfigValues values = root.configFile().load();
        if (key != null) {
            root.terminal().out().println(values.toml(ConfigAddress.parse(key)));
            return;
        }
        var addresses = new LinkedHashSet<ConfigAddress>();
        ConfigKey.all().stream().filter(known -> !known.isPerModel()).map(ConfigAddress::of).forEach(addresses::add);
        addresses.addAll(values.addresses());
        int width = addresses.stream().mapToInt(address -> address.toString().length()).max().orElse(0);
        for (ConfigAddress address : addresses) {
            root.terminal().out().printf("%-" + width + "s = %s   # %s%n", address, values.toml(address),
                    values.origin(address).orElse("default"));
        }
    }

    @Command(name = "set", description = "Set one setting in the file; a running agent keeps what it started with.")
    void set(@Parameters(paramLabel = "KEY", description = "As in the file: local.port") String key,
            @Parameters(paramLabel = "VALUE", description = "A number, true or false, or text; lists are separated by commas.") String value) {
        ConfigFile file = root.configFile();
        file.set(ConfigAddress.parse(key), value);
        root.terminal().err().println(ConfigAddress.parse(key) + " is set in " + file.path() + "; it holds from the next start");
    }

    @Command(name = "unset", description = "Remove one setting from the file, so that its default holds again.")
    void unset(@Parameters(paramLabel = "KEY", description = "As in the file: local.port") String key) {
        ConfigFile file = root.configFile();
        file.unset(ConfigAddress.parse(key));
        root.terminal().err().println(ConfigAddress.parse(key) + " has its default from the next start");
    }

    @Command(name = "explain", description = "Say what one setting, or every setting, means.")
    void explain(@Parameters(paramLabel = "KEY", arity = "0..1", description = "As in the file: local.port") String key,
            @Option(names = "--markdown", description = "Print docs/configuration.md.") boolean markdown) {
        String text = markdown ? ConfigReference.markdown()
                : key == null ? ConfigReference.explainAll()
                : ConfigReference.explain(keyOf(key));
        root.terminal().out().print(text);
        root.terminal().out().flush();
    }

    private static ConfigKey<?> keyOf(String words) {
        return ConfigKey.all().stream()
                .filter(key -> key.name().equals(words))
                .findFirst()
                .orElseGet(() -> ConfigAddress.parse(words).key());
    }
}
