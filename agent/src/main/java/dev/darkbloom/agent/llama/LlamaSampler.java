package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_sampling;
import dev.darkbloom.agent.bindings.dbs_slice;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** One request's {@code dbs_sampler}: llama.cpp's chain with its grammar. Owned by the request, then by its slot. */
final class LlamaSampler implements TokenSampler {
    /** Null once closed. Of no arena: one that two threads may close costs more than a whole answer's sampling. */
    private MemorySegment handle;

    private LlamaSampler(MemorySegment handle) {
        this.handle = handle;
    }

    /** Builds a chain; takes {@code grammar}, which may be null. */
    static LlamaSampler open(MemorySegment model, SamplerSettings settings, Grammar grammar, int contextTokens) {
        MemorySegment taken = switch (grammar) {
            case null -> MemorySegment.NULL;
            case LlamaGrammar compiled -> compiled.take();
            default -> throw new IllegalArgumentException("a grammar of another runtime");
        };
        try (var scratch = Arena.ofConfined()) {
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            MemorySegment sampling = toNative(settings, contextTokens, scratch);
            MemorySegment passed = taken;
            taken = MemorySegment.NULL; // the call takes it whatever it returns
            Shim.check(llama_h.dbs_sampler_new(model, sampling, passed, out), "sampling settings", ErrorCode.INVALID_REQUEST);
            return new LlamaSampler(out.get(ValueLayout.ADDRESS, 0));
        } catch (Throwable t) {
            llama_h.dbs_grammar_free(taken);
            throw t;
        }
    }

    private static MemorySegment toNative(SamplerSettings s, int contextTokens, Arena arena) {
        MemorySegment n = dbs_sampling.allocate(arena);
        dbs_sampling.temperature(n, s.temperature());
        dbs_sampling.dynatemp_range(n, s.dynatempRange());
        dbs_sampling.dynatemp_exponent(n, s.dynatempExponent());
        dbs_sampling.top_k(n, s.topK());
        dbs_sampling.top_p(n, s.topP());
        dbs_sampling.min_p(n, s.minP());
        dbs_sampling.typical_p(n, s.typicalP());
        dbs_sampling.top_n_sigma(n, s.topNSigma());
        dbs_sampling.xtc_probability(n, s.xtcProbability());
        dbs_sampling.xtc_threshold(n, s.xtcThreshold());
        dbs_sampling.penalty_last_n(n, s.penaltyLastN());
        dbs_sampling.penalty_repeat(n, s.penaltyRepeat());
        dbs_sampling.penalty_frequency(n, s.penaltyFrequency());
        dbs_sampling.penalty_presence(n, s.penaltyPresence());
        dbs_sampling.dry_multiplier(n, s.dryMultiplier());
        dbs_sampling.dry_base(n, s.dryBase());
        dbs_sampling.dry_allowed_length(n, s.dryAllowedLength());
        dbs_sampling.dry_penalty_last_n(n, s.dryPenaltyLastN());
        dbs_sampling.mirostat(n, s.mirostat());
        dbs_sampling.mirostat_tau(n, s.mirostatTau());
        dbs_sampling.mirostat_eta(n, s.mirostatEta());
        dbs_sampling.adaptive_target(n, s.adaptiveTarget());
        dbs_sampling.adaptive_decay(n, s.adaptiveDecay());
        dbs_sampling.seed(n, s.seed());
        dbs_sampling.min_keep(n, s.minKeep());
        dbs_sampling.ignore_eos(n, s.ignoreEndOfGeneration() ? 1 : 0);
        dbs_sampling.n_ctx(n, contextTokens);
        List<SamplerSettings.Link> order = s.order();
        long room = dbs_sampling.order(n).byteSize();
        if (order.size() > room) {
            throw new IllegalArgumentException("a chain of " + order.size() + " links; there is room for " + room);
        }
        for (int i = 0; i < order.size(); i++) {
            dbs_sampling.order(n, i, (byte) order.get(i).nativeValue());
        }
        dbs_sampling.n_order(n, order.size());
        boolean biased = s.logitBias() != null && s.logitBias().address() != 0;
        dbs_sampling.logit_bias(n, biased ? s.logitBias() : MemorySegment.NULL);
        dbs_sampling.n_logit_bias(n, biased ? s.logitBias().byteSize() / 8 : 0);
        putBreakers(n, s.dryBreakers(), arena);
        return n;
    }

    private static void putBreakers(MemorySegment n, List<MemorySegment> breakers, Arena arena) {
        if (breakers == null) {
            dbs_sampling.dry_breakers(n, MemorySegment.NULL);
            dbs_sampling.n_dry_breakers(n, 0);
            return;
        }
        MemorySegment array = dbs_slice.allocateArray(Math.max(1, breakers.size()), arena);
        for (int i = 0; i < breakers.size(); i++) {
            Shim.put(dbs_slice.asSlice(array, i), breakers.get(i));
        }
        dbs_sampling.dry_breakers(n, array);
        dbs_sampling.n_dry_breakers(n, breakers.size());
    }

    /** Returns the handle; throws once closed. */
    MemorySegment handle() {
        MemorySegment open = handle;
        if (open == null) {
            throw new IllegalStateException("the sampler is closed");
        }
        return open;
    }

    @Override
    public void acceptPrompt(MemorySegment tokens) {
        int status = llama_h.dbs_sampler_accept_prompt(handle(), tokens, LlamaVocab.capacity(tokens));
        Shim.check(status, "prompt", ErrorCode.INVALID_REQUEST);
    }

    @Override
    public void close() {
        MemorySegment owned = handle;
        handle = null;
        if (owned != null) {
            llama_h.dbs_sampler_free(owned);
        }
    }
}
