package dev.darkbloom.agent.models;

import dev.darkbloom.agent.models.HyperparameterLimits.Range;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Checks the keys below the architecture's prefix one by one, as {@code llama_model_base::load_hparams} reads them. */
final class HyperparameterCheck {
    private static final List<String> REQUIRED = List.of("context_length", "embedding_length", "block_count");

    /** {@code llama_rope_scaling_type_from_string}; upstream asserts on any other word. */
    private static final Set<String> ROPE_SCALING = Set.of("none", "linear", "yarn", "longrope");

    /** Architectures that divide by the number of experts, or assert that there are some. */
    private static final Set<String> NEED_EXPERTS = Set.of(
            "qwen2moe", "qwen3moe", "qwen3vlmoe", "qwen35moe", "qwen3next", "qwen4exp", "glm4moe", "grovemoe", "llada-moe", "mellum",
            "rnd1", "bailingmoe2", "olmoe");

    /** Architectures that abort when the file does not say how experts are chosen; others have a default. */
    private static final Set<String> NEED_GATING = Set.of(
            "bailingmoe2", "bailingmoe3", "deepseek32", "deepseek4", "dots1", "dots3note", "exaone-moe", "kimi-k3", "kimi-linear",
            "minimax-m2", "minimax-m3", "smallthinker");

    private final GgufModel model;
    private final GgufFile file;
    private final Hyperparameters params;

    HyperparameterCheck(GgufModel model) {
        this.model = model;
        file = model.header();
        params = new Hyperparameters(model);
    }

    void check() {
        for (String suffix : REQUIRED) {
            if (!params.has(suffix)) {
                throw file.invalid(model.key(suffix) + " is missing");
            }
        }
        String prefix = model.key("");
        for (Map.Entry<String, GgufValue> entry : file.metadata().entrySet()) {
            if (entry.getKey().startsWith(prefix)) {
                checkOne(entry.getKey(), entry.getKey().substring(prefix.length()), entry.getValue());
            }
        }
        checkRopeScaling();
        checkUse();
        checkOutputs();
        checkLayers();
        checkExperts();
    }

    private void checkOne(String key, String suffix, GgufValue value) {
        Range range = HyperparameterLimits.whole(suffix);
        switch (value) {
            case GgufValue.Real real -> checkReal(key, real.value());
            case GgufValue.Array array when range != null -> checkPerLayer(key, suffix, array, range);
            case GgufValue.Array array -> {
                if (array.elementType() == GgufType.FLOAT32) {
                    for (float element : file.floats(array)) {
                        checkReal(key, element);
                    }
                }
            }
            case GgufValue.Whole whole when range != null && whole.type() == GgufType.UINT32 -> checkRange(key, whole.value(), range);
            case GgufValue other when range != null ->
                    throw file.invalid(key + " has type " + other.type().label() + "; it must be u32");
            case GgufValue _ -> { }
        }
    }

    private void checkRange(String key, long value, Range range) {
        if (value < range.least() || value > range.most()) {
            throw file.invalid(key + " is " + value + "; it must be " + range.least() + " to " + range.most());
        }
    }

    /** NaN passes no comparison, so asserts on scales and epsilons fail with it, and norms assert on negative epsilons. */
    private void checkReal(String key, double value) {
        if (Double.isNaN(value) || Double.isInfinite(value) && !key.endsWith(".gate_lower_bound")) {
            throw file.invalid(key + " is " + value + "; it must be a finite number");
        }
        if (key.endsWith("_epsilon") && !(value >= 0 && value <= 1)) {
            throw file.invalid(key + " is " + value + "; it must be 0 to 1");
        }
        if ((key.endsWith(".freq_base") || key.endsWith(".freq_base_swa")) && value <= 0) {
            throw file.invalid(key + " is " + value + "; it must be above 0");
        }
    }

    private void checkPerLayer(String key, String suffix, GgufValue.Array array, Range range) {
        boolean numbers = switch (array.elementType()) {
            case UINT32, INT32 -> true;
            case BOOL -> suffix.equals("attention.sliding_window_pattern");
            case UINT8, INT8, UINT16, INT16, FLOAT32, STRING, ARRAY, UINT64, INT64, FLOAT64 -> false;
        };
        if (!HyperparameterLimits.mayBePerLayer(suffix) || !numbers) {
            throw file.invalid(key + " is an array of " + array.elementType().label() + "; it must be u32");
        }
        int layers = params.whole("block_count", 0);
        int trunk = layers - params.whole("nextn_predict_layers", 0);
        if (array.count() != layers && (array.count() != trunk || !suffix.equals("attention.sliding_window_pattern"))) {
            throw file.invalid(key + " has " + array.count() + " values for " + layers + " layers");
        }
        for (long element : file.wholes(array)) {
            checkRange(key, element, range);
        }
    }

    private void checkRopeScaling() {
        String key = model.key("rope.scaling.type");
        GgufValue value = file.metadata().get(key);
        if (value != null && !(value instanceof GgufValue.Text(String type) && ROPE_SCALING.contains(type))) {
            throw file.invalid(key + " is not one of none, linear, yarn, longrope");
        }
    }

    /** A model that sees its whole text at once is for embeddings; run as a model of text it asserts on outputs that nobody asked for. */
    private void checkUse() {
        boolean encoder = Architectures.memory(model.architecture()) == ModelDims.Memory.NONE;
        boolean causal = file.flag(model.key("attention.causal"), !encoder);
        if ((encoder || !causal) && params.whole("pooling_type", 0) == 0) {
            throw file.invalid(model.key("pooling_type") + " is 0 or missing; a model that sees its whole text at once needs one");
        }
    }

    /** Upstream copies as many numbers out of a result as these keys say, and asserts that it has them. */
    private void checkOutputs() {
        int width = params.whole("embedding_length", 0);
        int out = params.whole("embedding_length_out", 0);
        GgufTensor dense = model.tensor("dense_2_out.weight");
        if (out > width && (dense == null || dense.ne1() != out)) {
            throw file.invalid(model.key("embedding_length_out") + " is " + out + ", but states are " + width + " wide");
        }
        int labels = file.array(model.key("classifier.output_labels")).map(GgufValue.Array::count).orElse(0);
        if (labels > width) {
            throw file.invalid(model.key("classifier.output_labels") + " has " + labels + " labels, but states are " + width + " wide");
        }
    }

    private void checkLayers() {
        int layers = params.whole("block_count", 0);
        int predicted = params.whole("nextn_predict_layers", 0);
        if (predicted >= layers) {
            throw file.invalid(model.key("nextn_predict_layers") + " is " + predicted + "; it must be less than the " + layers + " layers");
        }
        int deepstack = params.whole("n_deepstack_layers", 0);
        if (deepstack > 0 && deepstack >= layers - predicted) {
            throw file.invalid(model.key("n_deepstack_layers") + " is " + deepstack + "; it must be less than the " + layers + " layers");
        }
    }

    private void checkExperts() {
        int experts = params.whole("expert_count", 0);
        int used = 0;
        for (int perLayer : params.perLayer("expert_used_count", params.whole("block_count", 0), 0)) {
            used = Math.max(used, perLayer);
        }
        if (experts == 0 && NEED_EXPERTS.contains(model.architecture())) {
            throw file.invalid(model.key("expert_count") + " is 0 or missing; architecture " + model.architecture() + " needs experts");
        }
        if (used > experts || experts > 0 && used == 0) {
            throw file.invalid(model.key("expert_used_count") + " is " + used + " of " + experts + " experts");
        }
        if (experts > 0 && params.whole("expert_gating_func", 0) == 0 && NEED_GATING.contains(model.architecture())) {
            throw file.invalid(model.key("expert_gating_func") + " is 0 or missing; " + model.architecture() + " needs it");
        }
        int perGroup = params.whole("experts_per_group", 1);
        if (model.architecture().equals("grovemoe") && (experts % perGroup != 0 || used > experts / perGroup)) {
            throw file.invalid(used + " of " + experts + " experts in groups of " + perGroup + " cannot be chosen");
        }
        int groups = params.whole("expert_group_count", 0);
        int groupsUsed = params.whole("expert_group_used_count", 0);
        if (groups > 0 && groups >= experts) {
            throw file.invalid(model.key("expert_group_count") + " is " + groups + " for " + experts + " experts");
        }
        // Upstream scores a group by its two best experts.
        if (groups > 1 && (experts % groups != 0 || experts / groups < 2 || groupsUsed == 0 || groupsUsed >= groups
                || used > experts / groups * groupsUsed)) {
            throw file.invalid(groupsUsed + " of " + groups + " expert groups cannot give " + used + " of " + experts + " experts");
        }
    }
}
