package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.models.GgufModel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * The main class of a process that may die: it loads each model whose path comes on standard input, lets it compute a few tokens, and
 * answers one line, {@code decoded} or {@code refused}.
 */
public final class LoadInChild {
    private LoadInChild() {}

    public static void main(String[] args) throws IOException {
        LoadedModels.backend();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(load(Path.of(line)));
            System.out.flush();
        }
        LoadedModels.backend().close();
    }

    private static String load(Path file) {
        boolean embedding = isPooled(file);
        var spec = new ModelSpec("mutant", List.of(file), 256, 2, KvLayout.STREAMS, 512, 0, embedding, "",
                ComputeSettings.safe(1, 128, 128).withFlashAttention(ComputeSettings.FlashAttention.OFF));
        try (var model = LoadedModels.load(spec); var decoder = model.openDecoder()) {
            decoder.clearBatch();
            int row = -1;
            int[] tokens = LoadedModels.tokens(model, "hello world, the end\n");
            for (int i = 0; i < tokens.length; i++) {
                row = decoder.add(tokens[i], i, 0, embedding || i == tokens.length - 1);
            }
            if (decoder.decode() != TokenDecoder.DECODED) {
                return "refused";
            }
            if (!embedding) {
                generate(model, decoder, tokens.length, row);
            }
            return "decoded";
        } catch (AgentException e) {
            return "refused";
        }
    }

    /** Returns whether the agent would serve the file for embeddings. */
    private static boolean isPooled(Path file) {
        try (var model = GgufModel.open(file)) {
            return model.header().metadata().containsKey(model.architecture() + ".pooling_type");
        }
    }

    private static void generate(ModelRuntime model, TokenDecoder decoder, int position, int row) {
        try (var sampler = model.newSampler(SamplerSettings.greedy(), null, 1024)) {
            int next = decoder.sample(sampler, row);
            for (int i = 0; i < 4 && next >= 0; i++) {
                decoder.clearBatch();
                int nextRow = decoder.add(next, position + i, 0, true);
                if (decoder.decode() != TokenDecoder.DECODED) {
                    return;
                }
                next = decoder.sample(sampler, nextRow);
            }
        }
    }
}
