package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.ConfigAddress;
import dev.darkbloom.agent.config.ConfigKey;
import dev.darkbloom.agent.models.ModelEntry;
import dev.darkbloom.agent.models.ModelInspection;
import dev.darkbloom.agent.service.ModelCatalog;
import dev.darkbloom.agent.service.builds.OwnersCatalogue;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows the models that can be served. */
@Command(
        name = "models",
        description = "List models, look into a GGUF file, give a file another id, or fetch from a coordinator's catalogue.",
        footer = {
            "",
            "Examples:",
            "  darkbloom-agent models list",
            "  darkbloom-agent models inspect FILE.gguf --ctx-size 8192 --parallel 4",
            "  darkbloom-agent models add FILE.gguf --id org/model-8bit",
            "  darkbloom-agent models map",
            "  darkbloom-agent models catalog",
            "  darkbloom-agent models download org/model-8bit"
        })
final class ModelsCommand implements Runnable {
    private static final int MAX_ID_LETTERS = 200;
    private static final String COORDINATOR = "Coordinator, instead of the one in the settings.";

    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    ModelsCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "models needs one of list, inspect, add, map, unbind, catalog, download, remove");
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

    @Command(name = "add", description = "Serve a file under an id that a coordinator knows.",
            footer = {"", "The binding is kept in the settings as models.\"ID\".path; the file stays where it is. start --model ID serves it."})
    void add(
            @Parameters(paramLabel = "FILE", description = "A GGUF file (of a split one any part), or an id of models list.") String file,
            @Option(names = "--id", paramLabel = "ID", required = true, description = "The id; dots and slashes are fine.") String id) {
        if (id.isBlank() || id.length() > MAX_ID_LETTERS || !id.chars().allMatch(c -> c > ' ' && c < 0x7F && c != '"' && c != '\\')) {
            throw new ParameterException(spec.commandLine().getSubcommands().get("add"),
                    "--id is 1 to " + MAX_ID_LETTERS + " printable letters without spaces, quotes and backslashes");
        }
        ModelCatalog catalog = catalog();
        String binding = catalog.binding(catalog.find(file).orElseThrow());
        root.configFile().set(new ConfigAddress(ConfigKey.MODEL_PATH, id), binding);
        root.terminal().out().println(id + " is " + binding);
        root.terminal().err().println("serve it: darkbloom-agent start --model " + id + " (with --local or a coordinator)");
    }

    @Command(name = "map", description = "List the ids that are bound to files.")
    void map(@Option(names = "--json", description = "As JSON.") boolean json) {
        List<ModelEntry> bound = catalog().bound();
        if (json) {
            root.terminal().out().println(ModelCatalog.toJson(bound));
            return;
        }
        var table = new TextTable("ID", "SIZE", "FILE", "");
        for (ModelEntry entry : bound) {
            table.row(entry.id(), Units.bytes(entry.sizeBytes()), entry.files().getFirst().toString(),
                    entry.problem().map(problem -> "cannot be loaded: " + problem).orElse(""));
        }
        root.terminal().out().print(table);
        root.terminal().out().flush();
        if (bound.isEmpty()) {
            root.terminal().err().println("no id is bound; darkbloom-agent models add FILE.gguf --id ID binds one");
        }
    }

    @Command(name = "unbind", description = "Take an id away from its file; the file stays.")
    int unbind(@Parameters(paramLabel = "ID", description = "An id of models map.") String id) {
        if (catalog().bound().stream().noneMatch(entry -> entry.id().equals(id))) {
            root.terminal().err().println("darkbloom-agent: " + id + " is bound to no file; see: darkbloom-agent models map");
            return 1;
        }
        root.configFile().unset(new ConfigAddress(ConfigKey.MODEL_PATH, id));
        root.terminal().out().println(id + " is bound to no file any more");
        return 0;
    }

    @Command(name = "catalog", description = "List what the coordinator's catalogue has.")
    void catalogue(
            @Option(names = "--coordinator-url", paramLabel = "URL", description = COORDINATOR) String url,
            @Option(names = "--json", description = "As JSON.") boolean json) throws InterruptedException {
        try (var catalogue = catalogue(url)) {
            List<OwnersCatalogue.Row> rows = catalogue.list();
            if (json) {
                root.terminal().out().println(OwnersCatalogue.toJson(rows));
                return;
            }
            var table = new TextTable("ID", "TYPE", "GB", "LEAST MEMORY", "HERE", "NAME");
            for (OwnersCatalogue.Row row : rows) {
                table.row(row.id(), row.type(), row.sizeGb() == 0 ? "" : String.format(Locale.ROOT, "%.1f", row.sizeGb()),
                        row.leastMemoryGb() == 0 ? "" : row.leastMemoryGb() + " GB", row.here(), row.name());
            }
            root.terminal().out().print(table);
            root.terminal().out().flush();
            root.terminal().err().println("darkbloom-agent models add FILE.gguf --id ID serves a file of yours under one of these ids; models download ID "
                    + "fetches one whose build is a GGUF file");
        }
    }

    @Command(name = "download", description = "Fetch a build of the coordinator's catalogue; goes on where an earlier attempt ended.",
            footer = {"", "Every file's SHA-256 is checked. start --model ID serves it."})
    void download(
            @Parameters(paramLabel = "ID", description = "An id of models catalog.") String id,
            @Option(names = "--coordinator-url", paramLabel = "URL", description = COORDINATOR) String url) throws InterruptedException {
        try (var catalogue = catalogue(url); var progress = new DownloadProgress(root.terminal(), id)) {
            var build = catalogue.download(id, progress);
            progress.close();
            root.terminal().out().println(id + " is in " + build.folder());
            root.terminal().err().println("serve it: darkbloom-agent start --model " + id + " (with --local or a coordinator)");
        }
    }

    @Command(name = "remove", description = "Delete a build that was fetched from a catalogue.",
            footer = {"", "An agent that serves it goes on until it unloads it. Other files are yours to delete."})
    int remove(@Parameters(paramLabel = "ID", description = "An id of models list.") String id) {
        if (!catalog().remove(id)) {
            root.terminal().err().println("darkbloom-agent: no build " + id + " was fetched here; see: darkbloom-agent models list");
            return 1;
        }
        root.terminal().out().println(id + " is deleted");
        return 0;
    }

    private OwnersCatalogue catalogue(String url) {
        return OwnersCatalogue.open(Optional.ofNullable(url), AgentConfig.of(root.configFile().load()), root.home(), root.environment());
    }

    private ModelCatalog catalog() {
        return new ModelCatalog(root.home(), AgentConfig.of(root.configFile().load()));
    }
}
