package dev.darkbloom.agent.models;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Writes an inspection for people. */
final class InspectionText {
    private static final int LABEL_WIDTH = 15;

    private final StringBuilder text = new StringBuilder();

    private InspectionText() {}

    static String of(ModelInspection inspection) {
        return new InspectionText().render(inspection);
    }

    private String render(ModelInspection inspection) {
        ModelDims dims = inspection.dims();
        line("id", inspection.id());
        line("file", files(inspection));
        line("size", bytes(inspection.sizeBytes()) + ", GGUF version " + inspection.ggufVersion());
        if (!inspection.name().isEmpty()) {
            line("name", printable(inspection.name()));
        }
        line("architecture", architecture(dims));
        line("parameters", count(inspection.parameters()));
        line("quantization", inspection.quantization() + " (" + mix(inspection) + ")");
        line("context", dims.trainedContextTokens() > 0 ? grouped(dims.trainedContextTokens()) + " tokens trained" : "not stated");
        line("vocabulary", vocabulary(inspection));
        line("chat template", inspection.template().map(InspectionText::template).orElse("none"));
        line("use", inspection.embeddingModel() ? "embeddings" : "text");
        line("memory", memory(inspection));
        line("loadable", inspection.problem().map(problem -> "no: " + printable(problem)).orElse("yes"));
        return text.toString();
    }

    private void line(String label, String value) {
        text.append(String.format(Locale.ROOT, "%-" + LABEL_WIDTH + "s%s%n", label, value));
    }

    private static String files(ModelInspection inspection) {
        String first = inspection.files().getFirst().toString();
        int more = inspection.files().size() - 1;
        return more == 0 ? first : first + " and " + more + " more";
    }

    private static String architecture(ModelDims dims) {
        String name = dims.architecture().isEmpty() ? "not stated" : printable(dims.architecture());
        String memory = switch (dims.memory()) {
            case ATTENTION -> "attention";
            case SLIDING_WINDOW -> "attention, some layers with a window";
            case RECURRENT -> "recurrent";
            case HYBRID -> "attention and recurrent layers";
            case NONE -> "no cache";
            case UNKNOWN -> "unknown here";
        };
        String layers = dims.layers().isEmpty() ? "" : ", " + dims.layers().size() + " layers";
        return name + " (" + memory + ")" + layers + ", width " + grouped(dims.embeddingLength());
    }

    private static String mix(ModelInspection inspection) {
        return inspection.types().stream()
                .map(share -> share.type() + " " + bytes(share.bytes()) + " in " + grouped(share.tensors()) + " tensors")
                .collect(Collectors.joining(", "));
    }

    private static String vocabulary(ModelInspection inspection) {
        ModelInspection.Tokenizer tokenizer = inspection.tokenizer();
        String model = tokenizer.model().isEmpty() ? "no tokenizer" : printable(tokenizer.model());
        String pre = tokenizer.preTokenizer().isEmpty() ? "" : ", pre-tokenizer " + printable(tokenizer.preTokenizer());
        return grouped(inspection.dims().vocabularySize()) + " tokens, " + model + pre;
    }

    private static String template(ModelInspection.Template template) {
        var hints = new ArrayList<String>(List.of(grouped(template.characters()) + " characters"));
        if (template.tools()) {
            hints.add("tools");
        }
        if (template.thinking()) {
            hints.add("thinking");
        }
        return String.join(", ", hints);
    }

    private static String memory(ModelInspection inspection) {
        MemoryEstimate memory = inspection.memory();
        String sequences = inspection.sequences() == 1 ? "1 sequence" : grouped(inspection.sequences()) + " sequences";
        String about = switch (memory.accuracy()) {
            case EXACT -> "";
            case UPPER_BOUND -> " at most";
            case UNKNOWN -> " or more";
        };
        String state = memory.stateBytes() == 0 ? "" : " + state " + bytes(memory.stateBytes());
        return bytes(memory.totalBytes()) + about + ": weights " + bytes(memory.weightBytes()) + " + KV " + bytes(memory.kvBytes()) + state
                + " for " + sequences + " of " + grouped(inspection.contextTokens()) + " tokens in f16; compute buffers come on top";
    }

    private static String grouped(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    private static String count(long number) {
        if (number >= 1_000_000_000) {
            return String.format(Locale.ROOT, "%.2f billion", number / 1e9);
        }
        return number >= 1_000_000 ? String.format(Locale.ROOT, "%.2f million", number / 1e6) : grouped(number);
    }

    static String bytes(long bytes) {
        if (bytes >= 1L << 30) {
            return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
        }
        if (bytes >= 1L << 20) {
            return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1L << 20));
        }
        return bytes >= 1L << 10 ? String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0) : bytes + " bytes";
    }

    /** Text from a file goes to a terminal, so escape sequences and line breaks in it must not. */
    private static String printable(String text) {
        var clean = new StringBuilder();
        text.codePoints().limit(300).forEach(c -> clean.appendCodePoint(Character.isISOControl(c) ? '?' : c));
        return clean.toString();
    }
}
