package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.StartNews;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how a start goes on: a bar for each model on a terminal, plain lines elsewhere. All of it is commentary on stderr. */
final class StartProgress implements StartNews, AutoCloseable {
    private static final int PERCENT = 100;

    private final Terminal terminal;
    private ProgressBar bar;
    private String loading = "";

    StartProgress(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void loading(String modelId, double share) {
        if (!modelId.equals(loading)) {
            loading = modelId;
            if (terminal.isInteractive()) {
                bar = new ProgressBarBuilder()
                        .setTaskName("loading " + modelId)
                        .setInitialMax(PERCENT)
                        .setStyle(ProgressBarStyle.ASCII)
                        .setUpdateIntervalMillis(100)
                        .hideEta()
                        .setConsumer(new ConsoleProgressBarConsumer(System.err, 72))
                        .build();
            } else {
                terminal.err().println("loading " + modelId);
            }
        }
        if (bar != null) {
            bar.stepTo(Math.round(share * PERCENT));
        }
    }

    @Override
    public void loaded(String modelId, Duration took, int slots, int contextTokens) {
        endBar();
        terminal.err().println(String.format(Locale.ROOT, "loaded %s in %.1f s: %d slots with %s tokens of context each",
                modelId, took.toMillis() / 1000.0, slots, Units.count(contextTokens)));
    }

    @Override
    public void postponed(String modelId, String reason) {
        endBar();
        terminal.err().println("not loaded now: " + modelId + ": " + reason);
    }

    @Override
    public void warning(String text) {
        terminal.err().println("warning: " + text);
    }

    /** The one line of stdout: what to give a client. */
    @Override
    public void ready(String baseUrl) {
        terminal.out().println("ready: " + baseUrl);
        terminal.err().println("try it from another terminal: darkbloom-agent chat     for your own clients: darkbloom-agent local");
    }

    @Override
    public void connecting(String address) {
        terminal.out().println("serving: " + address);
        terminal.err().println("whether work can come, and what stops it: darkbloom-agent status");
    }

    private void endBar() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    @Override
    public void close() {
        endBar();
    }
}
