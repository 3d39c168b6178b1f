package dev.darkbloom.agent.models;

import dev.darkbloom.agent.models.ModelDims.Accuracy;
import dev.darkbloom.agent.models.ModelDims.Layer;
import dev.darkbloom.agent.models.ModelDims.Memory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Works out what each layer keeps, as {@code llama_kv_cache}, {@code llama_memory_recurrent} and {@code llama_hparams::n_embd_r} and
 * {@code n_embd_s} do.
 */
final class DimsReader {
    private final GgufModel model;
    private final Hyperparameters params;
    private final String architecture;
    private final int layerCount;
    private final int embedding;
    private final int[] heads;
    private final int[] headsKv;
    private Accuracy accuracy = Accuracy.EXACT;

    DimsReader(GgufModel model) {
        this.model = model;
        params = new Hyperparameters(model);
        architecture = model.architecture();
        layerCount = Math.min(params.whole("block_count", 0), HyperparameterLimits.LAYERS);
        embedding = params.whole("embedding_length", 0);
        heads = params.perLayer("attention.head_count", layerCount, 0);
        headsKv = params.has("attention.head_count_kv") ? params.perLayer("attention.head_count_kv", layerCount, 0) : heads;
    }

    ModelDims read() {
        Memory memory = Architectures.memory(architecture);
        int trained = params.whole("context_length", 0);
        List<Layer> layers = switch (memory) {
            case ATTENTION, HYBRID, RECURRENT -> layerCount == 0 ? List.of() : layers(memory);
            case NONE, UNKNOWN, SLIDING_WINDOW -> List.of();
        };
        if (memory == Memory.ATTENTION && layers.stream().anyMatch(layer -> layer.windowTokens() > 0)) {
            memory = Memory.SLIDING_WINDOW;
        }
        if (memory == Memory.UNKNOWN || layerCount == 0 || Architectures.hasExtraCaches(architecture)) {
            accuracy = Accuracy.UNKNOWN;
        }
        return new ModelDims(architecture, memory, trained, embedding, vocabularySize(), layers, accuracy);
    }

    private int vocabularySize() {
        return model.header().array("tokenizer.ggml.tokens").map(GgufValue.Array::count).orElseGet(() -> params.whole("vocab_size", 0));
    }

    private List<Layer> layers(Memory memory) {
        boolean[] recurrent = recurrentLayers(memory);
        boolean attentionBesideState = architecture.equals("falcon-h1");
        int[] windows = new SlidingWindow(model).perLayer(recurrent);
        int layersWithKv = layersWithKv();
        long state = memory == Memory.ATTENTION ? 0 : stateElements();
        boolean[] feedForward = feedForwardLayers();
        var layers = new ArrayList<Layer>();
        for (int i = 0; i < layerCount; i++) {
            boolean attends = memory != Memory.RECURRENT && (!recurrent[i] || attentionBesideState) && i < layersWithKv && !feedForward[i];
            int key = attends ? elements(keyLength(i, windows[i] > 0), headsKv[i]) : 0;
            int value = attends && !isMla() ? elements(valueLength(i, windows[i] > 0), headsKv[i]) : 0;
            layers.add(new Layer(key, value, attends ? windows[i] : 0, recurrent[i] && !feedForward[i] ? state : 0));
        }
        return layers;
    }

    private int elements(int headLength, int heads) {
        long elements = (long) headLength * heads;
        if (elements > Integer.MAX_VALUE) {
            accuracy = Accuracy.UNKNOWN;
            return 0;
        }
        return (int) elements;
    }

    private boolean isMla() {
        return params.whole("attention.key_length_mla", 0) > 0 && params.whole("attention.value_length_mla", 0) > 0;
    }

    private int keyLength(int layer, boolean windowed) {
        int full = params.whole("attention.key_length", defaultHeadLength(layer));
        return windowed ? params.whole("attention.key_length_swa", full) : full;
    }

    private int valueLength(int layer, boolean windowed) {
        int full = params.whole("attention.value_length", defaultHeadLength(layer));
        return windowed ? params.whole("attention.value_length_swa", full) : full;
    }

    /** Upstream divides by the first layer's heads; where that layer has none, by those of the layer in question. */
    private int defaultHeadLength(int layer) {
        int count = heads[0] > 0 ? heads[0] : heads[layer];
        return count > 0 ? embedding / count : 0;
    }

    /** Gemma 3n and 4 let later layers read the cache of earlier ones. */
    private int layersWithKv() {
        return switch (architecture) {
            case "gemma3n" -> 20;
            case "gemma4" -> Math.max(0, layerCount - params.whole("attention.shared_kv_layers", 0));
            default -> layerCount;
        };
    }

    /** In Nemotron-H a layer is one of attention, state or feed-forward. */
    private boolean[] feedForwardLayers() {
        var result = new boolean[layerCount];
        if (architecture.startsWith("nemotron_h")) {
            int[] lengths = params.perLayer("feed_forward_length", layerCount, 0);
            for (int i = 0; i < layerCount; i++) {
                result[i] = lengths[i] > 0;
            }
        }
        return result;
    }

    private boolean[] recurrentLayers(Memory memory) {
        var recurrent = new boolean[layerCount];
        if (memory == Memory.RECURRENT || architecture.equals("falcon-h1")) {
            Arrays.fill(recurrent, true);
        } else if (memory == Memory.HYBRID) {
            int interval = switch (architecture) {
                case "qwen3next", "qwen35", "qwen35moe", "qwen4exp" -> params.whole("full_attention_interval", 4);
                case "minimax-01" -> params.whole("full_attention_interval", 8);
                default -> 0;
            };
            boolean listed = interval > 0 && params.array("attention.recurrent_layers").isPresent();
            int[] list = params.perLayer("attention.recurrent_layers", layerCount, 0);
            int trunk = layerCount - Math.min(layerCount, params.whole("nextn_predict_layers", 0));
            for (int i = 0; i < layerCount; i++) {
                recurrent[i] = listed ? list[i] != 0 : interval > 0 ? i < trunk && (i + 1) % interval != 0 : headsKv[i] == 0;
            }
        }
        return recurrent;
    }

    /** Elements of {@code f32} state per layer and sequence. */
    private long stateElements() {
        try {
            return exactStateElements();
        } catch (ArithmeticException e) {
            accuracy = Accuracy.UNKNOWN;
            return 0;
        }
    }

    private long exactStateElements() {
        long wkv = params.whole("wkv.head_size", 0);
        if (wkv > 0) {
            return product(params.whole("token_shift_count", 2) + wkv, embedding);
        }
        int shortConvolution = params.whole("shortconv.l_cache", 0);
        if (shortConvolution > 0) {
            return product(embedding, shortConvolution - 1);
        }
        long convolution = Math.max(0, params.whole("ssm.conv_kernel", 0) - 1);
        long kda = params.whole("kda.head_dim", 0);
        if (kda > 0) {
            return Math.addExact(product(3 * (convolution > 0 ? convolution : 3), heads[0], kda), product(kda, kda, heads[0]));
        }
        if (architecture.equals("minimax-01")) {
            return product(keyLength(0, false), keyLength(0, false), heads[0]);
        }
        long inner = params.whole("ssm.inner_size", 0);
        long state = params.whole("ssm.state_size", 0);
        if (inner == 0) {
            accuracy = Accuracy.UNKNOWN;
        }
        long channels = Math.addExact(inner, product(2, params.whole("ssm.group_count", 0), state));
        return Math.addExact(product(convolution, channels), product(state, inner));
    }

    private static long product(long... factors) {
        long product = 1;
        for (long factor : factors) {
            product = Math.multiplyExact(product, factor);
        }
        return product;
    }
}
