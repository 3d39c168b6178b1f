package dev.darkbloom.agent.models;

import java.util.Map;

/** Checks the numbers below the architecture's prefix, as {@code llama_model_base::load_hparams} reads and asserts on them. */
final class HyperparameterCheck {
    private static final int MAX_CONTEXT = 1 << 30;
    private static final int MAX_WIDTH = 1 << 20;
    /** {@code LLAMA_MAX_EXPERTS}. */
    private static final int MAX_EXPERTS = 1024;
    private static final int MAX_HEADS = 4096;

    private final GgufModel model;
    private final GgufFile file;

    HyperparameterCheck(GgufModel model) {
        this.model = model;
        file = model.header();
    }

    void check() {
        checkFloats();
        required("context_length", MAX_CONTEXT);
        required("embedding_length", MAX_WIDTH);
        required("block_count", DimsReader.MAX_LAYERS);
    }

    /** NaN passes no comparison, so upstream's asserts on scales and epsilons fail with it. */
    private void checkFloats() {
        String prefix = model.architecture() + ".";
        for (Map.Entry<String, GgufValue> entry : file.metadata().entrySet()) {
            if (entry.getKey().startsWith(prefix) && entry.getValue() instanceof GgufValue.Real real) {
                if (Double.isNaN(real.value())) {
                    throw file.invalid(entry.getKey() + " is not a number");
                }
                if (entry.getKey().endsWith("_epsilon") && !(real.value() >= 0 && real.value() <= 1)) {
                    throw file.invalid(entry.getKey() + " is " + real.value() + "; it must be 0 to 1");
                }
            }
        }
    }

    private long required(String suffix, long limit) {
        String key = model.key(suffix);
        if (!file.metadata().containsKey(key)) {
            throw file.invalid(key + " is missing");
        }
        return whole(key, 1, limit);
    }

    private long whole(String key, long least, long limit) {
        GgufValue value = file.metadata().get(key);
        if (!(value instanceof GgufValue.Whole whole) || whole.type() != GgufType.UINT32) {
            throw file.invalid(key + " has type " + value.type().label() + "; it must be u32");
        }
        if (whole.value() < least || whole.value() > limit) {
            throw file.invalid(key + " is " + whole.value() + "; it must be " + least + " to " + limit);
        }
        return whole.value();
    }
}
