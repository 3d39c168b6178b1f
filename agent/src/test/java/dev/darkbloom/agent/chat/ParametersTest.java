package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ParametersTest {
    /** {@code ChatCompletionCreateParams} of the openai package, deprecated ones included. */
    private static final List<String> OPENAI_CHAT = List.of("messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias",
            "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty",
            "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
            "store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
            "web_search_options");

    /** {@code CompletionCreateParams} of the openai package. */
    private static final List<String> OPENAI_TEXT = List.of("model", "prompt", "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs",
            "max_tokens", "n", "presence_penalty", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user");

    /** What llama-server v0.4.0's README names for {@code /completion}, which its other text endpoints take as well. */
    private static final List<String> LLAMA_SERVER = List.of("temperature", "dynatemp_range", "dynatemp_exponent", "top_k", "top_p", "min_p",
            "n_predict", "n_indent", "n_keep", "n_cmpl", "n_cache_reuse", "stream", "stop", "typical_p", "repeat_penalty", "repeat_last_n",
            "presence_penalty", "frequency_penalty", "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n",
            "dry_sequence_breakers", "xtc_probability", "xtc_threshold", "mirostat", "mirostat_tau", "mirostat_eta", "grammar", "json_schema", "seed",
            "ignore_eos", "logit_bias", "n_probs", "min_keep", "t_max_predict_ms", "id_slot", "cache_prompt", "return_tokens", "samplers",
            "timings_per_token", "return_progress", "sse_ping_interval", "post_sampling_probs", "response_fields", "lora");

    /** What that README names for chat beyond them. */
    private static final List<String> LLAMA_SERVER_CHAT = List.of("chat_template_kwargs", "reasoning_effort", "reasoning_format", "reasoning_control",
            "generation_prompt", "parse_tool_calls", "parallel_tool_calls", "response_format");

    @Test
    void everyDocumentedChatParameterHasAnAnswer() {
        assertThat(Parameters.CHAT.all()).containsAll(OPENAI_CHAT).containsAll(LLAMA_SERVER).containsAll(LLAMA_SERVER_CHAT);
    }

    @Test
    void everyDocumentedTextParameterHasAnAnswer() {
        assertThat(Parameters.TEXT.all()).containsAll(OPENAI_TEXT).containsAll(LLAMA_SERVER).contains("prompt");
    }

    @Test
    void everyDocumentedResponsesParameterHasAnAnswer() {
        assertThat(Parameters.RESPONSES.all()).contains("background", "context_management", "conversation", "include", "input", "instructions",
                "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
                "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store",
                "stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user");
    }

    @Test
    void everyDocumentedEmbeddingsParameterHasAnAnswer() {
        assertThat(Parameters.EMBEDDINGS.all()).contains("input", "model", "dimensions", "encoding_format", "user");
    }
}
