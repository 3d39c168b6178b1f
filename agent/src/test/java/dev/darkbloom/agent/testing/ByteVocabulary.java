package dev.darkbloom.agent.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Small vocabularies that cover every text: byte-level BPE as GPT-2 has it, and word pieces as BERT has them.
 *
 * <p>The BPE one has the 256 bytes in the letters that stand for them, some merges of English, and the control tokens of ChatML.
 */
public final class ByteVocabulary {
    /** Control tokens at the end of the BPE vocabulary, in this order. */
    public static final List<String> CONTROL = List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>");

    /** A ChatML template with tools and thinking left out. */
    public static final String TEMPLATE = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
            + "'<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private static final List<String> MERGES = List.of(
            "t h", "h e", "i n", "e r", "a n", "r e", "o n", "e s", "o r", "th e", "in g", "e n", "i t", "o u", "Ġ t", "Ġ a", "Ġ the",
            "Ġ w", "Ġ s", "l l", "he ll", "hell o", "o f", "Ġ of", "a t", "i s", "a r", "s t", "an d", "Ġ and", "y ou", "Ġ you", "Ġ is",
            "w or", "l d", "wor ld");

    private ByteVocabulary() {}

    /** Returns the number of tokens that {@link #addTo} writes when asked for no more. */
    public static int size() {
        return 256 + MERGES.size() + CONTROL.size();
    }

    /** Writes the BPE vocabulary with {@code tokens} tokens; those beyond {@link #size} are unused words. */
    public static GgufWriter addTo(GgufWriter writer, int tokens) {
        var words = new ArrayList<String>();
        IntStream.range(0, 256).forEach(value -> words.add(letter(value)));
        MERGES.forEach(merge -> words.add(merge.replace(" ", "")));
        int controlFrom = words.size();
        words.addAll(CONTROL);
        for (int i = words.size(); i < tokens; i++) {
            words.add("unused" + i);
        }
        int[] types = words.stream().mapToInt(word -> CONTROL.contains(word) ? 3 : 1).toArray();
        return writer.text("tokenizer.ggml.model", "gpt2")
                .text("tokenizer.ggml.pre", "qwen2")
                .texts("tokenizer.ggml.tokens", words)
                .i32s("tokenizer.ggml.token_type", types)
                .texts("tokenizer.ggml.merges", MERGES)
                .u32("tokenizer.ggml.eos_token_id", controlFrom + 2)
                .u32("tokenizer.ggml.padding_token_id", controlFrom)
                .flag("tokenizer.ggml.add_bos_token", false)
                .text("tokenizer.chat_template", TEMPLATE);
    }

    /** Returns the letter that stands for a byte in byte-level BPE: itself where it prints, one from U+0100 on where it does not. */
    private static String letter(int value) {
        int shifted = 0;
        for (int b = 0; b <= value; b++) {
            boolean prints = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE && b <= 0xFF;
            if (b == value) {
                return Character.toString(prints ? b : 0x100 + shifted);
            }
            shifted += prints ? 0 : 1;
        }
        throw new AssertionError();
    }

    /** Writes a word-piece vocabulary: special tokens, then each printable ASCII letter at the beginning of a word and inside one. */
    public static GgufWriter addWordPieces(GgufWriter writer) {
        var words = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁hello", "▁world", "▁the"));
        for (char c = '!'; c <= '~'; c++) {
            if (c < 'A' || c > 'Z') {   // BERT lowers its text
                words.add("▁" + c);
                words.add(String.valueOf(c));
            }
        }
        int[] types = words.stream().mapToInt(word -> word.startsWith("[") && word.length() > 1 ? 3 : 1).toArray();
        return writer.text("tokenizer.ggml.model", "bert")
                .text("tokenizer.ggml.pre", "default")
                .texts("tokenizer.ggml.tokens", words)
                .i32s("tokenizer.ggml.token_type", types)
                .u32("tokenizer.ggml.token_type_count", 2)
                .u32("tokenizer.ggml.padding_token_id", 0)
                .u32("tokenizer.ggml.unknown_token_id", 1)
                .u32("tokenizer.ggml.bos_token_id", 2)
                .u32("tokenizer.ggml.cls_token_id", 2)
                .u32("tokenizer.ggml.seperator_token_id", 3)
                .u32("tokenizer.ggml.mask_token_id", 4);
    }

    /** Returns the tokens that {@link #addWordPieces} writes. */
    public static int wordPieces() {
        return 8 + 2 * ('~' - '!' + 1 - 26);
    }
}
