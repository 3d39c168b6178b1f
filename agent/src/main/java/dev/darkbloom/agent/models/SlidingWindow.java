package dev.darkbloom.agent.models;

/** Which layers of a model see only a window of tokens; {@code load_arch_hparams} in {@code src/models} and {@code set_swa_pattern}. */
final class SlidingWindow {
    static final String TOKENS = "attention.sliding_window";
    static final String PATTERN = "attention.sliding_window_pattern";

    private final Hyperparameters params;
    private final String architecture;
    private final Architectures.Window rule;
    private final int layers;

    SlidingWindow(GgufModel model) {
        params = new Hyperparameters(model);
        architecture = model.architecture();
        rule = Architectures.window(architecture);
        layers = Math.min(params.whole("block_count", 0), HyperparameterLimits.LAYERS);
    }

    /** Returns whether upstream makes a cache for windowed layers, whether or not there is one. */
    boolean isInUse() {
        return rule != null && (rule.always() && !isShortExaone() || tokens() > 0);
    }

    /** Returns the tokens of a window; 0 when the model has none. */
    int tokens() {
        if (rule == null || isShortExaone()) {
            return 0;
        }
        return switch (architecture) {
            // Fixed, unless the file says 0.
            case "llama4" -> params.has(TOKENS) && params.whole(TOKENS, 0) == 0 ? 0 : rule.defaultTokens();
            case "smallthinker" -> params.whole(TOKENS, 0) > 0 ? 4096 : 0;
            default -> params.whole(TOKENS, rule.defaultTokens());
        };
    }

    /** EXAONE 4 has windows in its large form only. */
    private boolean isShortExaone() {
        return architecture.equals("exaone4") && layers != 64;
    }

    /** Returns the window of each layer, 0 for those that see everything. */
    int[] perLayer(boolean[] recurrent) {
        var windows = new int[layers];
        int tokens = tokens();
        if (tokens == 0) {
            return windows;
        }
        boolean isArray = params.array(PATTERN).isPresent();
        int[] list = params.perLayer(PATTERN, layers, 0);
        int period = isArray ? rule.period() : params.whole(PATTERN, rule.period());
        for (int i = 0; i < layers; i++) {
            boolean windowed = isArray && readsArray() || readsFlags() ? list[i] != 0
                    : period == 0 ? !recurrent[i]
                    : rule.denseFirst() ? i % period != 0 : i % period < period - 1;
            windows[i] = windowed ? tokens : 0;
        }
        return windows;
    }

    /** These have no period: a number stands for a flag of every layer. */
    private boolean readsFlags() {
        return switch (architecture) {
            case "gemma4", "mimo2", "step35" -> true;
            default -> false;
        };
    }

    /** The other architectures ignore an array and keep their own period. */
    private boolean readsArray() {
        return switch (architecture) {
            case "gemma4", "cohere2moe", "mellum", "muse-glimmer", "mimo2", "step35", "granite_swa" -> true;
            default -> false;
        };
    }
}
