package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.models.ModelEntry;
import dev.darkbloom.agent.models.ModelInspection;
import dev.darkbloom.agent.service.ModelCatalog;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows the models that can be served. */
@Command(
        name = "models",
        description = "List models, or look into a GGUF file.",
        footer = {
            "",
            "Examples:",
            "  darkbloom-agent models list",
            "  darkbloom-agent models inspect FILE.gguf --ctx-size 8192 --parallel 4"
        })
final class ModelsCommand implements Runnable {
    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    ModelsCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "models needs one of list, inspect");
    }

    @Command(name = "list", description = "List what --model takes: demo, the models folder, and bound files.")
    void list(@Option(names = "--json", description = "As JSON.") boolean json) {
        var catalog = catalog();
        List<ModelEntry> entries = catalog.list();
        if (json) {
            root.terminal().out().println(ModelCatalog.toJson(entries));
            return;
        }
        var table = new TextTable("ID", "SIZE", "TYPE", "QUANTIZATION", "CONTEXT", "");
        for (ModelEntry entry : entries) {
            table.row(entry.id(), Units.bytes(entry.sizeBytes()), entry.architecture(), entry.quantization(),
                    entry.trainedContextTokens() == 0 ? "" : Units.count(entry.trainedContextTokens()),
                    entry.problem().map(problem -> "cannot be loaded: " + problem).orElse(""));
        }
        root.terminal().out().print(table);
        root.terminal().out().flush();
        root.terminal().err().println("more models: put GGUF files into " + catalog.folder());
    }

    @Command(name = "inspect", description = "Print what a GGUF file holds and what memory it needs.")
    void inspect(
            @Parameters(paramLabel = "MODEL", description = "A GGUF file, or an id of models list.") String model,
            @Option(names = "--ctx-size", paramLabel = "TOKENS", description = "Context of each slot; the model's own by default.",
                    defaultValue = "0") int contextTokens,
            @Option(names = "--parallel", paramLabel = "N", description = "Slots (default: ${DEFAULT-VALUE}).",
                    defaultValue = "1") int slots,
            @Option(names = "--json", description = "As JSON.") boolean json) {
        if (contextTokens < 0 || slots < 1) {
            throw new ParameterException(spec.commandLine().getSubcommands().get("inspect"),
                    "--ctx-size is 0 or more and --parallel is 1 or more");
        }
        var inspection = ModelInspection.of(catalog().find(model).files().getFirst(), contextTokens, slots);
        root.terminal().out().print(json ? inspection.toJson() : inspection.toText());
        root.terminal().out().flush();
    }

    private ModelCatalog catalog() {
        return new ModelCatalog(root.home(), AgentConfig.of(root.configFile().load()));
    }
}
