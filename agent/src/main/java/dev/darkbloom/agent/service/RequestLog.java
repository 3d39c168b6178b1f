package dev.darkbloom.agent.service;

import dev.darkbloom.agent.engine.EngineListener;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.ModelState;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One line for each answer: ids, counts and times, never a word of it. Called by the engine's threads.
 *
 * <p>How much of a relayed prompt was cached is left out: it would say which of other people's prompts begin alike.
 */
final class RequestLog implements EngineListener {
    private static final Logger log = LoggerFactory.getLogger("requests");
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double NANOS_PER_SECOND = 1e9;

    private final Lifecycle lifecycle;

    RequestLog(Lifecycle lifecycle) {
        this.lifecycle = lifecycle;
    }

    @Override
    public void onFinished(GenerationStats stats) {
        Generation.Progress progress = stats.progress();
        String outcome = switch (stats.outcome()) {
            case Generation.Outcome.Finished(var reason) -> reason.name().toLowerCase(Locale.ROOT);
            case Generation.Outcome.Failed(var error) -> error.code().name().toLowerCase(Locale.ROOT);
        };
        log.info("request={} model={} promptTokens={}{} generatedTokens={} ttftMs={} tokensPerSecond={} outcome={}",
                stats.id(), stats.modelId(), progress.promptTokens(), cached(stats), progress.generatedTokens(),
                Math.round((progress.queuedNanos() + progress.prefillNanos()) / NANOS_PER_MILLI), decodeRate(progress), outcome);
    }

    private static String cached(GenerationStats stats) {
        return switch (stats.origin()) {
            case LOCAL -> " cachedTokens=" + stats.progress().cachedTokens();
            case RELAYED -> "";
        };
    }

    private static String decodeRate(Generation.Progress progress) {
        // The first token comes with the prefill.
        int tokens = progress.generatedTokens() - 1;
        double rate = tokens > 0 && progress.decodeNanos() > 0 ? tokens * NANOS_PER_SECOND / progress.decodeNanos() : 0;
        return String.format(Locale.ROOT, "%.1f", rate);
    }

    @Override
    public void onStateChanged(String modelId, ModelState state) {
        if (state == ModelState.READY) {
            lifecycle.move(AgentState.NEEDS_MODEL, AgentState.READY);
        }
    }

    @Override
    public void onContextRebuilt(String modelId) {
        log.warn("context rebuilt model={}", modelId);
    }
}
