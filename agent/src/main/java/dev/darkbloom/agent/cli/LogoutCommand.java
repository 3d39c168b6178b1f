package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.account.AccountLink;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Forgets the account. */
@Command(
        name = "logout",
        description = "Unbind this machine from its account.",
        footer = {"", "Removes the token. A running agent connects anew to tell the coordinator; requests that it is answering then are lost."})
final class LogoutCommand implements Callable<Integer> {
    private final DarkbloomAgent root;

    LogoutCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public Integer call() {
        boolean removed = AccountLink.logout(root.home());
        root.terminal().out().println(removed ? "this machine belongs to no account any more" : "this machine belonged to no account");
        if (removed) {
            switch (AccountLink.tellAgent(root.home())) {
                case NONE -> { }
                case ANEW -> root.terminal().err().println("the running agent tells the coordinator now");
                case LATER -> root.terminal().err().println("the running agent stays bound until it connects again: restart it");
            }
        }
        return 0;
    }
}
