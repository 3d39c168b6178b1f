package dev.darkbloom.agent.testing;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.llama.ChatFormat;
import dev.darkbloom.agent.llama.ChatParser;
import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.Grammar;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Renders the messages' own JSON as the prompt, and reads answers of the form {@code <think>…</think>…<call NAME>ARGUMENTS</call>}. Counts
 * what is open.
 */
public final class FakeChatTemplate implements ChatTemplate {
    private final FakeTokenizer tokenizer;
    private final List<Applied> applied = new ArrayList<>();
    private int open;

    /** A copy of what a template was given, for assertions. */
    public record Applied(String messages, String tools, String schema, String grammar, String kwargs, ToolChoice toolChoice,
            boolean parallelToolCalls, Boolean enableThinking, boolean addGenerationPrompt, boolean parseReasoning, boolean continueFinalMessage) {}

    public FakeChatTemplate(FakeTokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    public Applied lastApplied() {
        return applied.getLast();
    }

    /** Returns formats and parsers that have not been closed. */
    public int open() {
        return open;
    }

    @Override
    public ChatFormat apply(ChatInputs in) {
        applied.add(new Applied(OffHeap.text(in.messages()), OffHeap.text(in.tools()), OffHeap.text(in.jsonSchema()), OffHeap.text(in.grammar()),
                OffHeap.text(in.templateKwargs()), in.toolChoice(), in.parallelToolCalls(), in.enableThinking(), in.addGenerationPrompt(),
                in.parseReasoning(), in.continueFinalMessage()));
        if (OffHeap.text(in.messages()).contains("raise")) {
            throw new AgentException(ErrorCode.TEMPLATE_FAILED, "the chat template raised an exception");
        }
        open++;
        return new Format(OffHeap.utf8(OffHeap.text(in.messages())), applied.getLast());
    }

    @Override
    public Capabilities capabilities() {
        return new Capabilities(true, true, true, true, false, true);
    }

    @Override
    public String source() {
        return "fake";
    }

    private final class Format implements ChatFormat {
        private final MemorySegment prompt;
        private final Applied inputs;

        private Format(MemorySegment prompt, Applied inputs) {
            this.prompt = prompt;
            this.inputs = inputs;
        }

        @Override
        public MemorySegment prompt() {
            return prompt;
        }

        @Override
        public int tokenize(MemorySegment tokens) {
            return tokenizer.tokenize(prompt, true, true, tokens);
        }

        @Override
        public Grammar compileGrammar() {
            String source = inputs.grammar() + inputs.schema() + (inputs.toolChoice() == ToolChoice.REQUIRED ? "root ::= call" : "");
            return source.isEmpty() ? null : tokenizer.open(source);
        }

        @Override
        public List<MemorySegment> stops() {
            return List.of(OffHeap.utf8("<|stop|>"));
        }

        @Override
        public boolean preserves(int token) {
            return token == FakeTokenizer.MARK;
        }

        @Override
        public ChatParser openParser(boolean parseToolCalls) {
            open++;
            return new FakeChatParser(inputs.parseReasoning(), parseToolCalls, () -> open--);
        }

        @Override
        public void close() {
            open--;
        }
    }
}
