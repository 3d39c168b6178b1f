package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelOpener.MemoryNeed;
import dev.darkbloom.agent.llama.ModelSpec;

/**
 * With which context and how many slots a model is loaded, and what that takes.
 *
 * @param spec what to open
 * @param need what it was found to need by a dry run
 */
record RoomPlan(ModelSpec spec, MemoryNeed need) {
    /**
     * Returns the largest form of a model that fits: as asked for; if it may be shrunk, with half the context per sequence, and again, down
     * to {@code minContextTokens}; then with half the slots, and again, down to one. Each form is asked for anew, since compute buffers
     * shrink with the context, too.
     *
     * @param bytes what there is
     * @param minContextTokens tokens per sequence below which nobody is served well; a model that has less is left at what it has
     * @return the first form that needs at most {@code bytes}, or the smallest one, which does not
     */
    static RoomPlan fit(ModelOpener opener, ModelSpec asked, boolean mayShrink, int minContextTokens, long bytes) {
        var plan = new RoomPlan(asked, opener.need(asked));
        if (!mayShrink) {
            return plan;
        }
        int leastContext = Math.min(minContextTokens, asked.contextTokensPerSequence());
        while (plan.need.totalBytes() > bytes) {
            ModelSpec spec = plan.spec;
            if (spec.contextTokensPerSequence() > leastContext) {
                spec = spec.inStreams(Math.max(leastContext, spec.contextTokensPerSequence() / 2), spec.slots());
            } else if (spec.slots() > 1) {
                spec = spec.inStreams(leastContext, spec.slots() / 2);
            } else {
                return plan;
            }
            plan = new RoomPlan(spec, opener.need(spec));
        }
        return plan;
    }
}
