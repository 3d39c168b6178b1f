package dev.darkbloom.agent.models;

import java.util.Set;

/**
 * Checks the vocabulary, as {@code llama_vocab::impl::load} and the tokenizers of {@code src/llama-vocab.cpp} read it and assert on it.
 *
 * <p>Upstream disables special tokens that are out of range, and only later asserts that one it has to add exists.
 */
final class TokenizerCheck {
    static final String TOKENS = "tokenizer.ggml.tokens";
    private static final String MODEL = "tokenizer.ggml.model";
    private static final String TYPES = "tokenizer.ggml.token_type";
    private static final String SCORES = "tokenizer.ggml.scores";
    private static final String MERGES = "tokenizer.ggml.merges";
    private static final int BYTE_TYPE = 6;
    private static final int NONE = -1;

    /** Pre-tokenizers of byte-pair vocabularies that add a beginning-of-sequence token unless the file says otherwise. */
    private static final Set<String> ADD_BEGINNING = Set.of(
            "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken",
            "chameleon");
    private static final Set<String> NO_DEFAULT_BEGINNING = Set.of("glm4", "chatglm-bpe");

    /** The families of tokenizer; {@code llama_vocab_type}. */
    enum Family { SPM, BPE, WPM, UGM, RWKV, PLAMO2 }

    private final GgufModel model;
    private final GgufFile file;
    private final int size;

    TokenizerCheck(GgufModel model) {
        this.model = model;
        file = model.header();
        size = file.array(TOKENS).map(GgufValue.Array::count).orElse(0);
    }

    void check() {
        String name = file.text(MODEL).orElseThrow(() -> model.invalid(MODEL + " is missing or no text"));
        Family family = family(name);
        GgufValue.Array tokens = array(TOKENS, GgufType.STRING, true);
        if (size == 0) {
            throw model.invalid(TOKENS + " is empty");
        }
        checkScores();
        checkTypes(family);
        String preTokenizer = file.text("tokenizer.ggml.pre").orElse("");
        if (family == Family.BPE) {
            array(MERGES, GgufType.STRING, !preTokenizer.equals("kimi-k2"));
        }
        new VocabularyScan(model, family).check(tokens);
        checkAdded(family, name.equals("gemma4"), preTokenizer);
    }

    private Family family(String name) {
        return switch (name) {
            case "llama" -> Family.SPM;
            case "gpt2", "hybriddna", "whitespace", "gemma4" -> Family.BPE;
            case "bert" -> Family.WPM;
            case "t5" -> Family.UGM;
            case "rwkv" -> Family.RWKV;
            case "plamo2" -> Family.PLAMO2;
            case "none", "no_vocab" -> throw model.invalid(MODEL + " is " + name + "; a model without a vocabulary cannot be served");
            default -> throw model.invalid(MODEL + " is " + ModelCheck.shortened(name) + ", which this llama.cpp does not know");
        };
    }

    private GgufValue.Array array(String key, GgufType element, boolean required) {
        GgufValue value = file.metadata().get(key);
        if (value == null && !required) {
            return null;
        }
        if (value == null) {
            throw model.invalid(key + " is missing");
        }
        if (!(value instanceof GgufValue.Array array) || array.elementType() != element) {
            throw model.invalid(key + " must be an array of " + element.label());
        }
        return array;
    }

    private void checkScores() {
        GgufValue value = file.metadata().get(SCORES);
        if (value == null) {
            return;
        }
        if (!(value instanceof GgufValue.Array array)
                || array.elementType() != GgufType.FLOAT32 && array.elementType() != GgufType.INT32) {
            throw model.invalid(SCORES + " must be an array of f32 or i32");
        }
        if (array.count() < size) {
            throw model.invalid(SCORES + " has " + array.count() + " values for " + size + " tokens");
        }
        if (array.elementType() == GgufType.FLOAT32) {
            for (float score : file.floats(array)) {
                if (Float.isNaN(score)) {
                    throw model.invalid(SCORES + " holds a value that is not a number");
                }
            }
        }
    }

    private void checkTypes(Family family) {
        GgufValue.Array array = array(TYPES, GgufType.INT32, false);
        if (array == null) {
            return;
        }
        if (array.count() < size) {
            throw model.invalid(TYPES + " has " + array.count() + " values for " + size + " tokens");
        }
        if (family == Family.WPM || family == Family.RWKV) {
            for (long type : file.wholes(array)) {
                if (type == BYTE_TYPE) {
                    throw model.invalid(TYPES + " marks a byte token, which a " + file.text(MODEL).orElse("") + " vocabulary has not");
                }
            }
        }
    }

    /** Checks that every token that is added to each text exists. */
    private void checkAdded(Family family, boolean gemma4, String preTokenizer) {
        int beginning = special("bos", switch (family) {
            case SPM, PLAMO2 -> 1;
            case BPE -> gemma4 || NO_DEFAULT_BEGINNING.contains(preTokenizer) ? NONE : 11;
            case WPM -> 101;
            case UGM, RWKV -> NONE;
        });
        int end = special("eos", switch (family) {
            case SPM, PLAMO2 -> 2;
            case BPE -> gemma4 ? NONE : 11;
            case UGM -> 1;
            case WPM, RWKV -> NONE;
        });
        boolean addBeginning = file.flag("tokenizer.ggml.add_bos_token", switch (family) {
            case SPM -> true;
            case BPE -> ADD_BEGINNING.contains(preTokenizer);
            case UGM, WPM, RWKV, PLAMO2 -> false;
        });
        boolean addEnd = file.flag("tokenizer.ggml.add_eos_token", family == Family.UGM);
        boolean forced = family == Family.WPM || family == Family.BPE && (gemma4 || preTokenizer.equals("gemma4")
                || preTokenizer.equals("granite-embed-multi-311m"));
        boolean adds = family != Family.RWKV && family != Family.PLAMO2;
        if (adds && (addBeginning || forced) && beginning == NONE) {
            throw missing("bos");
        }
        if (adds && family != Family.WPM && addEnd && end == NONE) {
            throw missing("eos");
        }
        if (family == Family.WPM && special("seperator", 102) == NONE) {
            throw missing("seperator");
        }
    }

    private RuntimeException missing(String name) {
        return model.invalid("texts are to get a token that tokenizer.ggml." + name + "_token_id does not name among " + size + " tokens");
    }

    /** Returns the id that upstream ends up with: the file's if it is in range, the default if that is, or none. */
    private int special(String name, int otherwise) {
        String key = "tokenizer.ggml." + name + "_token_id";
        GgufValue value = file.metadata().get(key);
        if (value != null && value.type() != GgufType.UINT32) {
            throw model.invalid(key + " has type " + value.type().label() + "; it must be u32");
        }
        if (value instanceof GgufValue.Whole whole && whole.value() < size) {
            return (int) whole.value();
        }
        return otherwise < size ? otherwise : NONE;
    }
}
