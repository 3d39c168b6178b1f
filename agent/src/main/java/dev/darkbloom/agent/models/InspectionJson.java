package dev.darkbloom.agent.models;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;

/** Writes an inspection for programs. Keys once shipped stay. */
final class InspectionJson {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private InspectionJson() {}

    static String of(ModelInspection inspection) {
        ModelDims dims = inspection.dims();
        ObjectNode root = MAPPER.createObjectNode();
        root.put("id", inspection.id());
        ArrayNode files = root.putArray("files");
        inspection.files().forEach(file -> files.add(file.toString()));
        root.put("size_bytes", inspection.sizeBytes());
        root.put("gguf_version", inspection.ggufVersion());
        root.put("name", inspection.name());
        root.put("architecture", dims.architecture());
        root.put("memory_kind", lower(dims.memory()));
        root.put("layers", dims.layers().size());
        root.put("embedding_length", dims.embeddingLength());
        root.put("parameters", inspection.parameters());
        root.put("quantization", inspection.quantization());
        addTypes(root.putArray("tensor_types"), inspection);
        root.put("trained_context_tokens", dims.trainedContextTokens());
        root.put("vocabulary_tokens", dims.vocabularySize());
        root.put("tokenizer", inspection.tokenizer().model());
        root.put("pre_tokenizer", inspection.tokenizer().preTokenizer());
        addTemplate(root, inspection);
        root.put("embedding_model", inspection.embeddingModel());
        addMemory(root.putObject("memory"), inspection);
        root.put("loadable", inspection.problem().isEmpty());
        root.put("problem", inspection.problem().orElse(null));
        try {
            return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of plain values can be written", e);
        }
    }

    private static void addTypes(ArrayNode types, ModelInspection inspection) {
        for (ModelInspection.TypeShare share : inspection.types()) {
            ObjectNode node = types.addObject();
            node.put("type", share.type().name());
            node.put("tensors", share.tensors());
            node.put("bytes", share.bytes());
        }
    }

    private static void addTemplate(ObjectNode root, ModelInspection inspection) {
        if (inspection.template().isEmpty()) {
            root.putNull("chat_template");
            return;
        }
        ModelInspection.Template template = inspection.template().get();
        ObjectNode node = root.putObject("chat_template");
        node.put("characters", template.characters());
        node.put("depth", template.depth());
        node.put("tools", template.tools());
        node.put("thinking", template.thinking());
    }

    private static void addMemory(ObjectNode node, ModelInspection inspection) {
        MemoryEstimate memory = inspection.memory();
        node.put("context_tokens", inspection.contextTokens());
        node.put("sequences", inspection.sequences());
        node.put("weight_bytes", memory.weightBytes());
        node.put("kv_bytes", memory.kvBytes());
        node.put("state_bytes", memory.stateBytes());
        node.put("total_bytes", memory.totalBytes());
        node.put("accuracy", lower(memory.accuracy()));
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
