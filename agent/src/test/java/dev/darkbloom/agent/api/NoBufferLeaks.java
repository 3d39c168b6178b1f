package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.util.ResourceLeakDetector;
import java.util.List;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.slf4j.LoggerFactory;

/** Watches every buffer of a test class and fails the class when one was left to the garbage collector. */
final class NoBufferLeaks implements BeforeAllCallback, AfterAllCallback {
    private static final int ROUNDS = 5;

    private final ListAppender<ILoggingEvent> reports = new ListAppender<>();

    @Override
    public void beforeAll(ExtensionContext context) {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        reports.start();
        logger().addAppender(reports);
    }

    @Override
    public void afterAll(ExtensionContext context) {
        for (int i = 0; i < ROUNDS; i++) {
            // A leak is reported when the next buffer is tracked after the leaked one was collected.
            System.gc();
            ZeroingAllocator.INSTANCE.directBuffer(16).release();
        }
        logger().detachAppender(reports);
        List<String> leaks = List.copyOf(reports.list).stream().map(ILoggingEvent::getFormattedMessage).toList();
        assertThat(leaks).as("buffers that nobody released").isEmpty();
    }

    private static Logger logger() {
        return (Logger) LoggerFactory.getLogger(ResourceLeakDetector.class);
    }
}
