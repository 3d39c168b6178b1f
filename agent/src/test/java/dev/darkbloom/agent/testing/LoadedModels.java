package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.llama.ComputeSettings.FlashAttention;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.LlamaBackend;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Real models for tests tagged {@code model}, and text in and out of them. */
public final class LoadedModels {
    private static LlamaBackend backend; // guarded by the class

    private LoadedModels() {}

    /** Returns the process's backend, opened on first use. */
    public static synchronized LlamaBackend backend() {
        if (backend == null) {
            backend = LlamaBackend.open(NativeLibrary.load());
        }
        return backend;
    }

    /** Returns a specification with small, fixed settings: two threads, flash attention off, one stream per sequence. */
    public static ModelSpec spec(String id, Path file, int contextTokens, int slots) {
        return ModelSpec.ofText(id, file, contextTokens, slots, ComputeSettings.safe(1, 512, 512).withFlashAttention(FlashAttention.OFF));
    }

    public static ModelRuntime load(ModelSpec spec) {
        return backend().open(spec, _ -> true);
    }

    /** Returns the demo model with room for {@code slots} sequences of 1,024 tokens. */
    public static ModelRuntime demo(int slots) {
        return load(spec("demo", TestModels.demo(), 1024, slots));
    }

    /** Returns the tokens of {@code text}, control tokens read as such. */
    public static int[] tokens(ModelRuntime model, String text) {
        try (var arena = Arena.ofConfined()) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, utf8);
            MemorySegment tokens = arena.allocate(ValueLayout.JAVA_INT, utf8.length + 8);
            int count = model.tokenizer().tokenize(bytes, true, true, tokens);
            return Arrays.copyOf(tokens.toArray(ValueLayout.JAVA_INT), count);
        }
    }

    /** Returns the text of tokens, control tokens left out. */
    public static String text(ModelRuntime model, int... tokens) {
        var pieces = model.tokenizer().pieces();
        var bytes = new java.io.ByteArrayOutputStream();
        for (int token : tokens) {
            if (!pieces.isControl(token)) {
                bytes.writeBytes(pieces.bytes().asSlice(pieces.offset(token), pieces.length(token)).toArray(ValueLayout.JAVA_BYTE));
            }
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** Returns a ChatML prompt for one question, with thinking switched off as the demo model's template does it. */
    public static String question(String text) {
        return "<|im_start|>user\n" + text + "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
    }
}
