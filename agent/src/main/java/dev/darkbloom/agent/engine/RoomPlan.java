package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelOpener.MemoryNeed;
import dev.darkbloom.agent.llama.ModelSpec;

/**
 * With which context, how many slots and which KV layout a model is loaded, and what that takes.
 *
 * @param spec what to open
 * @param need what it was found to need by a dry run
 */
record RoomPlan(ModelSpec spec, MemoryNeed need) {
    /**
     * Returns the largest form of a model that fits: as asked for, in streams; with one store that all slots share, half as large as all
     * streams, and again, down to one full sequence; if it may be shrunk, the same with half the context per sequence, and again, down to
     * {@code minContextTokens}; then with half the slots, and again, down to one. Each form is asked for anew, since compute buffers change
     * with it, too.
     *
     * @param bytes what there is
     * @param minContextTokens tokens per sequence below which nobody is served well; a model that has less is left at what it has
     * @return the first form that needs at most {@code bytes}, or the last one tried, which does not
     */
    static RoomPlan fit(ModelOpener opener, ModelSpec asked, RoomChoice choice, int minContextTokens, long bytes) {
        RoomPlan plan = inSomeLayout(opener, asked, choice, bytes);
        int leastContext = Math.min(minContextTokens, asked.contextTokensPerSequence());
        while (choice.mayShrink() && plan.need.totalBytes() > bytes) {
            ModelSpec spec = plan.spec;
            if (spec.contextTokensPerSequence() > leastContext) {
                spec = spec.inStreams(Math.max(leastContext, spec.contextTokensPerSequence() / 2), spec.slots());
            } else if (spec.slots() > 1) {
                spec = spec.inStreams(leastContext, spec.slots() / 2);
            } else {
                return plan;
            }
            plan = inSomeLayout(opener, spec, choice, bytes);
        }
        return plan;
    }

    /** Returns the plan with the same context and slots that fits, or the smallest. */
    private static RoomPlan inSomeLayout(ModelOpener opener, ModelSpec streams, RoomChoice choice, long bytes) {
        KvLayout only = choice.layout().orElse(null);
        if (only != KvLayout.UNIFIED || streams.embedding()) {
            RoomPlan plan = of(opener, streams);
            if (only != null || streams.slots() == 1 || streams.embedding() || plan.need.totalBytes() <= bytes) {
                return plan;
            }
        }
        long all = streams.kvTokens();
        long least = streams.contextTokensPerSequence();
        RoomPlan plan = of(opener, streams.unified(only == null ? Math.max(least, all / 2) : all));
        while (plan.need.totalBytes() > bytes && plan.spec.kvTokens() > least) {
            plan = of(opener, streams.unified(Math.max(least, plan.spec.kvTokens() / 2)));
        }
        return plan;
    }

    private static RoomPlan of(ModelOpener opener, ModelSpec spec) {
        return new RoomPlan(spec, opener.need(spec));
    }
}
