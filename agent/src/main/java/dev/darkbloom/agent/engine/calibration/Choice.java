package dev.darkbloom.agent.engine.calibration;

import java.util.EnumSet;
import java.util.Set;

/** A setting that is chosen by measuring, in the order in which they are: what matters most comes first, should time run out. */
public enum Choice {
    /** {@link dev.darkbloom.agent.llama.ComputeSettings#threads}. */
    THREADS(EnumSet.allOf(Measure.class), 0.10, false),
    /** {@link dev.darkbloom.agent.llama.ComputeSettings#flashAttention}. */
    FLASH_ATTENTION(EnumSet.allOf(Measure.class), 0.05, true),
    /** {@link dev.darkbloom.agent.llama.ComputeSettings#poll}; a long prompt keeps the threads awake anyway. */
    POLL(EnumSet.of(Measure.DECODE, Measure.DECODE_SIDE_BY_SIDE), 0.10, false),
    /** {@link dev.darkbloom.agent.llama.ComputeSettings#ubatchTokens}; an answer's steps are far smaller than any. */
    UBATCH(EnumSet.of(Measure.PREFILL), 0.05, true);

    /** What this choice makes faster or slower. */
    final Set<Measure> measures;
    /** Share of the cost by which another value has to be better before a quieter one, or the one in use, is given up. */
    final double leastGain;
    /** Whether another value takes another context, whose buffers differ; threads can be replaced in an open one. */
    final boolean needsContext;

    Choice(Set<Measure> measures, double leastGain, boolean needsContext) {
        this.measures = measures;
        this.leastGain = leastGain;
        this.needsContext = needsContext;
    }
}
