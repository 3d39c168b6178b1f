package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.local.LocalClient;
import dev.darkbloom.agent.service.local.LocalEndpoint;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Says what to give a client of the local endpoint. */
@Command(
        name = "local",
        description = "Print the local endpoint's address and key for your own clients.",
        footer = {"", "Exit code: 0 when an agent answers, 3 when none does. The key is a secret of this machine."})
final class LocalCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Option(names = "--json", description = "The discovery record as JSON; {} when no agent answers.")
    private boolean json;

    LocalCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() {
        var out = root.terminal().out();
        var found = LocalEndpoint.find(root.home());
        if (json) {
            out.println(LocalEndpoint.recordJson(root.home()));
            return found.isPresent() ? 0 : StatusAnswer.NOT_RUNNING;
        }
        LocalEndpoint endpoint = LocalEndpoint.require(root.home());
        List<String> models;
        try (var client = new LocalClient(endpoint)) {
            models = client.models();
        }
        out.println("base URL   " + endpoint.baseUrl());
        out.println("key        " + (endpoint.requiresKey() ? endpoint.key().reveal() + "   (" + endpoint.tokenFile() + ")" : "none is asked for"));
        out.println("models     " + String.join(", ", models));
        out.println();
        out.println(curl(endpoint, models.isEmpty() ? "MODEL" : models.getFirst()));
        return 0;
    }

    private static String curl(LocalEndpoint endpoint, String model) {
        String key = endpoint.requiresKey() ? "  -H 'Authorization: Bearer " + endpoint.key().reveal() + "' \\\n" : "";
        return "curl " + endpoint.baseUrl() + "/chat/completions \\\n"
                + key
                + "  -H 'Content-Type: application/json' \\\n"
                + "  -d '{\"model\":\"" + model + "\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'";
    }
}
