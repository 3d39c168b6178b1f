package dev.darkbloom.agent.service.account;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.coordinator.CoordinatorHttp;
import dev.darkbloom.agent.service.account.AccountCodec.DeviceCode;
import dev.darkbloom.agent.service.account.AccountCodec.Grant;
import java.time.Duration;
import java.util.Optional;

/**
 * Binds this machine to an account by a device code (RFC 8628): the coordinator gives a code, a person confirms it in a browser anywhere, the
 * coordinator gives a token. Blocks the calling thread, which may be interrupted.
 */
public final class DeviceLogin {
    private static final Duration SLOWER = Duration.ofSeconds(5); // RFC 8628, 3.5
    private static final int MOST_OUTAGES = 5;

    private final CoordinatorHttp http;
    private final Pause pause;

    /** Waits; a test's does not. */
    @FunctionalInterface
    interface Pause {
        void sleep(Duration duration) throws InterruptedException;
    }

    /** Borrows {@code http}. */
    public DeviceLogin(CoordinatorHttp http) {
        this(http, Thread::sleep);
    }

    DeviceLogin(CoordinatorHttp http, Pause pause) {
        this.http = http;
        this.pause = pause;
    }

    /** Hears what the person has to do. */
    @FunctionalInterface
    public interface Prompt {
        /**
         * Shows the code.
         *
         * @param expiresIn how long it holds
         */
        void confirm(String userCode, String verificationUri, Duration expiresIn);
    }

    /**
     * What a login gave.
     *
     * @param account the account's id, where the coordinator tells it
     */
    public record Linked(Redacted token, Optional<String> account) {}

    /**
     * Logs in.
     *
     * @throws AgentException {@code LOGIN_FAILED} when the code expires or is refused, {@code COORDINATOR_UNREACHABLE}
     */
    public Linked run(Prompt prompt) throws InterruptedException {
        CoordinatorHttp.Answer answer = http.post("/v1/device/code", "");
        if (!answer.isOk()) {
            throw new AgentException(ErrorCode.LOGIN_FAILED, "the coordinator gives out no device codes: HTTP " + answer.status());
        }
        DeviceCode code = AccountCodec.deviceCode(answer.body());
        prompt.confirm(code.userCode(), code.verificationUri(), code.expiresIn());
        Duration interval = code.interval();
        Duration waited = Duration.ZERO;
        int outages = 0;
        while (waited.compareTo(code.expiresIn()) < 0) {
            pause.sleep(interval);
            waited = waited.plus(interval);
            Grant grant;
            try {
                CoordinatorHttp.Answer poll = http.post("/v1/device/token", AccountCodec.tokenRequest(code.deviceCode()));
                grant = poll.status() >= 500 || poll.status() == 429 ? new Grant.SlowDown() : AccountCodec.grant(poll.status(), poll.body());
                outages = 0;
            } catch (AgentException e) {
                if (e.code() != ErrorCode.COORDINATOR_UNREACHABLE || ++outages > MOST_OUTAGES) {
                    throw e;
                }
                continue; // the code still holds
            }
            switch (grant) {
                case Grant.Pending() -> { }
                case Grant.SlowDown() -> interval = interval.plus(SLOWER);
                case Grant.Authorized(Redacted token, Optional<String> account) -> {
                    return new Linked(token, account); // asking again would make another token
                }
                case Grant.Refused(String type) -> throw new AgentException(ErrorCode.LOGIN_FAILED, switch (type) {
                    case "expired_token" -> "the code has expired before it was confirmed";
                    case "access_denied" -> "the login was refused in the browser";
                    case "invalid_grant" -> "the coordinator does not know the code any more";
                    default -> "the coordinator refused the login: " + type;
                });
            }
        }
        throw new AgentException(ErrorCode.LOGIN_FAILED, "the code has expired before it was confirmed");
    }
}
