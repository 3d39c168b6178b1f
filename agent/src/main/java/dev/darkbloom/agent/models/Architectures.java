package dev.darkbloom.agent.models;

import java.util.Map;
import java.util.Set;

/** The architectures that the pinned llama.cpp can run as a model of text; {@code src/llama-arch.cpp} and {@code src/models}. */
final class Architectures {
    /** Known to upstream, but no model of text that runs by itself: projectors, audio decoders, drafts that need their target. */
    private static final Set<String> PARTS = Set.of(
            "clip", "wavtokenizer-dec", "eagle3", "dflash", "gemma4-assistant", "qwen3tts", "pockettts");

    private static final Set<String> RECURRENT = Set.of("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7");

    private static final Set<String> HYBRID = Set.of(
            "jamba", "falcon-h1", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe", "qwen3next",
            "kimi-linear", "bailingmoe3", "kimi-k3", "qwen35", "qwen35moe", "qwen4exp", "deepseek4", "minimax-01");

    /** Known to upstream, but not run token by token: encoder-decoders, and diffusion models, which see their whole text at once. */
    private static final Set<String> OTHER_KINDS = Set.of("t5", "t5encoder", "dream", "llada", "llada-moe", "rnd1");

    /** Encoders, which run without a cache. */
    private static final Set<String> CACHELESS = Set.of(
            "bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert", "eurobert", "modern-bert",
            "gemma-embedding");

    private static final Set<String> ATTENTION = Set.of(
            "llama", "llama4", "deci", "falcon", "grok", "gpt2", "gptneox", "mpt", "baichuan", "starcoder", "refact", "bloom",
            "stablelm", "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen3moe", "qwen3vl", "qwen3vlmoe", "phi2", "phi3", "phimoe",
            "plamo", "plamo3", "codeshell", "orion", "internlm2", "minicpm", "minicpm3", "gemma", "gemma2", "gemma3", "gemma3n", "gemma4",
            "starcoder2", "xverse", "command-r", "cohere2", "cohere2moe", "dbrx", "olmo", "olmo2", "olmoe", "muse-glimmer", "openelm",
            "arctic", "deepseek", "deepseek2", "deepseek2-ocr", "deepseek32", "chatglm", "glm4", "glm4moe", "glm-dsa", "bitnet", "jais",
            "jais2", "nemotron", "exaone", "exaone4", "exaone-moe", "granite", "granitemoe", "graniteswitch", "granite_swa", "chameleon",
            "plm", "bailingmoe", "bailingmoe2", "dots1", "dots3note", "arcee", "afmoe", "laguna", "ernie4_5", "ernie4_5-moe",
            "hunyuan-moe", "hunyuan-dense", "hunyuan_vl", "hy_v3", "smollm3", "gpt-oss", "smallthinker", "seed_oss", "grovemoe",
            "apertus", "minimax-m2", "minimax-m3", "cogvlm", "pangu-embedded", "mistral3", "mistral4", "paddleocr", "mimo2", "step35",
            "llama-embed", "maincoder", "talkie", "mellum", "nanbeige");

    /** Keep more than keys and values per token (indexers, compressed blocks); their sizes are not worked out here. */
    private static final Set<String> EXTRA_CACHES = Set.of(
            "deepseek32", "deepseek4", "glm-dsa", "dots3note", "graniteswitch", "minimax-m3", "qwen4exp");

    /**
     * Which layers of an architecture see only a window.
     *
     * @param always whether the architecture cannot do without a window
     * @param defaultTokens the window where the file may leave the key out; 0 where it may not, or where that means none
     * @param period one layer in this many sees everything; 0 where all have a window
     * @param denseFirst whether the first of a period is the one that sees everything, not the last
     */
    record Window(boolean always, int defaultTokens, int period, boolean denseFirst) {}

    private static final Map<String, Window> WINDOWS = Map.ofEntries(
            Map.entry("gemma2", new Window(true, 4096, 2, false)),
            Map.entry("gemma3", new Window(false, 0, 6, false)),
            Map.entry("gemma3n", new Window(true, 0, 5, false)),
            Map.entry("gemma4", new Window(true, 0, 1, false)),
            Map.entry("cohere2", new Window(true, 0, 4, false)),
            Map.entry("cohere2moe", new Window(true, 0, 4, true)),
            Map.entry("gpt-oss", new Window(true, 0, 2, false)),
            Map.entry("llama4", new Window(false, 8192, 4, false)),
            Map.entry("exaone-moe", new Window(true, 128, 4, false)),
            Map.entry("exaone4", new Window(true, 4096, 4, false)),
            Map.entry("olmo2", new Window(false, 0, 4, false)),
            Map.entry("afmoe", new Window(true, 0, 4, false)),
            Map.entry("laguna", new Window(false, 0, 4, true)),
            Map.entry("mellum", new Window(false, 0, 4, false)),
            Map.entry("muse-glimmer", new Window(true, 0, 4, false)),
            Map.entry("plamo3", new Window(false, 0, 8, false)),
            Map.entry("smallthinker", new Window(false, 0, 4, true)),
            Map.entry("mimo2", new Window(true, 0, 1, false)),
            Map.entry("step35", new Window(true, 0, 1, false)),
            Map.entry("granite_swa", new Window(true, 0, 1, false)),
            Map.entry("gemma-embedding", new Window(true, 0, 6, false)),
            Map.entry("modern-bert", new Window(false, 0, 3, true)),
            Map.entry("lfm2", new Window(false, 0, 0, false)),
            Map.entry("lfm2moe", new Window(false, 0, 0, false)));

    private Architectures() {}

    /** Returns whether the pinned llama.cpp knows the name and can run it as a model of text. */
    static boolean isServable(String architecture) {
        return memory(architecture) != ModelDims.Memory.UNKNOWN;
    }

    /** Returns whether the pinned llama.cpp knows the name, but only as a part of another model. */
    static boolean isPart(String architecture) {
        return PARTS.contains(architecture);
    }

    /** Returns whether the pinned llama.cpp knows the name, but runs it in another way than this agent does. */
    static boolean isOtherKind(String architecture) {
        return OTHER_KINDS.contains(architecture);
    }

    /** Returns how an architecture remembers, windows aside; {@code UNKNOWN} for one that cannot be served. */
    static ModelDims.Memory memory(String architecture) {
        if (RECURRENT.contains(architecture)) {
            return ModelDims.Memory.RECURRENT;
        }
        if (HYBRID.contains(architecture)) {
            return ModelDims.Memory.HYBRID;
        }
        if (CACHELESS.contains(architecture)) {
            return ModelDims.Memory.NONE;
        }
        return ATTENTION.contains(architecture) ? ModelDims.Memory.ATTENTION : ModelDims.Memory.UNKNOWN;
    }

    /** Returns the window rule of an architecture, or null when all its layers see everything. */
    static Window window(String architecture) {
        return WINDOWS.get(architecture);
    }

    static boolean hasExtraCaches(String architecture) {
        return EXTRA_CACHES.contains(architecture);
    }
}
