package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * How one request's next token is picked; the fields are llama.cpp's own ({@code llama_sampler_init_*} in {@code llama.h}).
 *
 * <p>Scalars live here. What a client wrote as text or as token ids stays outside the heap: {@code logitBias} and {@code dryBreakers} are
 * views of memory that the request owns and that lives at least as long as its {@code Generation}.
 *
 * @param temperature 0 or below: greedy
 * @param dynatempRange 0: off
 * @param dynatempExponent shape of the dynamic temperature
 * @param topK 0 or below: off
 * @param topP 1: off
 * @param minP 0: off
 * @param typicalP 1: off
 * @param topNSigma 0 or below: off
 * @param xtcProbability 0: off
 * @param xtcThreshold above 0.5: off
 * @param penaltyLastN tokens looked back at; 0: off, -1: the whole context
 * @param penaltyRepeat 1: off
 * @param penaltyFrequency 0: off
 * @param penaltyPresence 0: off
 * @param dryMultiplier 0: off
 * @param dryBase base of the DRY penalty's power
 * @param dryAllowedLength longest repetition without penalty, in tokens
 * @param dryPenaltyLastN tokens looked back at; 0: off, -1: the whole context
 * @param mirostat 0, 1 or 2
 * @param mirostatTau target surprise
 * @param mirostatEta learning rate
 * @param adaptiveTarget target probability; negative: off
 * @param adaptiveDecay 0 to 0.99
 * @param seed -1 as unsigned 32 bit: random
 * @param minKeep tokens that truncating samplers leave at least
 * @param ignoreEndOfGeneration whether end-of-generation tokens are never picked
 * @param order the chain's links; empty for llama.cpp's default order
 * @param logitBias {@code [n] × (int32 token, float32 bias)}
 * @param dryBreakers the request's breakers, each a piece of UTF-8 text outside the heap; null for llama.cpp's defaults
 */
public record SamplerSettings(
        float temperature,
        float dynatempRange,
        float dynatempExponent,
        int topK,
        float topP,
        float minP,
        float typicalP,
        float topNSigma,
        float xtcProbability,
        float xtcThreshold,
        int penaltyLastN,
        float penaltyRepeat,
        float penaltyFrequency,
        float penaltyPresence,
        float dryMultiplier,
        float dryBase,
        int dryAllowedLength,
        int dryPenaltyLastN,
        int mirostat,
        float mirostatTau,
        float mirostatEta,
        float adaptiveTarget,
        float adaptiveDecay,
        int seed,
        int minKeep,
        boolean ignoreEndOfGeneration,
        List<Link> order,
        MemorySegment logitBias,
        List<MemorySegment> dryBreakers) {

    /** A link of the chain, with {@code dbs_sampler_kind} as its native number. */
    public enum Link {
        PENALTIES, DRY, TOP_N_SIGMA, TOP_K, TYPICAL_P, TOP_P, MIN_P, XTC, TEMPERATURE;

        public int nativeValue() {
            return ordinal() + 1;
        }
    }

    public SamplerSettings {
        order = List.copyOf(order);
    }

    /** Returns settings that always pick the most likely token. */
    public static SamplerSettings greedy() {
        return new SamplerSettings(0f, 0f, 1f, 0, 1f, 0f, 1f, -1f, 0f, 0.1f, 0, 1f, 0f, 0f, 0f, 1.75f, 2, 0, 0, 5f, 0.1f, -1f, 0.9f,
                -1, 0, false, List.of(), MemorySegment.NULL, null);
    }

    /** Returns the same settings with these token biases and DRY breakers. */
    public SamplerSettings withContent(MemorySegment bias, List<MemorySegment> breakers) {
        return new SamplerSettings(temperature, dynatempRange, dynatempExponent, topK, topP, minP, typicalP, topNSigma, xtcProbability,
                xtcThreshold, penaltyLastN, penaltyRepeat, penaltyFrequency, penaltyPresence, dryMultiplier, dryBase, dryAllowedLength,
                dryPenaltyLastN, mirostat, mirostatTau, mirostatEta, adaptiveTarget, adaptiveDecay, seed, minKeep,
                ignoreEndOfGeneration, order, bias, breakers);
    }

    /** Returns the same settings with another seed. */
    public SamplerSettings withSeed(int other) {
        return new SamplerSettings(temperature, dynatempRange, dynatempExponent, topK, topP, minP, typicalP, topNSigma, xtcProbability,
                xtcThreshold, penaltyLastN, penaltyRepeat, penaltyFrequency, penaltyPresence, dryMultiplier, dryBase, dryAllowedLength,
                dryPenaltyLastN, mirostat, mirostatTau, mirostatEta, adaptiveTarget, adaptiveDecay, other, minKeep,
                ignoreEndOfGeneration, order, logitBias, dryBreakers);
    }

    @Override
    public String toString() {
        return "SamplerSettings[temperature=" + temperature + "]";
    }
}
