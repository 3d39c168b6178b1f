package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.models.builds.BuildFetch;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how a build comes: a bar on a terminal, a line for each tenth elsewhere. Commentary on stderr; one thread. */
final class DownloadProgress implements BuildFetch.Progress, AutoCloseable {
    private static final int BAR_LETTERS = 78;
    private static final int TENTHS = 10;

    private final Terminal terminal;
    private final String build;
    private ProgressBar bar;
    private long shown = -1;

    DownloadProgress(Terminal terminal, String build) {
        this.terminal = terminal;
        this.build = build;
    }

    @Override
    public void at(long bytesDone, long bytesTotal) {
        if (terminal.isInteractive()) {
            if (bar == null) {
                bar = new ProgressBarBuilder().setTaskName(build).setInitialMax(bytesTotal).setStyle(ProgressBarStyle.ASCII)
                        .setUnit(" MiB", 1 << 20).setUpdateIntervalMillis(200)
                        .setConsumer(new ConsoleProgressBarConsumer(System.err, BAR_LETTERS)).build();
            }
            bar.stepTo(bytesDone);
            return;
        }
        long tenth = bytesTotal == 0 ? TENTHS : bytesDone * TENTHS / bytesTotal;
        if (tenth > shown) {
            shown = tenth;
            terminal.err().println(build + ": " + Units.bytes(bytesDone) + " of " + Units.bytes(bytesTotal));
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
