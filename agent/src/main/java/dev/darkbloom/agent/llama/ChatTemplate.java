package dev.darkbloom.agent.llama;

import java.lang.foreign.MemorySegment;

/** A model's chat template, parsed once. Any thread may call it. */
public interface ChatTemplate {
    /**
     * Renders messages into a prompt and prepares the grammar and the parser of the answer. The caller owns the result and has bounded the
     * depth of every JSON text in {@code inputs} to 200.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code TEMPLATE_FAILED}, {@code INVALID_REQUEST}, {@code INVALID_SCHEMA}; messages
     *     quote nothing
     */
    ChatFormat apply(ChatInputs inputs);

    Capabilities capabilities();

    /** Returns the template's source; it is part of the model file, not content. */
    String source();

    /**
     * What the template can express.
     *
     * @param fromModel false when the file has none and ChatML stands in
     */
    record Capabilities(boolean fromModel, boolean tools, boolean toolCalls, boolean systemRole, boolean parallelToolCalls, boolean thinking) {}

    /** Which calls the model may or must make. */
    enum ToolChoice { AUTO, REQUIRED, NONE }

    /**
     * What goes into a prompt. Segments are UTF-8 JSON text (GBNF for {@code grammar}), borrowed until {@link #apply} returns;
     * {@link MemorySegment#NULL} where there is none.
     *
     * @param messages a JSON array of OpenAI chat messages
     * @param tools a JSON array of OpenAI tools
     * @param jsonSchema a schema the content must follow
     * @param grammar GBNF the answer must follow; not together with {@code jsonSchema}
     * @param templateKwargs a JSON object of template variables
     * @param nowSeconds the time that templates see, Unix seconds
     * @param enableThinking null: as the template has it
     */
    record ChatInputs(
            MemorySegment messages,
            MemorySegment tools,
            MemorySegment jsonSchema,
            MemorySegment grammar,
            MemorySegment templateKwargs,
            long nowSeconds,
            ToolChoice toolChoice,
            boolean parallelToolCalls,
            Boolean enableThinking,
            boolean addGenerationPrompt,
            boolean parseReasoning,
            boolean continueFinalMessage) {}
}
