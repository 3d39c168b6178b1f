package dev.darkbloom.agent.hardware;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs programs by absolute path, without a shell, without a terminal, in an environment of three fixed variables: what they answer depends
 * neither on the owner's language nor on what else the owner has set. A program that takes longer or prints more than it may is ended.
 *
 * <p>Standard error is dropped: macOS 26 writes log lines there, which are no part of an answer.
 *
 * @param limit after which a program is ended
 * @param maxBytes of standard output
 */
record SystemTools(Duration limit, int maxBytes) implements ToolRunner {
    /** The limits that every probe uses: the slowest tool we ask, {@code system_profiler}, was seen to take 0.3 s for one kind of data. */
    static final SystemTools STANDARD = new SystemTools(Duration.ofSeconds(5), 1 << 20);

    @Override
    public ToolResult run(String... command) {
        if (!new File(command[0]).isAbsolute()) {
            throw new IllegalArgumentException(command[0] + " is not an absolute path");
        }
        long deadline = System.nanoTime() + limit.toNanos();
        var builder = new ProcessBuilder(command).redirectError(Redirect.DISCARD).redirectInput(Redirect.from(new File("/dev/null")));
        var environment = builder.environment();
        environment.clear();
        environment.put("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        environment.put("LC_ALL", "C");
        environment.put("LANG", "C");
        Process process;
        try {
            process = builder.start();
        } catch (IOException _) {
            return ToolResult.failed(ToolResult.Outcome.MISSING);
        }
        try {
            // On a thread of its own: a program that hangs keeps its output open, and reading it would hang, too.
            var bytes = new CompletableFuture<byte[]>();
            Thread.ofVirtual().name("task-tool").start(() -> read(process.getInputStream(), bytes));
            byte[] read = bytes.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (read.length > maxBytes) {
                return ToolResult.failed(ToolResult.Outcome.TOO_LONG);
            }
            // It has closed its output; most end at once then.
            return process.waitFor(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)
                    ? ToolResult.ended(process.exitValue(), new String(read, StandardCharsets.UTF_8))
                    : ToolResult.failed(ToolResult.Outcome.TOO_SLOW);
        } catch (TimeoutException _) {
            return ToolResult.failed(ToolResult.Outcome.TOO_SLOW);
        } catch (ExecutionException _) {
            return ToolResult.failed(ToolResult.Outcome.BROKEN);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return ToolResult.failed(ToolResult.Outcome.BROKEN);
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    /** Reads one byte more than is allowed, so that too much shows. */
    private void read(InputStream in, CompletableFuture<byte[]> bytes) {
        try {
            bytes.complete(in.readNBytes(maxBytes + 1));
        } catch (IOException e) {
            bytes.completeExceptionally(e);
        }
    }
}
