package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.local.LocalClient;
import dev.darkbloom.agent.service.local.LocalEndpoint;
import java.io.IOException;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A conversation with a model of the running agent. */
@Command(
        name = "chat",
        description = "Talk to a model of the running agent.",
        footer = {
            "",
            "In a terminal: /exit ends, /reset forgets the conversation, /system TEXT sets the system prompt, Ctrl-C ends an answer.",
            "From a pipe each line is one turn, answers go to stdout: echo 'Hello' | darkbloom-agent chat"
        })
final class ChatCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    @Option(names = "--model", paramLabel = "MODEL", description = "One of the agent's models; its first by default.")
    private String model;

    @Option(names = "--system", paramLabel = "TEXT", description = "System prompt.")
    private String system;

    @Option(names = "--max-tokens", paramLabel = "N", description = "Most tokens of an answer.")
    private Integer maxTokens;

    ChatCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() throws IOException {
        if (maxTokens != null && maxTokens < 1) {
            throw new ParameterException(spec.commandLine(), "--max-tokens is 1 or more");
        }
        try (var client = new LocalClient(LocalEndpoint.require(root.home()))) {
            var talk = new Conversation(client, chooseModel(client), maxTokens == null ? OptionalInt.empty() : OptionalInt.of(maxTokens),
                    root.terminal());
            talk.system(system == null ? "" : system);
            if (root.terminal().isInteractive()) {
                new ChatPrompt(talk).run();
                return 0;
            }
            return talk.runLines() ? 0 : 1;
        }
    }

    private String chooseModel(LocalClient client) {
        List<String> models = client.models();
        if (model == null) {
            return models.getFirst();
        }
        if (!models.contains(model)) {
            throw new ParameterException(spec.commandLine(), "the agent does not serve " + model + "; it serves " + String.join(", ", models));
        }
        return model;
    }
}
