package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.models.GgmlType;
import dev.darkbloom.agent.models.GgufType;
import dev.darkbloom.agent.testing.GgufWriter.Fill;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Spoils models in ways that leave the file well-formed: what a broken converter or a hostile author would write.
 *
 * <p>A random byte rarely gets past a reader; these mutants do, and so reach the checks behind it and the native loader. Equal seeds give
 * equal mutants.
 */
public final class GgufMutator {
    private static final long[] WHOLES = {
        0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 63, 64, 100, 128, 255, 256, 257, 295, 296, 300, 511, 512, 513, 1000, 1024, 4096, 65_535,
        65_536, 1 << 20, Integer.MAX_VALUE, 1L << 31, (1L << 32) - 1, (1L << 32) - 2};
    private static final double[] REALS = {
        0, 1, -1, 0.5, 1e-5, 1e-30, 1e30, 1e38, -1e38, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 10_000, 2};
    private static final String[] ARCHITECTURES = {
        "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "mistral3", "phi2", "phi3", "falcon", "gpt2", "gptneox", "mpt", "bloom",
        "starcoder", "starcoder2", "stablelm", "olmo", "olmo2", "olmoe", "qwen2moe", "qwen3moe", "mamba", "mamba2", "jamba", "rwkv6",
        "rwkv7", "bert", "nomic-bert", "jina-bert-v2", "granite", "granitemoe", "granitehybrid", "falcon-h1", "lfm2", "nemotron",
        "nemotron_h", "exaone", "exaone4", "command-r", "cohere2", "deepseek", "deepseek2", "glm4", "internlm2", "minicpm", "baichuan",
        "smollm3", "gpt-oss", "llama4", "deci", "qwen3next", "qwen35", "plamo2", "arcee", "t5", "dream", "hunyuan-dense", "ernie4_5",
        "bitnet", "xverse", "orion", "gemma3n", "gemma4", "gemma-embedding", "modern-bert", "kimi-linear", "minimax-01", "nanbeige"};
    private static final String[] KEYS = {
        "vocab_size", "embedding_length_out", "leading_dense_block_count", "expert_count", "expert_used_count", "expert_shared_count",
        "expert_group_count", "expert_group_used_count", "expert_gating_func", "expert_feed_forward_length", "moe_every_n_layers",
        "nextn_predict_layers", "n_deepstack_layers", "pooling_type", "attention.key_length", "attention.value_length",
        "attention.head_count", "attention.head_count_kv", "attention.sliding_window", "attention.sliding_window_pattern",
        "attention.q_lora_rank", "attention.kv_lora_rank", "attention.key_length_mla", "attention.value_length_mla",
        "attention.group_norm_groups", "attention.relative_buckets_count", "attention.shared_kv_layers", "rope.dimension_count",
        "rope.dimension_count_swa", "rope.scaling.original_context_length", "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size",
        "ssm.time_step_rank", "ssm.group_count", "wkv.head_size", "token_shift_count", "shortconv.l_cache", "full_attention_interval",
        "interleave_moe_layer_step", "decoder_block_count", "feed_forward_length", "rescale_every_n_layers", "time_mix_extra_dim",
        "time_decay_extra_dim", "expert_shared_feed_forward_length", "attention.indexer.head_count", "attention.indexer.top_k",
        "embedding_length_per_layer_input", "num_loops", "attention.temperature_length", "kda.head_dim"};
    private static final String[] REAL_KEYS = {
        "rope.freq_base", "rope.scaling.factor", "rope.scaling.attn_factor", "rope.scale_linear", "attention.clamp_kqv",
        "attention.max_alibi_bias", "attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "residual_scale",
        "embedding_scale", "attention.scale", "expert_weights_scale", "attention.layer_norm_epsilon",
        "attention.layer_norm_rms_epsilon", "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_beta_fast", "rope.freq_base_swa"};
    private static final String[] TOKEN_KEYS = {
        "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.eot_token_id",
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.mask_token_id",
        "tokenizer.ggml.token_type_count", "tokenizer.ggml.fim_pre_token_id"};
    private static final String[] TEXTS = {
        "", "llama", "gpt2", "bert", "t5", "rwkv", "plamo2", "none", "no_vocab", "gemma4", "default", "qwen2", "llama-bpe", "kimi-k2",
        "deepseek-llm", "linear", "yarn", "longrope", "none", "tekken", "gpt-4o", "hybriddna", "whitespace", "phi-3", "jina-v2-de",
        "(((((", "{{", "{% if %}"};
    private static final String[] TOKENS = {
        "<0x0A>", "<0xGG>", "\n", " ", "▁", "</s>", "<s>", "<mask>", "\\x0a", "\\", "'\\n'", "a b c", "[EMPTY_3]"};
    private static final String[] TENSORS = {
        "rope_freqs.weight", "output.weight", "output.bias", "output_norm.bias", "blk.0.attn_q.bias", "blk.0.attn_k.bias",
        "blk.0.attn_v.bias", "blk.0.attn_output.bias", "blk.0.attn_qkv.weight", "blk.0.attn_qkv.bias", "blk.0.ffn_gate_inp.weight",
        "blk.0.ffn_up.bias", "blk.1.attn_norm.bias", "blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight", "cls.weight",
        "cls.output.weight", "blk.0.rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight", "token_types.weight",
        "blk.0.ffn_gate_inp.bias", "blk.0.exp_probs_b.bias", "blk.0.attn_sinks.weight"};

    private final SplittableRandom random;

    public GgufMutator(long seed) {
        random = new SplittableRandom(seed);
    }

    /** Changes one to four things in {@code model}. */
    public void mutate(GgufWriter model) {
        int changes = 1 + Math.min(3, random.nextInt(6));
        for (int i = 0; i < changes; i++) {
            switch (random.nextInt(16)) {
                case 0 -> removeKey(model);
                case 1, 2, 3 -> changeValue(model);
                case 4 -> changeType(model);
                case 5, 6 -> addOwn(model);
                case 7 -> addTokenKey(model);
                case 8 -> changeArchitecture(model);
                case 9, 10 -> changeArray(model);
                case 11 -> changeTensorType(model);
                case 12, 13 -> changeShape(model);
                case 14 -> removeOrAddTensor(model);
                case 15 -> changeText(model);
                default -> throw new AssertionError();
            }
        }
    }

    private <T> T pick(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private String pick(String... texts) {
        return texts[random.nextInt(texts.length)];
    }

    private long whole() {
        return WHOLES[random.nextInt(WHOLES.length)];
    }

    private void removeKey(GgufWriter model) {
        model.metadata().remove(pick(new ArrayList<>(model.metadata().keySet())));
    }

    private void changeValue(GgufWriter model) {
        String key = pick(new ArrayList<>(model.metadata().keySet()));
        GgufWriter.Value value = model.metadata().get(key);
        byte[] bytes = value.bytes().clone();
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        switch (value.type()) {
            case UINT32, INT32 -> buffer.putInt(0, (int) (random.nextInt(3) == 0 ? buffer.getInt(0) + random.nextInt(-2, 3) : whole()));
            case FLOAT32 -> buffer.putFloat(0, (float) REALS[random.nextInt(REALS.length)]);
            case BOOL -> bytes[0] ^= 1;
            default -> { }
        }
        model.metadata().put(key, new GgufWriter.Value(value.type(), value.elementType(), bytes));
    }

    private void changeType(GgufWriter model) {
        String key = pick(new ArrayList<>(model.metadata().keySet()));
        GgufWriter.Value value = model.metadata().get(key);
        GgufType other = GgufType.values()[random.nextInt(GgufType.values().length)];
        if (other.bytes() > 0 && value.elementType() == null && value.type() != GgufType.STRING) {
            model.metadata().put(key, new GgufWriter.Value(other, null, Arrays.copyOf(value.bytes(), other.bytes())));
        } else if (value.elementType() != null && value.elementType().bytes() == other.bytes() && other.bytes() > 0) {
            model.metadata().put(key, new GgufWriter.Value(value.type(), other, value.bytes()));
        }
    }

    private void addOwn(GgufWriter model) {
        if (random.nextInt(4) == 0) {
            model.f32(model.own(pick(REAL_KEYS)), REALS[random.nextInt(REALS.length)]);
            return;
        }
        String key = model.own(pick(KEYS));
        if (random.nextInt(4) == 0) {
            var values = new int[random.nextInt(1, 6)];
            for (int i = 0; i < values.length; i++) {
                values[i] = (int) (random.nextBoolean() ? random.nextInt(5) : whole());
            }
            model.u32s(key, values);
        } else {
            model.u32(key, random.nextBoolean() ? random.nextInt(9) : whole());
        }
    }

    private void addTokenKey(GgufWriter model) {
        model.u32(pick(TOKEN_KEYS), whole());
    }

    private void changeArchitecture(GgufWriter model) {
        String from = model.own("");
        String to = pick(ARCHITECTURES);
        var renamed = new LinkedHashMap<String, GgufWriter.Value>();
        model.metadata().forEach((key, value) -> renamed.put(key.startsWith(from) ? to + "." + key.substring(from.length()) : key, value));
        model.metadata().clear();
        model.metadata().putAll(renamed);
        model.text("general.architecture", to);
    }

    private void changeArray(GgufWriter model) {
        List<String> arrays = model.metadata().entrySet().stream()
                .filter(entry -> entry.getValue().elementType() != null)
                .map(Map.Entry::getKey)
                .toList();
        if (arrays.isEmpty()) {
            return;
        }
        String key = pick(arrays);
        GgufWriter.Value value = model.metadata().get(key);
        int size = value.elementType().bytes();
        ByteBuffer buffer = ByteBuffer.wrap(value.bytes().clone()).order(ByteOrder.LITTLE_ENDIAN);
        long count = buffer.getLong(0);
        if (size == 4 && count > 0 && random.nextBoolean()) {
            buffer.putInt(8 + 4 * random.nextInt((int) count), (int) (random.nextBoolean() ? random.nextInt(8) : whole()));
            model.metadata().put(key, new GgufWriter.Value(value.type(), value.elementType(), buffer.array()));
        } else if (value.elementType() == GgufType.STRING) {
            changeStrings(model, key, buffer, (int) count);
        } else if (size > 0) {
            long kept = random.nextInt(3) == 0 ? 0 : random.nextLong(count + 1);
            byte[] bytes = Arrays.copyOf(buffer.putLong(0, kept).array(), (int) (8 + kept * size));
            model.metadata().put(key, new GgufWriter.Value(value.type(), value.elementType(), bytes));
        }
    }

    private void changeStrings(GgufWriter model, String key, ByteBuffer buffer, int count) {
        var strings = new ArrayList<String>();
        int at = 8;
        for (int i = 0; i < count; i++) {
            int length = (int) buffer.getLong(at);
            strings.add(new String(buffer.array(), at + 8, length, StandardCharsets.UTF_8));
            at += 8 + length;
        }
        if (strings.isEmpty()) {
            return;
        }
        int index = random.nextInt(strings.size());
        switch (random.nextInt(9)) {
            case 0 -> strings.remove(index);
            case 1 -> strings.set(index, "");
            case 2 -> strings.set(index, pick(strings));
            case 3 -> strings.set(index, "a\0b");
            case 4 -> strings.set(index, "x".repeat(1 << random.nextInt(18)));
            case 5 -> strings.add("extra");
            case 6 -> strings.clear();
            case 7 -> strings.set(index, pick(TOKENS));
            case 8 -> strings.subList(index, strings.size()).clear();
            default -> throw new AssertionError();
        }
        model.texts(key, strings);
    }

    private void changeText(GgufWriter model) {
        String key = random.nextInt(3) == 0 ? model.own("rope.scaling.type")
                : pick("tokenizer.ggml.model", "tokenizer.ggml.pre", "general.name", "tokenizer.chat_template", "general.type");
        model.text(key, pick(TEXTS));
    }

    private void changeTensorType(GgufWriter model) {
        if (model.tensors().isEmpty()) {
            return;
        }
        String name = pick(new ArrayList<>(model.tensors().keySet()));
        GgufWriter.Tensor tensor = model.tensors().get(name);
        GgmlType type = GgmlType.values()[random.nextInt(GgmlType.values().length)];
        if (tensor.dimensions()[0] % type.blockElements() == 0) {
            model.tensor(name, type, Fill.RANDOM, tensor.dimensions());
        }
    }

    private void changeShape(GgufWriter model) {
        if (model.tensors().isEmpty()) {
            return;
        }
        String name = pick(new ArrayList<>(model.tensors().keySet()));
        GgufWriter.Tensor tensor = model.tensors().get(name);
        long[] dimensions = tensor.dimensions().clone();
        int which = random.nextInt(dimensions.length);
        switch (random.nextInt(5)) {
            case 0 -> dimensions[which] = Math.max(1, dimensions[which] / 2);
            case 1 -> dimensions[which] *= 2;
            case 2 -> dimensions[which] = random.nextInt(1, 600);
            case 3 -> dimensions = new long[] {dimensions[0], 1, 1, dimensions.length > 1 ? dimensions[1] : 2};
            case 4 -> {
                long first = dimensions[0];
                dimensions[0] = dimensions[dimensions.length - 1];
                dimensions[dimensions.length - 1] = first;
            }
            default -> throw new AssertionError();
        }
        GgmlType type = dimensions[0] % tensor.type().blockElements() == 0 ? tensor.type() : GgmlType.F32;
        model.tensor(name, type, Fill.RANDOM, dimensions);
    }

    private void removeOrAddTensor(GgufWriter model) {
        if (random.nextBoolean() && !model.tensors().isEmpty()) {
            model.tensors().remove(pick(new ArrayList<>(model.tensors().keySet())));
        } else {
            long[] dimensions = random.nextBoolean() ? new long[] {64} : random.nextBoolean() ? new long[] {8} : new long[] {64, 64};
            model.tensor(pick(TENSORS), GgmlType.F32, Fill.RANDOM, dimensions);
        }
    }
}
