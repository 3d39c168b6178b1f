package dev.darkbloom.agent.api;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/** macOS: asks {@code lsof}, which every Mac has. Processes of other users are not shown to it. */
final class LsofPortHolder implements PortHolder {
    private static final String LSOF = "/usr/sbin/lsof";
    private static final long LIMIT_SECONDS = 3;

    private final IntFunction<String> lsof;

    /**
     * @param lsof returns what {@code lsof -nP -iTCP:<port> -sTCP:LISTEN -Fpc} prints; empty where it could not be run
     */
    LsofPortHolder(IntFunction<String> lsof) {
        this.lsof = lsof;
    }

    static LsofPortHolder ofThisMac() {
        return new LsofPortHolder(LsofPortHolder::run);
    }

    /** {@code -F} prints one field a line, the first letter says which, {@code p} begins a process. */
    @Override
    public Optional<Holder> find(int port) {
        long pid = 0;
        for (String line : lsof.apply(port).lines().toList()) {
            String value = line.isEmpty() ? "" : line.substring(1);
            if (line.startsWith("p") && !value.isEmpty() && value.chars().allMatch(c -> c >= '0' && c <= '9')) {
                pid = Long.parseLong(value);
            } else if (line.startsWith("c") && pid > 0) {
                return Optional.of(new Holder(pid, value));
            }
        }
        return Optional.empty();
    }

    private static String run(int port) {
        try {
            Process process = new ProcessBuilder(List.of(LSOF, "-nP", "-iTCP:" + port, "-sTCP:LISTEN", "-Fpc"))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            process.getOutputStream().close();
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return "";
            }
            return new String(process.getInputStream().readAllBytes());
        } catch (IOException _) {
            return "";
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return "";
        }
    }
}
