package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.llama.ModelRuntime.SamplingDefaults;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.SamplerSettings.Link;
import dev.darkbloom.agent.llama.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Reads how tokens are picked: OpenAI's names with OpenAI's ranges, llama-server's names with the ranges that llama.cpp can compute with.
 *
 * <p>Defaults are the request's, then the model author's, then temperature 0.8, top-k 40, top-p 0.95 and min-p 0.05; everything else is off.
 */
final class Sampling {
    /** As llama.cpp's {@code LLAMA_DEFAULT_SEED}: random. */
    private static final int RANDOM_SEED = -1;

    private static final int MAX_BREAKERS = 32;
    private static final int MAX_BREAKER_BYTES = 256;

    /** Names and short names of llama-server; `infill` is not among them, since it needs a model of its kind. */
    private static final Map<String, Link> LINKS = Map.ofEntries(
            Map.entry("penalties", Link.PENALTIES), Map.entry("dry", Link.DRY), Map.entry("top_n_sigma", Link.TOP_N_SIGMA),
            Map.entry("top-n-sigma", Link.TOP_N_SIGMA), Map.entry("top_k", Link.TOP_K), Map.entry("top-k", Link.TOP_K),
            Map.entry("typ_p", Link.TYPICAL_P), Map.entry("typical_p", Link.TYPICAL_P), Map.entry("typical", Link.TYPICAL_P),
            Map.entry("top_p", Link.TOP_P), Map.entry("top-p", Link.TOP_P), Map.entry("nucleus", Link.TOP_P), Map.entry("min_p", Link.MIN_P),
            Map.entry("min-p", Link.MIN_P), Map.entry("xtc", Link.XTC), Map.entry("temperature", Link.TEMPERATURE),
            Map.entry("temp", Link.TEMPERATURE));
    private static final Map<Character, Link> LETTERS = Map.of('e', Link.PENALTIES, 'd', Link.DRY, 's', Link.TOP_N_SIGMA, 'k', Link.TOP_K,
            'y', Link.TYPICAL_P, 'p', Link.TOP_P, 'm', Link.MIN_P, 'x', Link.XTC, 't', Link.TEMPERATURE);
    private static final int MAX_LINKS = 16;

    private Sampling() {}

    /** Below this, dividing logits by the temperature leaves the range of a float; the limit is the most likely token. */
    private static final float GREEDY_BELOW = 1e-5f;

    private static float temperature(float asked) {
        return asked < GREEDY_BELOW ? 0f : asked;
    }

    /**
     * Reads the scalars; the content-bearing parts come from {@link #withContent}.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code INVALID_REQUEST} with the parameter's name
     */
    static SamplerSettings read(RequestBody body, SamplingDefaults defaults) {
        float temperature = Float.isNaN(defaults.temperature()) ? 0.8f : defaults.temperature();
        float topP = Float.isNaN(defaults.topP()) ? 0.95f : defaults.topP();
        float minP = Float.isNaN(defaults.minP()) ? 0.05f : defaults.minP();
        float repeat = Float.isNaN(defaults.repeatPenalty()) ? 1f : defaults.repeatPenalty();
        float repetition = body.decimal("repetition_penalty", 0.01, 10, repeat);
        return new SamplerSettings(
                temperature(body.decimal("temperature", 0, 2, temperature)),
                body.decimal("dynatemp_range", 0, 2, 0f),
                body.decimal("dynatemp_exponent", 0, 100, 1f),
                body.integer("top_k", -1, Integer.MAX_VALUE, defaults.topK().orElse(40)),
                body.decimal("top_p", 0, 1, topP),
                body.decimal("min_p", 0, 1, minP),
                body.decimal("typical_p", 0, 1, 1f),
                body.decimal("top_n_sigma", -1f),
                body.decimal("xtc_probability", 0, 1, 0f),
                body.decimal("xtc_threshold", 0, 1, 0.1f),
                body.integer("repeat_last_n", -1, Integer.MAX_VALUE, 64),
                body.decimal("repeat_penalty", 0.01, 10, repetition),
                body.decimal("frequency_penalty", -2, 2, 0f),
                body.decimal("presence_penalty", -2, 2, 0f),
                body.decimal("dry_multiplier", 0, 100, 0f),
                body.decimal("dry_base", 1, 100, 1.75f),
                body.integer("dry_allowed_length", 0, Integer.MAX_VALUE, 2),
                body.integer("dry_penalty_last_n", -1, Integer.MAX_VALUE, -1),
                body.integer("mirostat", 0, 2, 0),
                body.decimal("mirostat_tau", 0, 100, 5f),
                body.decimal("mirostat_eta", 0, 1, 0.1f),
                body.decimal("adaptive_target", -1, 1, -1f),
                body.decimal("adaptive_decay", 0, 0.99, 0.9f),
                seed(body),
                body.integer("min_keep", 0, Integer.MAX_VALUE, 0),
                body.flag("ignore_eos", false),
                order(body),
                MemorySegment.NULL,
                null);
    }

    /** Returns empty memory for {@link #withContent}: readable by the engine's thread where something will be in it. The caller owns it. */
    static Content contentMemory(RequestBody body) {
        boolean needed = body.has("logit_bias") || body.has("dry_sequence_breakers");
        return needed ? Content.allocate(1024) : Content.confined(1);
    }

    /**
     * Adds the token biases and the DRY breakers of a request.
     *
     * @param memory where they are written; lives as long as the generations do and is not appended to after this
     * @param tokenizer whose tokens a bias may name
     */
    static SamplerSettings withContent(SamplerSettings scalars, RequestBody body, Tokenizer tokenizer, Content memory) {
        LogitBias.write(body, tokenizer, memory);
        long biasBytes = memory.length();
        List<Slice> breakers = writeBreakers(body, memory);
        MemorySegment bias = biasBytes == 0 ? MemorySegment.NULL : memory.segment(new Slice(0, biasBytes));
        List<MemorySegment> views = breakers == null ? null : breakers.stream().map(memory::segment).toList();
        return scalars.withContent(bias, views);
    }

    /** Takes the low 32 bits of an integer of any size: coordinators written in Go round large ones and SDKs send 64 bits. */
    private static int seed(RequestBody body) {
        Slice value = body.value("seed", Kind.NUMBER);
        if (value.isEmpty()) {
            return RANDOM_SEED;
        }
        OptionalLong seed = body.json().wrappedInteger(value);
        if (seed.isEmpty()) {
            throw RequestBody.invalid("seed", "seed must be an integer");
        }
        return (int) seed.getAsLong();
    }

    /** Returns the seed of one of several answers: each its own, reproducible if the first is. */
    static int seedOf(int seed, int choice) {
        if (seed == RANDOM_SEED || choice == 0) {
            return seed;
        }
        int next = seed + choice;
        return next == RANDOM_SEED ? Integer.MIN_VALUE : next;
    }

    private static List<Link> order(RequestBody body) {
        Slice value = body.value("samplers");
        if (value.isEmpty()) {
            return List.of();
        }
        List<Link> order = new ArrayList<>();
        switch (body.json().kind(value)) {
            case STRING -> {
                for (char letter : body.word("samplers").orElse("").toCharArray()) {
                    order.add(link(Optional.ofNullable(LETTERS.get(letter))));
                }
            }
            case ARRAY -> {
                for (JsonScanner.Cursor names = body.json().elements(value); names.next() && order.size() <= MAX_LINKS;) {
                    Slice name = names.value();
                    order.add(link(body.json().isText(name) ? body.json().setting(name, 32).map(LINKS::get) : Optional.empty()));
                }
            }
            default -> throw RequestBody.invalid("samplers", "samplers must be an array of names or a string of letters");
        }
        if (order.isEmpty() || order.size() > MAX_LINKS) {
            throw RequestBody.invalid("samplers", "samplers must name 1 to " + MAX_LINKS + " samplers");
        }
        return order;
    }

    private static Link link(Optional<Link> known) {
        return known.orElseThrow(() -> RequestBody.invalid("samplers", "samplers names one that does not exist here"));
    }

    /** Returns the breakers' places, or null when the request has none. */
    private static List<Slice> writeBreakers(RequestBody body, Content memory) {
        Slice value = body.value("dry_sequence_breakers", Kind.ARRAY);
        if (value.isEmpty()) {
            return null;
        }
        List<Slice> breakers = new ArrayList<>();
        for (JsonScanner.Cursor texts = body.json().elements(value); texts.next();) {
            long start = memory.length();
            if (!body.json().isText(texts.value()) || breakers.size() == MAX_BREAKERS || texts.value().length() > MAX_BREAKER_BYTES) {
                throw RequestBody.invalid("dry_sequence_breakers", "dry_sequence_breakers must be at most " + MAX_BREAKERS
                        + " non-empty strings of at most " + MAX_BREAKER_BYTES + " bytes");
            }
            body.json().decode(texts.value(), memory);
            breakers.add(new Slice(start, memory.length() - start));
        }
        if (breakers.isEmpty()) {
            throw RequestBody.invalid("dry_sequence_breakers", "dry_sequence_breakers must not be empty");
        }
        return breakers;
    }
}
