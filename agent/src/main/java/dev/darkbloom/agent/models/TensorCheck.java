package dev.darkbloom.agent.models;

import java.util.List;

/**
 * Checks what the tensors are made of, and the embedding against the vocabulary.
 *
 * <p>Upstream checks every shape that it uses and throws. What it does not check are types: the CPU backend aborts when a norm or a bias is
 * not {@code f32} ({@code binary-ops.cpp}), and calls a null pointer for weights of a type that exists for intermediate results only.
 */
final class TensorCheck {
    /** Parts of names whose tensors are added, multiplied, convolved or scanned, not multiplied as matrices; {@code LLM_TENSOR_INFOS}. */
    private static final List<String> F32_NAMES = List.of(
            "norm", "_scale.", "token_types", "conv1d", "shortconv.conv", "ssm_a", "ssm_d", "attn_sinks", "exp_probs_b", "rope_f",
            "ffn.act", "lerp_", "time_mix_k_k", "time_mix_k_a", "time_mix_r_k", "time_mix_w0", "time_mix_a0", "time_mix_v0",
            "time_mix_first", "time_mix_ln", "time_mix_decay.", "hc_attn_base", "hc_ffn_base", "hc_head_base", "res_score", ".gamma");

    /** Matrices whose names contain one of the above. */
    private static final List<String> MATRIX_NAMES = List.of("ssm_dt.weight", "ssm_alpha", "ssm_beta");

    /** Tokens 4 to 8195 stand for pieces of images, and the graph hides them. */
    private static final int CHAMELEON_TOKENS = 8196;

    private static final String EMBEDDING = "token_embd.weight";

    private final GgufModel model;

    TensorCheck(GgufModel model) {
        this.model = model;
    }

    void check() {
        if (model.tensors().isEmpty()) {
            throw model.invalid("file holds no tensors, only metadata");
        }
        for (GgufTensor tensor : model.tensors()) {
            checkType(tensor);
        }
        checkEmbedding();
    }

    private void checkType(GgufTensor tensor) {
        if (tensor.name().contains("tid2eid")) {
            return;   // a table of expert numbers
        }
        if (needsF32(tensor)) {
            if (tensor.type() != GgmlType.F32) {
                throw model.invalid("tensor " + tensor.name() + " has type " + tensor.type() + "; it must be F32");
            }
        } else if (!tensor.type().isWeight()) {
            throw model.invalid("tensor " + tensor.name() + " has type " + tensor.type() + ", which no weights have");
        }
    }

    private static boolean needsF32(GgufTensor tensor) {
        String name = tensor.name();
        if (tensor.elements() == tensor.ne0() || name.endsWith(".bias")) {
            return true;
        }
        return F32_NAMES.stream().anyMatch(name::contains) && MATRIX_NAMES.stream().noneMatch(name::contains);
    }

    private void checkEmbedding() {
        GgufTensor embedding = model.tensor(EMBEDDING);
        if (embedding == null) {
            return;   // upstream throws, except for an architecture that uses the output matrix instead
        }
        var params = new Hyperparameters(model);
        int width = params.whole("embedding_length", 0);
        int least = model.architecture().equals("chameleon") ? CHAMELEON_TOKENS : 1;
        int tokens = model.header().array(TokenizerCheck.TOKENS).map(GgufValue.Array::count).orElse(0);
        if (tokens < least) {
            throw model.invalid("the vocabulary has " + tokens + " tokens; " + model.architecture() + " needs " + least);
        }
        if (!embedding.hasShape(width, tokens)) {
            throw model.invalid("tensor " + EMBEDDING + " is " + embedding.shape() + "; embedding_length and vocabulary make it " + width
                    + " x " + tokens);
        }
    }
}
