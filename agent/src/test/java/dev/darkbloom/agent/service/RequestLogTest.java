package dev.darkbloom.agent.service;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.engine.EngineListener.GenerationStats;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.Generation.FinishReason;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.engine.Origin;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** What the log says of an answer. */
class RequestLogTest {
    @Test
    void howMuchWasCachedIsToldOfTheMachinesOwnRequestsOnly() {
        assertThat(line(Origin.LOCAL)).startsWith("request=r1 model=m promptTokens=54 cachedTokens=53 generatedTokens=7 ");
        assertThat(line(Origin.RELAYED)).startsWith("request=r1 model=m promptTokens=54 generatedTokens=7 ").doesNotContain("53");
    }

    private static String line(Origin origin) {
        var logger = (Logger) LoggerFactory.getLogger("requests");
        var lines = new ListAppender<ILoggingEvent>();
        lines.start();
        logger.addAppender(lines);
        try {
            new RequestLog(new Lifecycle()).onFinished(new GenerationStats("m", new RequestId("r1"), origin,
                    new Outcome.Finished(FinishReason.STOP), new Generation.Progress(54, 53, 54, 7, 1_000_000, 2_000_000, 3_000_000)));
        } finally {
            logger.detachAppender(lines);
        }
        return lines.list.getFirst().getFormattedMessage();
    }
}
