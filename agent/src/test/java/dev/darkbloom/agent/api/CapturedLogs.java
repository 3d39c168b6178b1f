package dev.darkbloom.agent.api;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.read.ListAppender;
import java.util.List;
import java.util.stream.Collectors;
import org.slf4j.LoggerFactory;

/** Everything that was logged below one logger, at any level, stack traces included. */
final class CapturedLogs implements AutoCloseable {
    private final Logger logger;
    private final Level before;
    private final ListAppender<ILoggingEvent> events = new ListAppender<>();

    private CapturedLogs(Logger logger) {
        this.logger = logger;
        before = logger.getLevel();
        logger.setLevel(Level.TRACE);
        events.start();
        logger.addAppender(events);
    }

    static CapturedLogs of(String name) {
        return new CapturedLogs((Logger) LoggerFactory.getLogger(name));
    }

    String text() {
        return List.copyOf(events.list).stream()
                .map(event -> event.getFormattedMessage() + "\n" + ThrowableProxyUtil.asString(event.getThrowableProxy()))
                .collect(Collectors.joining("\n"));
    }

    @Override
    public void close() {
        logger.detachAppender(events);
        logger.setLevel(before);
    }
}
