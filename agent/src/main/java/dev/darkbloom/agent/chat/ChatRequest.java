package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.ChatFormat;
import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.ChatTemplate.ChatInputs;
import dev.darkbloom.agent.llama.ChatTemplate.ToolChoice;
import dev.darkbloom.agent.llama.Tokenizer;
import java.util.Optional;

/**
 * The content-bearing members of a chat request, read and checked before a model is touched, and what a template makes of them. Owned by
 * the request.
 */
final class ChatRequest implements AutoCloseable {
    private final RequestBody body;
    private final Closer closer = new Closer();
    private final ChatMessages messages;
    private final ChatTools tools;
    private final Constraint constraint;
    private final StopStrings stops;

    private ChatRequest(RequestBody body) {
        this.body = body;
        try {
            messages = closer.add(ChatMessages.read(body));
            tools = closer.add(ChatTools.read(body));
            constraint = closer.add(Constraint.read(body));
            stops = closer.add(StopStrings.read(body));
            if (hasTools() && tools.choice() != ToolChoice.NONE && constraint.grammar().byteSize() > 0) {
                throw RequestBody.invalid("grammar", "grammar cannot be combined with tools");
            }
        } catch (Throwable t) {
            closer.close();
            throw t;
        }
    }

    /** Reads the members; borrows the body for as long as the result is used. */
    static ChatRequest read(RequestBody body) {
        return new ChatRequest(body);
    }

    /** Refuses what the model's tokenizer knows to be unenforceable; see {@link Constraint#check} and {@link ChatTools#check}. */
    void check(Tokenizer tokenizer) {
        constraint.check(tokenizer);
        tools.check(tokenizer);
    }

    /**
     * Refuses messages that cannot fit a model's context before they are rendered: more messages than tokens, or more text.
     *
     * @throws AgentException {@code CONTEXT_TOO_LONG}
     */
    void checkRoom(ModelLease lease) {
        if (messages.count() > lease.contextTokens()) {
            throw new AgentException(ErrorCode.CONTEXT_TOO_LONG, "prompt has " + messages.count() + " messages; this model's context holds "
                    + lease.contextTokens() + " tokens");
        }
        PromptTokens.checkRoom(messages.leastBytes(), lease);
    }

    private boolean hasTools() {
        return tools.segment().byteSize() > 0;
    }

    StopStrings stops() {
        return stops;
    }

    /** Returns whether an answer without a tool call breaks the request. */
    boolean requiresToolCall() {
        return tools.choice() == ToolChoice.REQUIRED;
    }

    /** Returns whether tool calls are looked for in the answer. */
    boolean parsesToolCalls() {
        return hasTools() && tools.choice() != ToolChoice.NONE && body.flag("parse_tool_calls", true);
    }

    /**
     * Renders the prompt. The caller owns the result.
     *
     * @throws AgentException {@code TEMPLATE_FAILED} and what else {@link ChatTemplate#apply} throws
     */
    ChatFormat apply(ChatTemplate template, Optional<Boolean> thinkingByDefault, long nowSeconds) {
        boolean continues = body.has("continue_final_message")
                ? body.flag("continue_final_message", false)
                : messages.endsWithAssistant() && !body.flag("add_generation_prompt", false);
        if (continues && !messages.endsWithAssistant()) {
            throw RequestBody.invalid("continue_final_message", "the last message is not one of the assistant's that can be continued");
        }
        if (continues && body.flag("add_generation_prompt", false)) {
            throw RequestBody.invalid("continue_final_message", "continue_final_message and add_generation_prompt exclude each other");
        }
        try (Thinking thinking = Thinking.read(body, thinkingByDefault)) {
            return template.apply(new ChatInputs(
                    messages.segment(),
                    tools.segment(),
                    constraint.schema(),
                    constraint.grammar(),
                    thinking.kwargs(),
                    nowSeconds,
                    tools.choice(),
                    body.flag("parallel_tool_calls", template.capabilities().parallelToolCalls()),
                    thinking.enabled(),
                    body.flag("add_generation_prompt", !continues),
                    thinking.isSplit(),
                    continues));
        } catch (AgentException e) {
            boolean refusesMessages = e.code() == ErrorCode.TEMPLATE_FAILED || e.code() == ErrorCode.INVALID_REQUEST;
            if (refusesMessages && e.param().isEmpty() && messages.cutCall().isPresent()) {
                throw RequestBody.invalid("messages", messages.cutCall().get() + ".function.arguments is no JSON object, which this model's template needs");
            }
            throw e;
        }
    }

    @Override
    public void close() {
        closer.close();
    }
}
