package dev.darkbloom.agent.service;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.filter.ThresholdFilter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy;
import ch.qos.logback.core.util.Duration;
import ch.qos.logback.core.util.FileSize;
import dev.darkbloom.agent.base.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.LoggerFactory;

/**
 * Where log lines go: to stderr, and in a running agent to a file in the home that is turned over at 20 MB, five files in all.
 *
 * <p>Set up in code and not by XML: it takes a few milliseconds instead of a hundred, and the levels come from the command line.
 */
public final class AgentLog implements AutoCloseable {
    private static final String PATTERN = "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5level [%thread] %logger{0} - %msg%n%ex";
    private static final String CONSOLE = "stderr";
    private static final FileSize FILE_SIZE = FileSize.valueOf("20MB");
    private static final Duration SIZE_CHECK = Duration.buildBySeconds(1);
    private static final int OLDER_FILES = 4;
    /**
     * They warn, with a stack trace, where there is no network interface or none with a hardware address, as without a network. The address
     * goes into channel ids only, which nothing of ours shows, and whoever wanted to connect says that it could not.
     */
    private static final List<String> UNHEEDED = List.of("io.netty.util.internal.MacAddressUtil", "io.netty.util.NetUtil",
            "io.netty.util.NetUtilInitializations");

    private final RollingFileAppender<ILoggingEvent> file;

    private AgentLog(RollingFileAppender<ILoggingEvent> file) {
        this.file = file;
    }

    /** Sends what is at least {@code console} to stderr; takes debug lines, llama.cpp's among them, only with {@code verbose}. */
    public static void toConsole(boolean quiet, boolean verbose) {
        install(context(), quiet ? Level.WARN : Level.INFO, verbose ? Level.DEBUG : Level.INFO);
    }

    static void install(LoggerContext context, Level console, Level root) {
        var logger = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        logger.detachAndStopAllAppenders();
        logger.setLevel(root);
        context.getLogger("io.netty").setLevel(Level.INFO);
        UNHEEDED.forEach(name -> context.getLogger(name).setLevel(Level.ERROR));
        context.getLogger("oshi").setLevel(Level.WARN);
        var appender = new ConsoleAppender<ILoggingEvent>();
        appender.setName(CONSOLE);
        appender.setContext(context);
        appender.setTarget("System.err");
        appender.setEncoder(encoder(context));
        var threshold = new ThresholdFilter();
        threshold.setLevel(root == Level.DEBUG ? Level.DEBUG.levelStr : console.levelStr);
        threshold.start();
        appender.addFilter(threshold);
        appender.start();
        logger.addAppender(appender);
    }

    /** Adds the file, made for its owner only; {@link #close} takes it away again. */
    static AgentLog open(Path file) {
        return open(file, FILE_SIZE, SIZE_CHECK);
    }

    static AgentLog open(Path file, FileSize fileSize, Duration sizeCheck) {
        LoggerContext context = context();
        var appender = new OwnersFile();
        appender.setContext(context);
        appender.setName(file.toString());
        appender.setFile(file.toString());
        appender.setEncoder(encoder(context));

        var rolling = new FixedWindowRollingPolicy();
        rolling.setContext(context);
        rolling.setParent(appender);
        rolling.setFileNamePattern(file + ".%i");
        rolling.setMinIndex(1);
        rolling.setMaxIndex(OLDER_FILES);
        rolling.start();
        appender.setRollingPolicy(rolling);

        var trigger = new SizeBasedTriggeringPolicy<ILoggingEvent>();
        trigger.setContext(context);
        trigger.setMaxFileSize(fileSize);
        trigger.setCheckIncrement(sizeCheck);
        trigger.start();
        appender.setTriggeringPolicy(trigger);
        appender.start();
        context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).addAppender(appender);
        return new AgentLog(appender);
    }

    private static LoggerContext context() {
        return (LoggerContext) LoggerFactory.getILoggerFactory();
    }

    private static PatternLayoutEncoder encoder(LoggerContext context) {
        var encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setPattern(PATTERN);
        encoder.start();
        return encoder;
    }

    /** Makes each new file with mode 0600 before the first line is written into it. */
    private static final class OwnersFile extends RollingFileAppender<ILoggingEvent> {
        @Override
        public void openFile(String name) throws IOException {
            Path path = Path.of(name);
            if (!Files.exists(path)) {
                Files.createFile(path, AtomicFile.ownerFile());
            }
            AtomicFile.restrictToOwner(path);
            super.openFile(name);
        }
    }

    @Override
    public void close() {
        context().getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).detachAppender(file);
        file.stop();
    }
}
