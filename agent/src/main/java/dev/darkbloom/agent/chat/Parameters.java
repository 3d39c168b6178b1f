package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.NameTable;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Every request parameter that somebody documents, and what we do with it: OpenAI's API as the pinned {@code openai} package types it, and
 * llama-server v0.4.0 ({@code tools/server/README.md}). Names that are not here are ignored and counted.
 *
 * <p>Data only, so that a test can compare it with both sources.
 */
final class Parameters {
    /** What happens to a parameter. */
    enum Treatment {
        /** Read. */
        READ,
        /** Accepted without effect: it does not change the answer. */
        IGNORED,
        /** Refused by name, unless its value is the one that means "off". */
        REFUSED
    }

    /**
     * One parameter.
     *
     * @param neutral JSON texts of the values that ask for nothing, for {@code REFUSED}
     */
    record Parameter(String name, Treatment treatment, List<String> neutral) {}

    private static final List<String> COMMON_READ = List.of("model", "stream", "stream_options", "stop", "seed", "temperature", "top_p", "top_k",
            "min_p", "typical_p", "top_n_sigma", "xtc_probability", "xtc_threshold", "dynatemp_range", "dynatemp_exponent", "repeat_penalty",
            "repetition_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty", "dry_multiplier", "dry_base", "dry_allowed_length",
            "dry_penalty_last_n", "dry_sequence_breakers", "mirostat", "mirostat_tau", "mirostat_eta", "adaptive_target", "adaptive_decay",
            "samplers", "min_keep", "ignore_eos", "logit_bias", "grammar", "json_schema", "response_format", "max_tokens", "n_predict", "n",
            "n_cmpl", "logprobs", "n_probs", "cache_prompt", "timings_per_token", "sse_ping_interval");

    /** {@code n_keep} and {@code n_discard} say what a context that is full forgets; none here does: the answer ends. */
    private static final List<String> COMMON_IGNORED = List.of("user", "metadata", "store", "service_tier", "safety_identifier",
            "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "id_slot", "backend_sampling", "n_cache_reuse", "n_keep", "n_discard");

    private static final Map<String, List<String>> COMMON_REFUSED = Map.ofEntries(
            Map.entry("n_indent", List.of("0")),
            Map.entry("t_max_predict_ms", List.of("0", "-1")),
            Map.entry("t_max_prompt_ms", List.of("0", "-1")),
            Map.entry("return_tokens", List.of("false")),
            Map.entry("return_progress", List.of("false")),
            Map.entry("post_sampling_probs", List.of("false")),
            Map.entry("response_fields", List.of("[]")),
            Map.entry("lora", List.of("[]")),
            Map.entry("verbose", List.of("false")),
            Map.entry("grammar_lazy", List.of("false")),
            Map.entry("grammar_triggers", List.of("[]")),
            Map.entry("preserved_tokens", List.of("[]")));

    static final Parameters CHAT = new Parameters(
            concat(COMMON_READ, "messages", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_completion_tokens",
                    "max_output_tokens", "top_logprobs", "reasoning_effort", "reasoning", "chat_template_kwargs", "enable_thinking",
                    "reasoning_format", "parse_tool_calls", "add_generation_prompt", "continue_final_message"),
            concat(COMMON_IGNORED, "prediction", "endpoint", "max_tool_calls"),
            COMMON_REFUSED,
            Map.ofEntries(
                    Map.entry("audio", List.of()),
                    Map.entry("modalities", List.of("[\"text\"]")),
                    Map.entry("functions", List.of("[]")),
                    Map.entry("function_call", List.of("\"auto\"", "\"none\"")),
                    Map.entry("moderation", List.of()),
                    Map.entry("verbosity", List.of("\"medium\"")),
                    Map.entry("web_search_options", List.of()),
                    Map.entry("generation_prompt", List.of("\"\"")),
                    Map.entry("reasoning_control", List.of("false")),
                    Map.entry("reasoning_budget_tokens", List.of("-1")),
                    Map.entry("thinking_budget_tokens", List.of("-1")),
                    Map.entry("reasoning_budget_message", List.of("\"\""))));

    static final Parameters TEXT = new Parameters(
            concat(COMMON_READ, "prompt", "echo", "best_of", "max_completion_tokens"),
            concat(COMMON_IGNORED, "endpoint"),
            COMMON_REFUSED,
            Map.of("suffix", List.of("\"\"")));

    static final Parameters EMBEDDINGS = new Parameters(List.of("model", "input", "content", "encoding_format", "dimensions"),
            List.of("user"), Map.of(), Map.of("embd_normalize", List.of("2")));

    static final Parameters RERANK = new Parameters(List.of("model", "query", "documents", "top_n"), List.of("user"), Map.of(),
            Map.of("return_documents", List.of("false"), "max_chunks_per_doc", List.of(), "texts", List.of()));

    static final Parameters TOKENIZE = new Parameters(List.of("model", "content", "add_special", "parse_special", "with_pieces"),
            List.of(), Map.of(), Map.of());

    static final Parameters DETOKENIZE = new Parameters(List.of("model", "tokens"), List.of(), Map.of(), Map.of());

    /** Asks that earlier thoughts stay in the prompt, which they do. */
    private static final String KEEPS_THINKING = "{\"edits\":[{\"type\":\"clear_thinking_20251015\",\"keep\":\"all\"}]}";

    /** Anthropic's Messages API as the pinned {@code @anthropic-ai/sdk} types it, its beta included; for counting tokens too. */
    static final Parameters MESSAGES = new Parameters(
            concat(MessagesBody.COPIED, "messages", "system", "stop_sequences", "thinking", "tools", "tool_choice", "output_config", "output_format"),
            List.of("metadata", "service_tier", "cache_control", "inference_geo", "diagnostics", "user_profile_id", "workspace_id", "speed", "betas",
                    "billing_policy", "fallbacks", "fallback_credit_token"),
            Map.of(
                    "container", List.of(),
                    "mcp_servers", List.of("[]"),
                    "context_management", List.of("{}", "{\"edits\":[]}", KEEPS_THINKING),
                    "compaction", List.of(),
                    "thread", List.of()),
            Map.of());

    /** OpenAI's Responses API as the pinned {@code openai} package types it, and samplers as elsewhere. */
    static final Parameters RESPONSES = new Parameters(
            concat(ResponsesBody.COPIED, "input", "tools", "tool_choice", "text", "include", "top_logprobs", "background", "previous_response_id",
                    "store", "truncation"),
            List.of("user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
                    "max_tool_calls", "stream_options"),
            Map.of(
                    "conversation", List.of(),
                    "prompt", List.of(),
                    "context_management", List.of("[]"),
                    "moderation", List.of(),
                    "personality", List.of()),
            Map.of());

    private final Map<String, Parameter> byName = new HashMap<>();
    private final NameTable names;

    private Parameters(List<String> read, List<String> ignored, Map<String, List<String>> refused, Map<String, List<String>> refusedToo) {
        read.forEach(name -> put(name, Treatment.READ, List.of()));
        ignored.forEach(name -> put(name, Treatment.IGNORED, List.of()));
        refused.forEach((name, neutral) -> put(name, Treatment.REFUSED, neutral));
        refusedToo.forEach((name, neutral) -> put(name, Treatment.REFUSED, neutral));
        names = NameTable.of(byName.keySet());
    }

    private void put(String name, Treatment treatment, List<String> neutral) {
        if (byName.put(name, new Parameter(name, treatment, neutral)) != null) {
            throw new IllegalArgumentException("twice: " + name);
        }
    }

    private static List<String> concat(List<String> common, String... more) {
        return Stream.concat(common.stream(), Arrays.stream(more)).toList();
    }

    /** Returns the names as a table to look up what a client wrote. */
    NameTable names() {
        return names;
    }

    /** Returns the parameter with one of our names. */
    Parameter parameter(String name) {
        return byName.get(name);
    }

    /** Returns all names. */
    Set<String> all() {
        return Set.copyOf(byName.keySet());
    }
}
