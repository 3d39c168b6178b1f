package dev.darkbloom.agent.models;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * What each known key below the architecture's prefix may hold; names from {@code LLM_KV_NAMES} in {@code src/llama-arch.cpp}.
 *
 * <p>Upper bounds are far above any model's and keep products of a few of them inside 63 bits. Lower bounds of 1 are where upstream divides
 * by the number or makes a tensor of that size.
 */
final class HyperparameterLimits {
    /** An inclusive range of integers. */
    record Range(long least, long most) {}

    private static final int WIDTH = 1 << 20;
    private static final int COUNT = 1 << 16;
    private static final int TOKENS = 1 << 30;
    /** {@code LLAMA_MAX_LAYERS}. */
    static final int LAYERS = 512;
    /** {@code LLAMA_MAX_EXPERTS}. */
    static final int EXPERTS = 1024;
    private static final int HEADS = 4096;
    /** A window times 256 sequences and a ubatch must fit 32 bits ({@code llama-kv-cache-iswa.cpp}). */
    private static final int WINDOW = 1 << 22;

    private static final Map<String, Range> WHOLES = new HashMap<>();

    static {
        wholes(1, TOKENS, "context_length", "rope.scaling.original_context_length");
        wholes(1, WIDTH, "embedding_length", "features_length", "ssm.time_step_rank");
        wholes(1, LAYERS, "block_count", "full_attention_interval", "interleave_moe_layer_step");
        wholes(0, 1 << 24, "vocab_size", "decoder_start_token_id", "feed_forward_length", "expert_feed_forward_length",
                "expert_shared_feed_forward_length", "expert_chunk_feed_forward_length");
        wholes(0, WIDTH, "embedding_length_out", "embedding_length_per_layer_input", "expert_latent_length", "moe_latent_size",
                "time_mix_extra_dim", "time_decay_extra_dim", "attention.q_lora_rank", "attention.kv_lora_rank",
                "attention.kv_lora_rank_swa", "attention.decay_lora_rank", "attention.iclr_lora_rank",
                "attention.value_residual_mix_lora_rank", "attention.gate_lora_rank", "attention.output_lora_rank",
                "hyper_connection.low_rank", "dense_2_feat_in", "dense_2_feat_out", "dense_3_feat_in", "dense_3_feat_out",
                "target_hidden_size", "adapters.lora_rank");
        wholes(0, LAYERS, "leading_dense_block_count", "moe_every_n_layers", "nextn_predict_layers", "decoder_block_count",
                "rescale_every_n_layers", "attention.shared_kv_layers", "hash_layer_count", "attn_res.block_size");
        wholes(0, EXPERTS, "expert_count", "expert_used_count", "expert_shared_count", "expert_group_count", "expert_group_used_count");
        wholes(1, EXPERTS, "experts_per_group");
        wholes(0, 4, "expert_gating_func", "pooling_type");
        wholes(0, 16, "n_deepstack_layers");
        wholes(1, 2, "token_shift_count");
        wholes(1, 64, "num_loops", "hyper_connection.count", "hyper_connection.sinkhorn_iterations");
        wholes(0, HEADS, "attention.head_count", "attention.head_count_kv", "attention.indexer.head_count");
        wholes(1, COUNT, "attention.key_length", "attention.value_length", "attention.key_length_swa", "attention.value_length_swa",
                "kda.head_dim", "wkv.head_size", "attention.output_group_count", "attention.group_norm_groups");
        wholes(0, COUNT, "attention.key_length_mla", "attention.value_length_mla", "attention.key_length_mla_swa",
                "attention.value_length_mla_swa", "attention.indexer.key_length", "rope.dimension_count", "rope.dimension_count_swa",
                "attention.relative_buckets_count", "attention.indexer.block_size", "attention.indexer.local_blocks", "ssm.group_count");
        wholes(0, TOKENS, "attention.temperature_length", "attention.indexer.top_k");
        wholes(0, WINDOW, "attention.sliding_window");
        wholes(0, LAYERS, "attention.sliding_window_pattern");
        wholes(2, 64, "ssm.conv_kernel", "shortconv.l_cache");
        wholes(1, 1 << 22, "ssm.inner_size");
        wholes(1, COUNT, "ssm.state_size");
    }

    /** Keys that may be an array with one value per layer instead. */
    private static final Set<String> PER_LAYER = Set.of(
            "attention.head_count", "attention.head_count_kv", "feed_forward_length", "expert_feed_forward_length", "expert_used_count",
            "attention.sliding_window_pattern");

    private HyperparameterLimits() {}

    private static void wholes(long least, long most, String... suffixes) {
        for (String suffix : suffixes) {
            WHOLES.put(suffix, new Range(least, most));
        }
    }

    /** Returns the range of an integer key, which is {@code u32} in the file; null for other keys. */
    static Range whole(String suffix) {
        return WHOLES.get(suffix);
    }

    static boolean mayBePerLayer(String suffix) {
        return PER_LAYER.contains(suffix);
    }
}
