package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.testing.LlamaSource;
import dev.darkbloom.agent.testing.SdkPrograms;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Our lists of request parameters against their sources: the types of the pinned {@code openai} and {@code @anthropic-ai/sdk} packages, the
 * README of the pinned llama-server and the list from which that one reads a request. A name that appears there, and one of ours that no
 * longer does, is decided upon here.
 */
@Tag("model")
class DocumentedParametersTest {
    private static final Pattern MEMBER = Pattern.compile("    ([a-z_]+)\\??: .*");
    private static final Pattern OPTION = Pattern.compile("`([a-z_]+)` ?: .*");

    private static final Pattern FIELD = Pattern.compile(".*new field_\\w+\\(\"([a-z_]+)\".*");

    /** What stands in llama-server's list for itself: its chat route writes these, and one is a member of {@code stream_options}. */
    private static final Set<String> ITS_OWN =
            Set.of("chat_format", "chat_parser", "reasoning_budget_start_tag", "reasoning_budget_end_tags", "include_usage");

    @Test
    void everyChatParameterIsDocumentedAndEveryDocumentedOneHasAnAnswer() throws IOException, InterruptedException {
        Set<String> documented = union(
                members("chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase"),
                options("### POST `/completion`", "**Response format**"),
                options("### POST `/v1/chat/completions`: OpenAI-compatible", "*Examples:*"),
                fields());
        documented.removeAll(Set.of("prompt", "echo")); // a text's; chat has messages

        Set<String> ours = union(
                // read by llama-server's chat route before its list
                Set.of("add_generation_prompt", "thinking_budget_tokens"),
                // other servers' names for the same things, which their clients send
                Set.of("repetition_penalty", "enable_thinking", "reasoning"),
                // members of the Responses API, which a coordinator leaves in a chat request
                Set.of("instructions", "max_output_tokens", "max_tool_calls"),
                // the coordinator's own
                Set.of("endpoint"));
        compare(Parameters.CHAT, documented, ours);
    }

    @Test
    void everyTextParameterIsDocumentedAndEveryDocumentedOneHasAnAnswer() throws IOException, InterruptedException {
        Set<String> documented = union(
                members("completions.d.ts", "CompletionCreateParamsBase"),
                options("### POST `/completion`", "**Response format**"),
                fields());
        documented.removeIf(name -> name.startsWith("reasoning_") || Set.of("continue_final_message", "generation_prompt", "parse_tool_calls").contains(name));
        Set<String> ours = union(
                // chat's, which clients send here too
                Set.of("max_completion_tokens", "response_format", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                        "prompt_cache_retention", "prompt_cache_options"),
                Set.of("repetition_penalty", "endpoint"));
        compare(Parameters.TEXT, documented, ours);
    }

    @Test
    void everyResponsesParameterIsDocumentedAndEveryDocumentedOneHasAnAnswer() throws IOException, InterruptedException {
        Set<String> ours = union(
                // chat's, for models that want other settings than their file has
                Set.of("seed", "stop", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repeat_penalty", "logit_bias",
                        "ignore_eos", "chat_template_kwargs", "enable_thinking"),
                // a member of the response, and of requests in earlier packages
                Set.of("max_tool_calls"));
        Set<String> documented = union(
                members("responses/responses.d.ts", "ResponseCreateParamsBase"),
                members("responses/input-tokens.d.ts", "InputTokenCountParams"));
        compare(Parameters.RESPONSES, documented, ours);
    }

    @Test
    void everyMessagesParameterIsDocumentedAndEveryDocumentedOneHasAnAnswer() throws IOException, InterruptedException {
        Set<String> documented = union(
                messagesMembers("messages/messages.d.ts", "MessageCreateParamsBase"),
                messagesMembers("messages/messages.d.ts", "MessageCountTokensParams"),
                messagesMembers("beta/messages/messages.d.ts", "MessageCreateParamsBase"),
                messagesMembers("beta/messages/messages.d.ts", "MessageCountTokensParams"));
        Set<String> ours = union(
                // members of requests in earlier packages
                Set.of("temperature", "top_p", "top_k"),
                // chat's, for models that want other settings than their file has
                Set.of("seed", "min_p", "typical_p", "top_n_sigma", "repeat_penalty", "repeat_last_n", "presence_penalty",
                        "frequency_penalty", "samplers", "ignore_eos", "logit_bias", "grammar", "chat_template_kwargs",
                        "sse_ping_interval"));
        compare(Parameters.MESSAGES, documented, ours);
    }

    @Test
    void everyEmbeddingsParameterIsDocumentedAndEveryDocumentedOneHasAnAnswer() throws IOException, InterruptedException {
        Set<String> documented = union(
                members("embeddings.d.ts", "EmbeddingCreateParams"),
                options("### POST `/embedding`", "### POST `/reranking`"));
        compare(Parameters.EMBEDDINGS, documented, Set.of());
    }

    @Test
    void everyRerankParameterIsDocumentedAndEveryDocumentedOneHasAnAnswer() throws IOException, InterruptedException {
        // The number of results stands in its example only; the rest is Jina's, whose shape this is, and another server's.
        compare(Parameters.RERANK, union(options("### POST `/reranking`", "*Aliases:*"), Set.of("model", "top_n", "user")),
                Set.of("return_documents", "max_chunks_per_doc", "texts"));
    }

    private static void compare(Parameters parameters, Set<String> documented, Set<String> ours) {
        assertThat(documented).as("documented").hasSizeGreaterThan(4);
        assertThat(difference(documented, parameters.all())).as("documented names without an answer").isEmpty();
        assertThat(difference(parameters.all(), documented)).as("our names that neither source knows").isEqualTo(new TreeSet<>(ours));
    }

    /** Returns the members of an interface in the openai package's type declarations. */
    private static Set<String> members(String file, String type) throws IOException, InterruptedException {
        return declared("openai", file, type);
    }

    /** Returns those of Anthropic's package, which names what goes into a header as the rest. */
    private static Set<String> messagesMembers(String file, String type) throws IOException, InterruptedException {
        return declared("@anthropic-ai/sdk", file, type);
    }

    private static Set<String> declared(String name, String file, String type) throws IOException, InterruptedException {
        Path declarations = SdkPrograms.installed().resolve("node_modules").resolve(name).resolve("resources").resolve(file);
        return names(Files.readString(declarations), "export interface " + type + " {", "\n}", MEMBER);
    }

    /** Returns the options that a section of llama-server's README lists. */
    private static Set<String> options(String heading, String end) throws IOException, InterruptedException {
        return names(Files.readString(LlamaSource.file("tools/server/README.md")), heading, end, OPTION);
    }

    /** Returns the names from which llama-server reads a request for text. */
    private static Set<String> fields() throws IOException, InterruptedException {
        Set<String> fields = names(Files.readString(LlamaSource.file("tools/server/server-schema.cpp")), "", "", FIELD);
        fields.removeAll(ITS_OWN);
        return fields;
    }

    private static Set<String> names(String text, String begin, String end, Pattern pattern) {
        int from = text.indexOf(begin);
        assertThat(from).as("where %s begins", begin).isNotNegative();
        int to = end.isEmpty() ? text.length() : text.indexOf(end, from);
        assertThat(to).as("where %s ends", begin).isNotNegative();
        return text.substring(from, to).lines().map(pattern::matcher).filter(Matcher::matches).map(match -> match.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @SafeVarargs
    private static Set<String> union(Set<String>... sets) {
        return Stream.of(sets).flatMap(Set::stream).collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<String> difference(Set<String> all, Set<String> without) {
        return all.stream().filter(name -> !without.contains(name)).collect(Collectors.toCollection(TreeSet::new));
    }
}
