package dev.darkbloom.agent.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** {@code native/bench/llama_bare}: the barest loop over the same libraries, run as a program. */
public final class BareLoop {
    private static final ObjectMapper JSON = new ObjectMapper();

    private BareLoop() {}

    /**
     * What the loop wrote for one prompt.
     *
     * @param ids tokens, the end-of-generation token not among them
     * @param gaps for each token, by how much its logit was above the second best
     */
    public record Answer(int[] ids, double[] gaps) {}

    /** Returns the greedy answers to {@code prompts}, in their order; one thread, flash attention off, a cache for each stream. */
    public static List<Answer> answers(Path model, List<int[]> prompts, int predict, int contextTokens, int batchTokens, String... options)
            throws IOException, InterruptedException {
        Path program = Path.of(System.getProperty("darkbloom.project.root"), "native", "target", "bench", "llama-bare");
        Path ids = Files.createTempFile("prompts", ".ids");
        try {
            Files.write(ids, prompts.stream().map(BareLoop::line).toList());
            var command = new ArrayList<>(List.of(program.toString(), "--model", model.toString(), "--ids", ids.toString(), "--predict",
                    Integer.toString(predict), "--ctx", Integer.toString(contextTokens), "--batch", Integer.toString(batchTokens), "--ubatch",
                    Integer.toString(batchTokens), "--threads", "1", "--flash-attn", "off", "--kv", "streams", "--gpu-layers", "0",
                    "--print-ids", "--logits"));
            command.addAll(List.of(options));
            Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IOException("llama-bare ended with " + process.exitValue());
            }
            var answers = new Answer[prompts.size()];
            for (String line : output.lines().toList()) {
                JsonNode node = JSON.readTree(line);
                if (node.has("ids")) {
                    answers[node.get("prompt").asInt()] =
                            new Answer(JSON.convertValue(node.get("ids"), int[].class), JSON.convertValue(node.get("gaps"), double[].class));
                }
            }
            return List.of(answers);
        } finally {
            Files.delete(ids);
        }
    }

    private static String line(int[] prompt) {
        return IntStream.of(prompt).mapToObj(Integer::toString).collect(Collectors.joining(" "));
    }
}
