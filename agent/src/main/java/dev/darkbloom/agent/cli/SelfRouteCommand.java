package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.service.account.AccountLink;
import dev.darkbloom.agent.service.account.SelfRouteCheck.Finding;
import dev.darkbloom.agent.service.control.ControlClient;
import dev.darkbloom.agent.service.control.StatusReport;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Whether the owner's own requests reach this machine. */
@Command(
        name = "self-route",
        description = "Check that your own requests reach this machine.",
        footer = {
            "",
            "Example:",
            "  DARKBLOOM_API_KEY=sk-db-... darkbloom-agent self-route check"
        })
final class SelfRouteCommand implements Runnable {
    static final String KEY_VARIABLE = "DARKBLOOM_API_KEY";

    private final DarkbloomAgent root;

    @Spec
    private CommandSpec spec;

    SelfRouteCommand(DarkbloomAgent root) {
        this.root = root;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "self-route needs check");
    }

    @Command(name = "check",
            description = "Send one real request through the coordinator, for your own machines only, and say whether this one answered.",
            footer = {"", "Your API key is read from " + KEY_VARIABLE + ". Exit code: 0 when this machine answered, 1 when not."})
    int check(@Option(names = "--model", paramLabel = "MODEL", description = "The model to ask; the first that is offered by default.") String model)
            throws InterruptedException {
        String key = root.environment().getOrDefault(KEY_VARIABLE, "").strip();
        if (key.isEmpty()) {
            throw new ParameterException(spec.commandLine().getSubcommands().get("check"), KEY_VARIABLE + " holds no API key");
        }
        StatusReport.Coordinator coordinator = status().coordinator().orElseThrow(() -> new AgentException(ErrorCode.COORDINATOR_MISSING,
                "the running agent serves no coordinator"));
        String asked = model != null ? model : coordinator.offered().stream().findFirst().orElseThrow(() -> new AgentException(
                ErrorCode.MODEL_MISSING, "the running agent offers no model"));
        root.terminal().err().println("sending one request for " + asked + " to " + coordinator.url()
                + "\na coordinator of before May 2026 knows no self-route: it ignores the wish and charges 100 micro-USD, whoever answers");
        AccountLink.warning(coordinator.url(), "the key in " + KEY_VARIABLE).ifPresent(root.terminal().err()::println);
        Finding finding = AccountLink.selfRoute(AgentConfig.of(root.configFile().load()), coordinator.url(), root.environment(), this::status, asked,
                new Redacted(key));
        return switch (finding) {
            case Finding.ServedHere(String job) -> {
                root.terminal().out().println("this machine answered it  (job " + job + ")");
                yield 0;
            }
            case Finding.ServedElsewhere(String job, List<StatusReport.Gate> closed) -> {
                root.terminal().out().println("another machine answered it" + (job.isEmpty() ? "" : "  (job " + job + ")"));
                explain(closed);
                yield 1;
            }
            case Finding.NotServed(int code, List<StatusReport.Gate> closed) -> {
                root.terminal().out().println(switch (code) {
                    case 0 -> "the answer ended with an error";
                    case 401, 403 -> "the coordinator does not accept the key in " + KEY_VARIABLE + ": HTTP " + code;
                    case 402 -> "the account of this key has no money, and the coordinator asks for some even so: HTTP 402";
                    default -> "nobody answered it: HTTP " + code;
                });
                explain(closed);
                yield 1;
            }
        };
    }

    private void explain(List<StatusReport.Gate> closed) {
        closed.forEach(gate -> root.terminal().out().println(CoordinatorText.gate(gate)));
        if (closed.isEmpty()) {
            root.terminal().out().println("every gate of this machine is open; is the key of the account that the machine belongs to?");
        }
        root.terminal().out().flush();
    }

    private StatusReport status() {
        try (var client = ControlClient.connect(root.home()).orElseThrow(() -> new AgentException(ErrorCode.NOT_RUNNING, "no agent is running"))) {
            return client.status();
        }
    }
}
