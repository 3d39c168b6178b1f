package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.models.GgmlType;
import dev.darkbloom.agent.testing.GgufWriter.Fill;
import java.util.List;

/**
 * Models of every kind of memory, small enough to load in milliseconds, with random weights from a seed.
 *
 * <p>Each is loaded and decoded by the pinned llama.cpp. They say nothing sensible, but always the same, so they carry tests that compare
 * one way of computing with another. Callers may change a writer before they write it.
 */
public final class TinyModels {
    private static final int WIDTH = 64;
    private static final int HEADS = 4;
    private static final int HEADS_KV = 2;
    private static final int HEAD = WIDTH / HEADS;
    private static final int FEED_FORWARD = 128;
    private static final int CONTEXT = 1024;

    private TinyModels() {}

    /** The kinds of tiny model. */
    public enum Kind {
        LLAMA, SLIDING_WINDOW, RECURRENT, HYBRID, EXPERTS, EMBEDDING;

        /** Returns a writer of this kind. */
        public GgufWriter writer(long seed) {
            return switch (this) {
                case LLAMA -> llama(seed);
                case SLIDING_WINDOW -> slidingWindow(seed);
                case RECURRENT -> recurrent(seed);
                case HYBRID -> hybrid(seed);
                case EXPERTS -> experts(seed);
                case EMBEDDING -> embedding(seed);
            };
        }
    }

    /** Plain attention with grouped heads: two layers of architecture {@code llama}, Q8_0. */
    public static GgufWriter llama(long seed) {
        return llamaOf(seed, 2, WIDTH, HEADS, HEADS_KV, FEED_FORWARD, ByteVocabulary.size());
    }

    /**
     * Attention of any size, architecture {@code llama}, Q8_0.
     *
     * @param width a multiple of 32 and of {@code heads}
     */
    public static GgufWriter llamaOf(long seed, int layers, int width, int heads, int headsKv, int feedForward, int vocabulary) {
        var writer = new GgufWriter("llama", seed);
        common(writer, layers, width, feedForward, 7);
        heads(writer, heads, headsKv);
        ByteVocabulary.addTo(writer, vocabulary);
        edges(writer, GgmlType.Q8_0, width, vocabulary);
        int head = width / heads;
        for (int i = 0; i < layers; i++) {
            attention(writer, GgmlType.Q8_0, i, width, heads, headsKv, head);
            feedForward(writer, GgmlType.Q8_0, i, width, feedForward);
        }
        return writer;
    }

    /** A model of 350 M parameters with tied embeddings, Q8_0, 376 MB: work for benchmarks. Write it to disk, not to memory. */
    public static GgufWriter benchmark350M(long seed) {
        return llamaOf(seed, 24, 1024, 16, 8, 3328, 32_000).u32("llama.context_length", 8192).withoutTensor("output.weight");
    }

    /** Attention in which every second layer sees 16 tokens: four layers of architecture {@code gemma3}, F16. */
    public static GgufWriter slidingWindow(long seed) {
        var writer = new GgufWriter("gemma3", seed);
        int layers = 4;
        common(writer, layers, WIDTH, FEED_FORWARD, 1);
        heads(writer, HEADS, HEADS_KV);
        writer.u32("gemma3.attention.key_length", HEAD)
                .u32("gemma3.attention.value_length", HEAD)
                .u32("gemma3.attention.sliding_window", 16)
                .u32("gemma3.attention.sliding_window_pattern", 2);
        ByteVocabulary.addTo(writer, ByteVocabulary.size());
        edges(writer, GgmlType.F16, WIDTH, ByteVocabulary.size());
        for (int i = 0; i < layers; i++) {
            attention(writer, GgmlType.F16, i, WIDTH, HEADS, HEADS_KV, HEAD);
            norm(writer, block(i, "attn_q_norm"), HEAD);
            norm(writer, block(i, "attn_k_norm"), HEAD);
            norm(writer, block(i, "post_attention_norm"), WIDTH);
            feedForward(writer, GgmlType.F16, i, WIDTH, FEED_FORWARD);
            norm(writer, block(i, "post_ffw_norm"), WIDTH);
        }
        return writer;
    }

    /** A state instead of attention: two layers of architecture {@code mamba}, F32. */
    public static GgufWriter recurrent(long seed) {
        var writer = new GgufWriter("mamba", seed);
        common(writer, 2, WIDTH, 0, 0);
        heads(writer, 0, 0);
        stateSpace(writer);
        ByteVocabulary.addTo(writer, ByteVocabulary.size());
        edges(writer, GgmlType.F32, WIDTH, ByteVocabulary.size());
        for (int i = 0; i < 2; i++) {
            norm(writer, block(i, "attn_norm"), WIDTH);
            stateSpaceLayer(writer, i);
        }
        return writer;
    }

    /** State and attention in turn: four layers of architecture {@code jamba}, F32. */
    public static GgufWriter hybrid(long seed) {
        var writer = new GgufWriter("jamba", seed);
        int layers = 4;
        common(writer, layers, WIDTH, FEED_FORWARD, 0);
        writer.u32("jamba.attention.head_count", HEADS)
                .u32s("jamba.attention.head_count_kv", 0, HEADS_KV, 0, HEADS_KV);
        stateSpace(writer);
        ByteVocabulary.addTo(writer, ByteVocabulary.size());
        edges(writer, GgmlType.F32, WIDTH, ByteVocabulary.size());
        for (int i = 0; i < layers; i++) {
            if (i % 2 == 0) {
                norm(writer, block(i, "attn_norm"), WIDTH);
                stateSpaceLayer(writer, i);
                norm(writer, block(i, "ssm_dt_norm"), 4);
                norm(writer, block(i, "ssm_b_norm"), 16);
                norm(writer, block(i, "ssm_c_norm"), 16);
            } else {
                attention(writer, GgmlType.F32, i, WIDTH, HEADS, HEADS_KV, HEAD);
            }
            feedForward(writer, GgmlType.F32, i, WIDTH, FEED_FORWARD);
        }
        return writer;
    }

    /** Two of four experts for each token: two layers of architecture {@code llama}, F16. */
    public static GgufWriter experts(long seed) {
        var writer = new GgufWriter("llama", seed);
        common(writer, 2, WIDTH, FEED_FORWARD, 1);
        heads(writer, HEADS, HEADS_KV);
        writer.u32("llama.expert_count", 4).u32("llama.expert_used_count", 2);
        ByteVocabulary.addTo(writer, ByteVocabulary.size());
        edges(writer, GgmlType.F16, WIDTH, ByteVocabulary.size());
        for (int i = 0; i < 2; i++) {
            attention(writer, GgmlType.F16, i, WIDTH, HEADS, HEADS_KV, HEAD);
            norm(writer, block(i, "ffn_norm"), WIDTH);
            writer.tensor(block(i, "ffn_gate_inp"), GgmlType.F32, WIDTH, 4)
                    .tensor(block(i, "ffn_gate_exps"), GgmlType.F16, WIDTH, FEED_FORWARD, 4)
                    .tensor(block(i, "ffn_down_exps"), GgmlType.F16, FEED_FORWARD, WIDTH, 4)
                    .tensor(block(i, "ffn_up_exps"), GgmlType.F16, WIDTH, FEED_FORWARD, 4);
        }
        return writer;
    }

    /** An encoder whose tokens are averaged: two layers of architecture {@code bert}, F32. */
    public static GgufWriter embedding(long seed) {
        var writer = new GgufWriter("bert", seed);
        common(writer, 2, WIDTH, FEED_FORWARD, 0);
        writer.u32("bert.context_length", 512)
                .u32("bert.attention.head_count", HEADS)
                .f32("bert.attention.layer_norm_epsilon", 1e-12)
                .flag("bert.attention.causal", false)
                .u32("bert.pooling_type", 1);
        ByteVocabulary.addWordPieces(writer);
        writer.tensor("token_embd.weight", GgmlType.F32, WIDTH, ByteVocabulary.wordPieces())
                .tensor("token_types.weight", GgmlType.F32, WIDTH, 2)
                .tensor("position_embd.weight", GgmlType.F32, WIDTH, 512);
        normWithBias(writer, "token_embd_norm", WIDTH);
        for (int i = 0; i < 2; i++) {
            for (String name : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
                linear(writer, "blk." + i + "." + name, WIDTH, WIDTH);
            }
            normWithBias(writer, "blk." + i + ".attn_output_norm", WIDTH);
            linear(writer, "blk." + i + ".ffn_up", WIDTH, FEED_FORWARD);
            linear(writer, "blk." + i + ".ffn_down", FEED_FORWARD, WIDTH);
            normWithBias(writer, "blk." + i + ".layer_output_norm", WIDTH);
        }
        return writer;
    }

    /** An encoder that gives a pair of texts one score: {@link #embedding} with a classification head. */
    public static GgufWriter ranking(long seed) {
        GgufWriter writer = embedding(seed).u32("bert.pooling_type", 4);
        linear(writer, "cls", WIDTH, WIDTH);
        linear(writer, "cls.output", WIDTH, 1);
        return writer;
    }

    private static void common(GgufWriter writer, int layers, int width, int feedForward, int fileType) {
        writer.text("general.name", "tiny random")
                .u32("general.file_type", fileType)
                .u32(writer.own("context_length"), CONTEXT)
                .u32(writer.own("embedding_length"), width)
                .u32(writer.own("block_count"), layers)
                .u32(writer.own("feed_forward_length"), feedForward)
                .f32(writer.own("attention.layer_norm_rms_epsilon"), 1e-5);
    }

    private static void heads(GgufWriter writer, int heads, int headsKv) {
        writer.u32(writer.own("attention.head_count"), heads).u32(writer.own("attention.head_count_kv"), headsKv);
    }

    private static void edges(GgufWriter writer, GgmlType type, int width, int vocabulary) {
        writer.tensor("token_embd.weight", type, width, vocabulary);
        norm(writer, "output_norm.weight", width);
        // With tied embeddings a random model repeats its last token for ever, which would hide mistakes in what it remembers.
        writer.tensor("output.weight", type, width, vocabulary);
    }

    private static void attention(GgufWriter writer, GgmlType type, int layer, int width, int heads, int headsKv, int head) {
        norm(writer, block(layer, "attn_norm"), width);
        writer.tensor(block(layer, "attn_q"), type, width, (long) heads * head)
                .tensor(block(layer, "attn_k"), type, width, (long) headsKv * head)
                .tensor(block(layer, "attn_v"), type, width, (long) headsKv * head)
                .tensor(block(layer, "attn_output"), type, (long) heads * head, width);
    }

    private static void feedForward(GgufWriter writer, GgmlType type, int layer, int width, int feedForward) {
        norm(writer, block(layer, "ffn_norm"), width);
        writer.tensor(block(layer, "ffn_gate"), type, width, feedForward)
                .tensor(block(layer, "ffn_up"), type, width, feedForward)
                .tensor(block(layer, "ffn_down"), type, feedForward, width);
    }

    private static void stateSpace(GgufWriter writer) {
        writer.u32(writer.own("ssm.conv_kernel"), 4)
                .u32(writer.own("ssm.inner_size"), 2 * WIDTH)
                .u32(writer.own("ssm.state_size"), 16)
                .u32(writer.own("ssm.time_step_rank"), 4);
    }

    private static void stateSpaceLayer(GgufWriter writer, int layer) {
        int inner = 2 * WIDTH;
        String prefix = "blk." + layer + ".";
        writer.tensor(prefix + "ssm_in.weight", GgmlType.F32, WIDTH, 2 * inner)
                .tensor(prefix + "ssm_conv1d.weight", GgmlType.F32, 4, inner)
                .tensor(prefix + "ssm_conv1d.bias", GgmlType.F32, Fill.ZEROS, inner)
                .tensor(prefix + "ssm_x.weight", GgmlType.F32, inner, 4 + 2 * 16)
                .tensor(prefix + "ssm_dt.weight", GgmlType.F32, 4, inner)
                .tensor(prefix + "ssm_dt.bias", GgmlType.F32, Fill.ZEROS, inner)
                .tensor(prefix + "ssm_a", GgmlType.F32, Fill.DECAY, 16, inner)
                .tensor(prefix + "ssm_d", GgmlType.F32, Fill.ONES, inner)
                .tensor(prefix + "ssm_out.weight", GgmlType.F32, inner, WIDTH);
    }

    private static void linear(GgufWriter writer, String name, int from, int to) {
        writer.tensor(name + ".weight", GgmlType.F32, from, to).tensor(name + ".bias", GgmlType.F32, Fill.ZEROS, to);
    }

    private static void norm(GgufWriter writer, String name, int width) {
        writer.tensor(name, GgmlType.F32, Fill.ONES, width);
    }

    private static void normWithBias(GgufWriter writer, String name, int width) {
        norm(writer, name + ".weight", width);
        writer.tensor(name + ".bias", GgmlType.F32, Fill.ZEROS, width);
    }

    private static String block(int layer, String name) {
        return "blk." + layer + "." + name + ".weight";
    }
}
