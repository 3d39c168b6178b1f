package dev.darkbloom.agent.models;

import java.util.List;

/**
 * Checks optional tensors that upstream uses without looking: the absence of one ends the process with a null pointer when the first graph
 * is built, and so does a height that it asserts on. Found by loading, for each architecture, a model of nothing but its required tensors.
 */
final class PresenceCheck {
    private final GgufModel model;
    private final Hyperparameters params;
    private final int layers;

    PresenceCheck(GgufModel model) {
        this.model = model;
        params = new Hyperparameters(model);
        layers = params.whole("block_count", 0);
    }

    void check() {
        switch (model.architecture()) {
            case "phi3" -> everyLayer(List.of("attn_qkv.weight"), List.of("attn_q.weight", "attn_k.weight", "attn_v.weight"));
            case "mamba2", "granitehybrid", "falcon-h1", "nemotron_h", "nemotron_h_moe" ->
                    layersWith("ssm_conv1d.weight", List.of("ssm_conv1d.bias"));
            case "qwen3next", "qwen35", "qwen35moe", "qwen4exp" ->
                    layersWith("ssm_conv1d.weight", List.of("attn_qkv.weight", "attn_gate.weight"), List.of("ssm_in.weight"));
            case "rwkv6" -> everyLayer(List.of("time_mix_lerp_fused.weight"), List.of("time_mix_lerp_w.weight", "time_mix_lerp_k.weight",
                    "time_mix_lerp_v.weight", "time_mix_lerp_r.weight", "time_mix_lerp_g.weight"));
            case "mpt" -> absent("attn_q_norm.weight");
            case "jina-bert-v2" -> {
                int height = params.whole("feed_forward_length", 0);
                rows("ffn_up.weight", height, 2L * height);
            }
            case "laguna" -> {
                int heads = params.whole("attention.head_count", 0);
                rows("attn_gate.weight", heads, (long) heads * params.whole("attention.key_length", 0));
            }
            default -> { }
        }
    }

    /** Demands that a tensor, where a layer has it, has one of two numbers of rows. */
    private void rows(String tensor, long one, long other) {
        for (int i = 0; i < layers; i++) {
            GgufTensor found = model.tensor(name(i, tensor));
            if (found != null && found.ne1() != one && found.ne1() != other) {
                throw model.invalid("tensor " + found.name() + " is " + found.shape() + "; it must have " + one + " or " + other + " rows");
            }
        }
    }

    /** Demands that each layer has all tensors of one of the alternatives. */
    @SafeVarargs
    private void everyLayer(List<String>... alternatives) {
        for (int i = 0; i < layers; i++) {
            demand(i, alternatives);
        }
    }

    @SafeVarargs
    private void layersWith(String mark, List<String>... alternatives) {
        for (int i = 0; i < layers; i++) {
            if (model.tensor(name(i, mark)) != null) {
                demand(i, alternatives);
            }
        }
    }

    @SafeVarargs
    private void demand(int layer, List<String>... alternatives) {
        for (List<String> alternative : alternatives) {
            if (alternative.stream().allMatch(tensor -> model.tensor(name(layer, tensor)) != null)) {
                return;
            }
        }
        throw model.invalid("layer " + layer + " has no " + String.join(", ", alternatives[0]) + ", which " + model.architecture()
                + " needs");
    }

    /** Demands that no layer has a tensor, where upstream's graph for it asserts on itself. */
    private void absent(String tensor) {
        for (int i = 0; i < layers; i++) {
            if (model.tensor(name(i, tensor)) != null) {
                throw model.invalid("tensor " + name(i, tensor) + " is one that llama.cpp cannot use in " + model.architecture());
            }
        }
    }

    private static String name(int layer, String tensor) {
        return "blk." + layer + "." + tensor;
    }
}
