package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.TemplateDepth;
import dev.darkbloom.agent.bindings.dbs_chat_inputs;
import dev.darkbloom.agent.bindings.dbs_slice;
import dev.darkbloom.agent.bindings.dbs_template_caps;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** A model's parsed Jinja template. Lives beside the model and is freed before it; several threads may render at a time. */
final class LlamaChatTemplate implements ChatTemplate {
    private final MemorySegment handle;
    private final LlamaVocab vocab;
    private final Capabilities capabilities;
    private final String source;

    private LlamaChatTemplate(MemorySegment handle, LlamaVocab vocab) {
        this.handle = handle;
        this.vocab = vocab;
        try (var scratch = Arena.ofConfined()) {
            MemorySegment caps = dbs_template_caps.allocate(scratch);
            Shim.check(llama_h.dbs_templates_caps(handle, caps), "chat template", ErrorCode.MODEL_INVALID);
            capabilities = new Capabilities(
                    dbs_template_caps.explicit_template(caps) != 0,
                    dbs_template_caps.supports_tools(caps) != 0,
                    dbs_template_caps.supports_tool_calls(caps) != 0,
                    dbs_template_caps.supports_system(caps) != 0,
                    dbs_template_caps.supports_parallel_tool_calls(caps) != 0,
                    dbs_template_caps.supports_thinking(caps) != 0);
            MemorySegment slice = dbs_slice.allocate(scratch);
            Shim.check(llama_h.dbs_templates_source(handle, slice), "chat template", ErrorCode.MODEL_INVALID);
            MemorySegment text = Shim.view(slice, scratch);
            source = text.address() == 0 ? "" : new String(text.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        }
    }

    /** Parses {@code override}, or the model's own template where that is empty. Freed with {@code modelArena}, before the model. */
    static LlamaChatTemplate open(MemorySegment model, LlamaVocab vocab, String override, Arena modelArena) {
        checkDepth(override);
        MemorySegment own = llama_h.llama_model_chat_template(model, MemorySegment.NULL);
        if (own.address() != 0) {
            checkDepth(own.reinterpret(Long.MAX_VALUE).getString(0));
        }
        try (var scratch = Arena.ofConfined()) {
            byte[] bytes = override.getBytes(StandardCharsets.UTF_8);
            MemorySegment text = bytes.length == 0 ? MemorySegment.NULL : scratch.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            int status = llama_h.dbs_templates_new(model, text, bytes.length, out);
            if (status == llama_h.DBS_BAD_TEMPLATE()) {
                throw new AgentException(ErrorCode.MODEL_INVALID, "the model's chat template does not parse");
            }
            Shim.check(status, "chat template", ErrorCode.MODEL_INVALID);
            MemorySegment handle = out.get(ValueLayout.ADDRESS, 0).reinterpret(modelArena, llama_h::dbs_templates_free);
            return new LlamaChatTemplate(handle, vocab);
        }
    }

    private static void checkDepth(String source) {
        if (TemplateDepth.of(source) > TemplateDepth.MAX) {
            throw new AgentException(ErrorCode.MODEL_INVALID, "the model's chat template nests deeper than " + TemplateDepth.MAX);
        }
    }

    @Override
    public ChatFormat apply(ChatInputs inputs) {
        if (inputs.grammar().byteSize() > 0) {
            GrammarText.check(inputs.grammar());
        }
        try (var scratch = Arena.ofConfined()) {
            MemorySegment n = dbs_chat_inputs.allocate(scratch);
            Shim.put(dbs_chat_inputs.messages(n), inputs.messages());
            Shim.put(dbs_chat_inputs.tools(n), inputs.tools());
            Shim.put(dbs_chat_inputs.json_schema(n), inputs.jsonSchema());
            Shim.put(dbs_chat_inputs.grammar(n), inputs.grammar());
            Shim.put(dbs_chat_inputs.kwargs(n), inputs.templateKwargs());
            dbs_chat_inputs.now_seconds(n, inputs.nowSeconds());
            dbs_chat_inputs.tool_choice(n, switch (inputs.toolChoice()) {
                case AUTO -> llama_h.DBS_TOOL_AUTO();
                case REQUIRED -> llama_h.DBS_TOOL_REQUIRED();
                case NONE -> llama_h.DBS_TOOL_NONE();
            });
            dbs_chat_inputs.parallel_tool_calls(n, inputs.parallelToolCalls() ? 1 : 0);
            dbs_chat_inputs.enable_thinking(n, inputs.enableThinking() == null ? -1 : inputs.enableThinking() ? 1 : 0);
            dbs_chat_inputs.add_generation_prompt(n, inputs.addGenerationPrompt() ? 1 : 0);
            dbs_chat_inputs.parse_reasoning(n, inputs.parseReasoning() ? 1 : 0);
            dbs_chat_inputs.continue_final_message(n, inputs.continueFinalMessage() ? 1 : 0);
            MemorySegment out = scratch.allocate(ValueLayout.ADDRESS);
            long ruleBytes = size(inputs.tools()) + size(inputs.jsonSchema()) + size(inputs.grammar());
            MemorySegment borrowedInputs = LongCalls.borrowed(n);
            MemorySegment borrowedOut = LongCalls.borrowed(out);
            int status = LongCalls.run(size(inputs.messages()) + size(inputs.templateKwargs()) + ruleBytes,
                    () -> llama_h.dbs_chat_apply(handle, borrowedInputs, borrowedOut));
            Shim.check(status, "messages", ErrorCode.INVALID_REQUEST);
            return new LlamaChatFormat(out.get(ValueLayout.ADDRESS, 0), vocab, ruleBytes);
        }
    }

    private static long size(MemorySegment text) {
        return text == null ? 0 : text.byteSize();
    }

    @Override
    public Capabilities capabilities() {
        return capabilities;
    }

    @Override
    public String source() {
        return source;
    }
}
