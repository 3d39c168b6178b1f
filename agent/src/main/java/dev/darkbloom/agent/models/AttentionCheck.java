package dev.darkbloom.agent.models;

import java.util.Arrays;
import java.util.Set;

/**
 * Checks heads, head lengths and rotary dimensions against each other.
 *
 * <p>The graphs of {@code src/models} assert that keys and values are as long as each other, and most that the whole head is rotated; a
 * matrix product asserts that query heads are a multiple of key heads.
 */
final class AttentionCheck {
    /** Architectures that compress keys, or whose keys and values may differ in length. */
    private static final Set<String> OWN_LENGTHS = Set.of(
            "deepseek2", "deepseek2-ocr", "deepseek32", "deepseek4", "glm-dsa", "dots3note", "minicpm3", "plm", "mistral4", "mimo2",
            "kimi-linear", "kimi-k3", "bailingmoe3");

    /** Architectures whose graphs assert that the rotary dimensions are the whole head. */
    private static final Set<String> ROTATE_WHOLE_HEAD = Set.of(
            "apertus", "arcee", "arctic", "baichuan", "chameleon", "codeshell", "cogvlm", "cohere2moe", "dbrx", "deci", "deepseek",
            "dots1", "dream", "ernie4_5-moe", "ernie4_5", "exaone-moe", "exaone", "exaone4", "falcon", "granite_swa", "graniteswitch",
            "granite", "granitemoe", "grok", "grovemoe", "hunyuan-dense", "hunyuan-moe", "hunyuan_vl", "hy_v3", "internlm2", "jais2",
            "llada-moe", "llada", "llama", "llama-embed", "llama4", "maincoder", "mellum", "minicpm", "mistral3", "olmo", "olmo2",
            "olmoe", "orion", "paddleocr", "pangu-embedded", "plamo", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen3moe", "qwen3vl",
            "qwen3vlmoe", "rnd1", "seed_oss", "smallthinker", "smollm3", "starcoder2", "talkie", "xverse");

    /** Architectures that do not rotate at all: they learn positions, add biases, or leave positions to their state. */
    private static final Set<String> NO_ROTATION = Set.of(
            "jamba", "nemotron_h", "nemotron_h_moe", "gpt2", "starcoder", "bloom", "mpt", "refact", "jais", "bert", "jina-bert-v2",
            "kimi-linear", "kimi-k3", "granitehybrid");

    /** Architectures whose key norms or projections are as wide as the queries'. */
    private static final Set<String> KEYS_LIKE_QUERIES = Set.of("olmoe", "dots1", "deepseek2-ocr");

    /** Architectures that always rotate in sections. */
    private static final Set<String> SECTIONS = Set.of("qwen2vl", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen4exp", "paddleocr");

    /** Architectures that choose tokens by an index whose keys are rotated as well. */
    private static final Set<String> INDEXERS = Set.of("deepseek32", "glm-dsa", "dots3note");

    /** Architectures in which a layer without heads is one without attention. */
    private static final Set<String> LAYERS_WITHOUT_HEADS = Set.of("deci");

    private final GgufModel model;
    private final Hyperparameters params;
    private final ModelDims.Memory memory;
    private final int layers;
    private final int[] heads;
    private final int[] headsKv;

    AttentionCheck(GgufModel model) {
        this.model = model;
        params = new Hyperparameters(model);
        memory = Architectures.memory(model.architecture());
        layers = params.whole("block_count", 0);
        heads = params.perLayer("attention.head_count", layers, 0);
        headsKv = params.has("attention.head_count_kv") ? params.perLayer("attention.head_count_kv", layers, 0) : heads;
    }

    void check() {
        if (memory == ModelDims.Memory.RECURRENT) {
            return;
        }
        checkHeads();
        checkLengths();
        checkRotation("rope.dimension_count", keyLength());
        checkRotation("rope.dimension_count_swa", params.whole("attention.key_length_swa", keyLength()));
        checkSections();
        if (model.architecture().equals("deepseek2-ocr")) {
            checkOcr();
        }
        if (INDEXERS.contains(model.architecture())) {
            checkRotation("rope.dimension_count", params.whole("attention.indexer.key_length", 0));
        }
        checkProjections();
        checkWindows();
    }

    /** A model with windows gets two caches, and upstream asserts that the one for windows has a layer. */
    private void checkWindows() {
        var window = new SlidingWindow(model);
        boolean decoder = memory == ModelDims.Memory.ATTENTION;
        if (!decoder && memory != ModelDims.Memory.NONE || !window.isInUse()) {
            return;
        }
        if (window.tokens() == 0) {
            throw model.invalid(model.key(SlidingWindow.TOKENS) + " is 0 or missing; " + model.architecture() + " needs a window");
        }
        long windowed = Arrays.stream(window.perLayer(new boolean[layers])).filter(tokens -> tokens > 0).count();
        // An encoder without a cache makes both masks, and only those that a layer uses get memory.
        if (windowed == 0 || !decoder && windowed == layers) {
            throw model.invalid(model.key(SlidingWindow.PATTERN) + " gives " + windowed + " of " + layers + " layers a window");
        }
    }

    private void checkHeads() {
        boolean everyLayer = memory != ModelDims.Memory.HYBRID && !LAYERS_WITHOUT_HEADS.contains(model.architecture());
        for (int i = 0; i < layers; i++) {
            if (everyLayer && (heads[i] == 0 || headsKv[i] == 0)) {
                throw model.invalid("layer " + i + " has " + heads[i] + " heads and " + headsKv[i] + " key heads; each layer of "
                        + model.architecture() + " needs some");
            }
            if (headsKv[i] > 0 && heads[i] % headsKv[i] != 0) {
                throw model.invalid("layer " + i + " has " + heads[i] + " heads, which is no multiple of its " + headsKv[i] + " key heads");
            }
        }
        if (KEYS_LIKE_QUERIES.contains(model.architecture()) && headsKv[0] != heads[0]) {
            throw model.invalid(headsKv[0] + " key heads for " + heads[0] + " heads; they must be as many in " + model.architecture());
        }
        if (heads[0] == 0 && memory != ModelDims.Memory.HYBRID) {
            throw model.invalid("the first layer has no heads, which fixes the length of all heads at 0");
        }
        int embedding = params.whole("embedding_length", 0);
        if (heads[0] > 0 && !params.has("attention.key_length") && embedding / heads[0] == 0) {
            throw model.invalid("embedding_length " + embedding + " is too little for " + heads[0] + " heads");
        }
    }

    private int keyLength() {
        return params.whole("attention.key_length", heads[0] > 0 ? params.whole("embedding_length", 0) / heads[0] : 0);
    }

    private int valueLength() {
        return params.whole("attention.value_length", heads[0] > 0 ? params.whole("embedding_length", 0) / heads[0] : 0);
    }

    private void checkLengths() {
        if (OWN_LENGTHS.contains(model.architecture())) {
            checkLatent();
            return;
        }
        if (keyLength() != valueLength()) {
            throw model.invalid("heads have keys of " + keyLength() + " and values of " + valueLength()
                    + " elements; they must be equal in " + model.architecture());
        }
        int keySwa = params.whole("attention.key_length_swa", keyLength());
        int valueSwa = params.whole("attention.value_length_swa", valueLength());
        if (keySwa != valueSwa) {
            throw model.invalid("heads with a window have keys of " + keySwa + " and values of " + valueSwa
                    + " elements; they must be equal");
        }
    }

    /** With latent attention the cache holds one compressed key per token: the latent vector and the rotated part. */
    private void checkLatent() {
        int latentKey = params.whole("attention.key_length_mla", 0);
        int latentValue = params.whole("attention.value_length_mla", 0);
        int rotated = params.whole("rope.dimension_count", keyLength());
        if ((latentKey == 0) != (latentValue == 0)) {
            throw model.invalid("attention.key_length_mla is " + latentKey + " and attention.value_length_mla is " + latentValue
                    + "; both or none must be above 0");
        }
        if (latentKey == 0) {
            if (keyLength() <= rotated && params.whole("attention.kv_lora_rank", 0) > 0) {
                throw model.invalid("heads have keys of " + keyLength() + " elements, of which " + rotated
                        + " are rotated; some must not be");
            }
            return;
        }
        int rank = params.whole("attention.kv_lora_rank", 0);
        boolean oneHead = Arrays.stream(headsKv).allMatch(count -> count <= 1);
        if (!oneHead || latentKey <= rotated || keyLength() != rank + rotated || valueLength() != rank) {
            throw model.invalid("compressed keys of " + keyLength() + " and values of " + valueLength() + " elements in "
                    + headsKv[layers - 1] + " heads do not follow from a rank of " + rank + ", " + rotated + " rotated elements and keys of "
                    + latentKey);
        }
    }

    /** The language half of DeepSeek-OCR is plain attention, and its graph asserts the numbers of the one model there is. */
    private void checkOcr() {
        int length = params.whole("embedding_length", 0) / heads[0];
        double base = model.header().real(model.key("rope.freq_base")).orElse(10_000);
        if (keyLength() != length || valueLength() != length || Math.abs(base - 10_000) >= 1e-4) {
            throw model.invalid("heads of " + keyLength() + " elements with a rotation base of " + base + "; they must have " + length
                    + " and 10000");
        }
    }

    private void checkRotation(String suffix, int headLength) {
        int rotated = params.whole(suffix, headLength);
        boolean whole = ROTATE_WHOLE_HEAD.contains(model.architecture());
        if (rotated > headLength || whole && rotated != headLength) {
            throw model.invalid(model.key(suffix) + " is " + rotated + " of " + headLength + " elements of a head; it must be "
                    + (whole ? "all" : "no more"));
        }
        // The kernels assert that the number is even, and never come to an end with 0.
        if (!NO_ROTATION.contains(model.architecture()) && (rotated < 2 || rotated % 2 != 0)) {
            throw model.invalid(rotated + " elements of a head of " + headLength + " are to be rotated; it must be an even number above 0");
        }
    }

    /** With several positions per token the head is rotated in sections; upstream divides by their sum and asserts that they fit. */
    private void checkSections() {
        String suffix = "rope.dimension_sections";
        boolean needed = SECTIONS.contains(model.architecture());
        if (!params.has(suffix) && !needed) {
            return;
        }
        int[] sections = params.perLayer(suffix, 4, 0);
        long sum = 0;
        for (int section : sections) {
            sum += section;
        }
        if (sum > keyLength() || needed && sections[0] + (long) sections[1] + sections[2] == 0) {
            throw model.invalid(model.key(suffix) + " makes " + sum + " of " + keyLength() + " elements of a head");
        }
    }

    /** Graphs reshape what a projection gives into heads, which asserts that the numbers agree. */
    private void checkProjections() {
        if (OWN_LENGTHS.contains(model.architecture()) || memory == ModelDims.Memory.HYBRID || params.has("attention.key_length_swa")) {
            return;
        }
        for (int i = 0; i < layers; i++) {
            checkRows(i, "attn_q", (long) heads[i] * keyLength());
            checkRows(i, "attn_k", (long) headsKv[i] * keyLength());
            checkRows(i, "attn_v", (long) headsKv[i] * valueLength());
        }
    }

    private void checkRows(int layer, String projection, long expected) {
        String name = "blk." + layer + "." + projection + ".weight";
        GgufTensor tensor = model.tensor(name);
        if (tensor != null && tensor.ne1() != expected) {
            throw model.invalid("tensor " + name + " is " + tensor.shape() + "; its heads make " + expected + " rows");
        }
    }
}
