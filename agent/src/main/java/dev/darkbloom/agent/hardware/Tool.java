package dev.darkbloom.agent.hardware;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;

/** Runs the system's own small programs: by absolute path, without a shell, in plain English, and not for long. */
final class Tool {
    private Tool() {}

    /**
     * Returns what a program printed to its standard output.
     *
     * @param limit after which the program is ended
     * @return empty when it cannot be started or does not end in time; when the calling thread is interrupted, whose flag is set again then
     */
    static Optional<String> output(List<String> command, Duration limit) {
        try {
            var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
            builder.environment().put("LC_ALL", "C");
            Process process = builder.start();
            try {
                process.getOutputStream().close();
                // On a thread of its own: a program that hangs keeps its output open, and reading it would hang, too.
                var text = new CompletableFuture<String>();
                Thread.ofVirtual().name("task-tool").start(() -> {
                    try {
                        text.complete(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
                    } catch (IOException e) {
                        text.completeExceptionally(e);
                    }
                });
                return process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS) ? Optional.of(text.join()) : Optional.empty();
            } finally {
                process.destroyForcibly();
            }
        } catch (IOException | CompletionException _) {
            return Optional.empty();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
