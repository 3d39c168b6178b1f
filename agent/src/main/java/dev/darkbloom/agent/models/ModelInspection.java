package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.TemplateDepth;
import dev.darkbloom.agent.base.AgentException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Everything that {@code models inspect} says about a file.
 *
 * @param id the name towards clients
 * @param files the file, or all shards in order
 * @param sizeBytes bytes of all files
 * @param ggufVersion version of the format
 * @param name the author's name for the model; may be empty
 * @param dims sizes from the header
 * @param parameters number of weights
 * @param quantization label of the whole, for example {@code Q4_K_M}
 * @param types what the tensors consist of, most bytes first
 * @param tokenizer tokenizer family and its pre-tokenizer
 * @param template the chat template; empty when the file has none
 * @param embeddingModel whether the file declares a pooling type
 * @param contextTokens context of one sequence that {@code memory} was asked for
 * @param sequences sequences that {@code memory} was asked for
 * @param memory memory need
 * @param problem why the model cannot be loaded; empty when it can
 */
public record ModelInspection(
        String id,
        List<Path> files,
        long sizeBytes,
        int ggufVersion,
        String name,
        ModelDims dims,
        long parameters,
        String quantization,
        List<TypeShare> types,
        Tokenizer tokenizer,
        Optional<Template> template,
        boolean embeddingModel,
        int contextTokens,
        int sequences,
        MemoryEstimate memory,
        Optional<String> problem) {

    private static final int CONTEXT_WITHOUT_HINT = 2048;

    /**
     * How much of the model has one tensor type.
     *
     * @param tensors number of tensors
     * @param bytes their size
     */
    public record TypeShare(GgmlType type, int tensors, long bytes) {}

    /**
     * The tokenizer.
     *
     * @param model {@code tokenizer.ggml.model}, for example {@code gpt2}; empty when the file does not say
     * @param preTokenizer {@code tokenizer.ggml.pre}; may be empty
     */
    public record Tokenizer(String model, String preTokenizer) {}

    /**
     * What can be guessed of a chat template without running it.
     *
     * @param characters its length
     * @param depth how deeply it nests; {@value TemplateCheck#DEPTH} is the most that is loaded
     * @param tools whether it looks at tools
     * @param thinking whether it knows of thinking
     */
    public record Template(int characters, int depth, boolean tools, boolean thinking) {}

    public ModelInspection {
        files = List.copyOf(files);
        types = List.copyOf(types);
    }

    /**
     * Inspects a file, or the model of any of its shards.
     *
     * @param contextTokens context of one sequence; 0 for the model's own
     * @param sequences positive
     * @throws AgentException {@code MODEL_MISSING} or {@code MODEL_INVALID} when the header cannot be read; a header that can be read but
     *     makes no sense is a {@link #problem}
     */
    public static ModelInspection of(Path path, int contextTokens, int sequences) {
        try (var model = GgufModel.open(path)) {
            GgufFile header = model.header();
            ModelDims dims = ModelDims.of(model);
            int context = contextTokens > 0 ? contextTokens
                    : dims.trainedContextTokens() > 0 ? dims.trainedContextTokens()
                    : CONTEXT_WITHOUT_HINT;
            return new ModelInspection(
                    ModelFileName.of(path).id(),
                    model.files(),
                    model.sizeBytes(),
                    header.version(),
                    header.text("general.name").orElse(""),
                    dims,
                    model.parameters(),
                    Quantization.label(model),
                    types(model),
                    new Tokenizer(header.text("tokenizer.ggml.model").orElse(""), header.text("tokenizer.ggml.pre").orElse("")),
                    header.text(TemplateCheck.KEY).map(ModelInspection::template),
                    header.whole(model.key("pooling_type")).orElse(0) != 0,
                    context,
                    sequences,
                    MemoryEstimate.of(model, context, sequences),
                    problem(model));
        }
    }

    private static List<TypeShare> types(GgufModel model) {
        var shares = new ArrayList<TypeShare>();
        Quantization.bytesByType(model).forEach((type, bytes) -> {
            long tensors = model.tensors().stream().filter(tensor -> tensor.type() == type).count();
            shares.add(new TypeShare(type, (int) tensors, bytes));
        });
        shares.sort(Comparator.comparingLong(TypeShare::bytes).reversed());
        return shares;
    }

    private static Template template(String text) {
        boolean thinking = text.contains("enable_thinking") || text.contains("<think>") || text.contains("reasoning_content");
        return new Template(text.length(), TemplateDepth.of(text), text.contains("tools"), thinking);
    }

    private static Optional<String> problem(GgufModel model) {
        try {
            ModelCheck.check(model);
            return Optional.empty();
        } catch (AgentException e) {
            return Optional.of(e.getMessage());
        }
    }

    /** Returns the inspection as an aligned table, one fact a line, with a line break at the end. */
    public String toText() {
        return InspectionText.of(this);
    }

    /** Returns the inspection as a JSON object with a line break at the end; keys are stable and carry their unit. */
    public String toJson() {
        return InspectionJson.of(this);
    }
}
