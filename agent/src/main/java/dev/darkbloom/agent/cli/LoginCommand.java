package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.service.account.AccountLink;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Binds this machine to an account at the coordinator. */
@Command(
        name = "login",
        description = "Bind this machine to your account at the coordinator.",
        footer = {
            "",
            "Shows a code that you confirm in a browser, on this machine or another. The token lies in the agent's home, readable by you",
            "only. A running agent connects anew to tell the coordinator; requests that it is answering then are lost."
        })
final class LoginCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    @Option(names = "--coordinator-url", paramLabel = "URL", description = "Coordinator, instead of the one in the settings.")
    private String url;

    LoginCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() throws InterruptedException {
        var terminal = root.terminal();
        var link = AccountLink.at(root.home(), AgentConfig.of(root.configFile().load()), Optional.ofNullable(url), root.environment());
        link.warning("the account's token").ifPresent(terminal.err()::println);
        String account = link.login((code, address, expiresIn) -> {
            terminal.out().println("open     " + address);
            terminal.out().println("confirm  " + code + "   (within " + expiresIn.toMinutes() + " min)");
            terminal.out().flush();
            terminal.err().println("waiting for the confirmation; Ctrl-C gives up");
        });
        terminal.out().println("this machine belongs to " + account);
        terminal.err().println("the token is in " + root.home().accountToken());
        switch (AccountLink.tellAgent(root.home())) {
            case NONE -> { }
            case ANEW -> terminal.err().println("the running agent tells the coordinator now");
            case LATER -> terminal.err().println("the running agent tells the coordinator when it connects again: restart it");
        }
        return 0;
    }
}
