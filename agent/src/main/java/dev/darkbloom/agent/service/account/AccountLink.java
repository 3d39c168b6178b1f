package dev.darkbloom.agent.service.account;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.config.AgentHome;
import dev.darkbloom.agent.coordinator.CoordinatorAddress;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.coordinator.CoordinatorRoute;
import dev.darkbloom.agent.service.control.ControlClient;
import dev.darkbloom.agent.service.control.StatusReport;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** What {@code login} and {@code logout} do. Any thread. */
public final class AccountLink {
    private final AgentHome home;
    private final CoordinatorRoute route;

    private AccountLink(AgentHome home, CoordinatorRoute route) {
        this.home = home;
        this.route = route;
    }

    /**
     * Returns the link to the coordinator that {@code url} names, or else the settings.
     *
     * @throws AgentException {@code COORDINATOR_MISSING} where neither names one
     */
    public static AccountLink at(AgentHome home, AgentConfig config, Optional<String> url, Map<String, String> environment) {
        String text = url.or(() -> config.coordinator().url()).orElseThrow(() -> new AgentException(ErrorCode.COORDINATOR_MISSING,
                "no coordinator is set, and none is built in; give --coordinator-url, or set coordinator.url"));
        return new AccountLink(home, CoordinatorRoute.of(CoordinatorAddress.parse(text), environment, config.coordinator().caFile()));
    }

    /**
     * Logs in and keeps the token.
     *
     * @return the account, in words for a person
     */
    public String login(DeviceLogin.Prompt prompt) throws InterruptedException {
        try (var http = new CoordinatorHttp(route)) {
            DeviceLogin.Linked linked = new DeviceLogin(http).run(prompt);
            new AccountToken(route.address(), linked.token()).write(home.accountToken());
            return linked.account().map(id -> "account " + id).orElse("your account");
        }
    }

    /** Checks whether the owner's requests reach the running agent; parameters as in {@link SelfRouteCheck#run}. */
    public static SelfRouteCheck.Finding selfRoute(AgentConfig config, String url, Map<String, String> environment, Supplier<StatusReport> status,
            String model, Redacted key) throws InterruptedException {
        try (var http = new CoordinatorHttp(CoordinatorRoute.of(CoordinatorAddress.parse(url), environment, config.coordinator().caFile()))) {
            return new SelfRouteCheck(http, status).run(model, key);
        }
    }

    /**
     * Returns what to say before {@code secret} is sent to an address that others can listen to; empty where they cannot.
     *
     * @throws AgentException {@code CONFIG_INVALID} when it is none
     */
    public static Optional<String> warning(String url, String secret) {
        CoordinatorAddress address = CoordinatorAddress.parse(url);
        return address.isReadableOnTheWay()
                ? Optional.of("warning: " + address + " is not encrypted: " + secret + " can be read on its way") : Optional.empty();
    }

    /** Returns {@link #warning(String, String)} for the coordinator that this leads to. */
    public Optional<String> warning(String secret) {
        return warning(route.address().toString(), secret);
    }

    /** What a running agent makes of an account that has changed. */
    public enum Registration {
        /** No agent runs in this home, or it serves no coordinator. */
        NONE,
        /** It connects anew now, and tells the account that it finds. */
        ANEW,
        /** It is older than this program: it tells the account from its next connection on. */
        LATER
    }

    /** Tells the agent that runs in {@code home} that the account has changed. */
    public static Registration tellAgent(AgentHome home) {
        Optional<ControlClient> agent = ControlClient.connect(home);
        if (agent.isEmpty()) {
            return Registration.NONE;
        }
        try (ControlClient client = agent.get()) {
            return client.reregister().coordinator().isPresent() ? Registration.ANEW : Registration.NONE;
        } catch (AgentException e) {
            return e.code() == ErrorCode.NOT_RUNNING ? Registration.NONE : Registration.LATER;
        }
    }

    /** Removes the token; returns whether there was one. */
    public static boolean logout(AgentHome home) {
        return AccountToken.remove(home.accountToken());
    }
}
