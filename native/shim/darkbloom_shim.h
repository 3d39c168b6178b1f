/*
 * darkbloom shim: the C edge of what llama.cpp only offers in C++.
 *
 * Rules of this header
 *  - C ABI only. No exception and no STL type crosses it.
 *  - Text goes in and out as (pointer, length); nothing is expected to end with NUL unless a parameter is called `path`.
 *  - Every function that can fail returns a dbs_status. The text of an exception stays inside: it may quote content.
 *  - A handle is freed by the function named beside its constructor; freeing NULL is allowed.
 *  - A slice that a function hands out belongs to the handle it came from and lives until the handle's next call or its end.
 *  - `operator new` and `operator delete` are defined by this library; what is freed is zeroed first. Load this library with
 *    RTLD_GLOBAL before every other C++ library, otherwise the others keep their own allocator.
 *  - Unless said otherwise a handle is used by one thread at a time; different handles may be used side by side.
 */
#ifndef DARKBLOOM_SHIM_H
#define DARKBLOOM_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include "llama.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DBS_API __attribute__((visibility("default")))
#else
#define DBS_API
#endif

/* Raised whenever a function or a struct below changes its meaning; the Java side refuses another number. */
#define DBS_ABI_VERSION 2

enum dbs_status {
    DBS_OK               =  0,
    DBS_INVALID_ARGUMENT = -1, /* a pointer, count or enum out of range */
    DBS_BAD_JSON         = -2, /* a JSON text that does not parse, or is not of the shape its place wants */
    DBS_BAD_MESSAGES     = -3, /* messages or tools that upstream's reader refuses */
    DBS_BAD_TEMPLATE     = -4, /* the chat template does not parse, or raised an exception while it ran */
    DBS_BAD_GRAMMAR      = -5, /* a grammar that does not parse, a token that the grammar refuses, or too much work to tell */
    DBS_BAD_SCHEMA       = -6, /* a JSON schema that the converter refuses */
    DBS_NO_MEMORY        = -7, /* std::bad_alloc, or a buffer the backend could not allocate */
    DBS_TOO_SMALL        = -8, /* the caller's buffer is too small; the needed count was written */
    DBS_LOAD_FAILED      = -9, /* llama.cpp refused the model or the context */
    DBS_NO_PARSE         = -10, /* an output that the chat format's parser does not accept */
    DBS_INTERNAL         = -11, /* any other exception */
};

typedef struct dbs_slice {
    const char * data;
    size_t       size; /* bytes */
} dbs_slice;

/* ---- identity ------------------------------------------------------------------------------------------------- */

DBS_API int32_t      dbs_abi_version(void);
DBS_API const char * dbs_llama_tag(void); /* the release the shim was compiled against, for example "v0.4.0" */

/* One row of the table below: "llama_batch" → its size, "llama_batch.n_tokens" → the offset of that member, in bytes. */
typedef struct dbs_layout {
    const char * name;
    uint64_t     value;
} dbs_layout;

/* Sizes and offsets of every struct that Java binds, as this compiler lays them out. Static storage. */
DBS_API const dbs_layout * dbs_layouts(size_t * n_layouts);

/* ---- process-wide --------------------------------------------------------------------------------------------- */

/* Bytes zeroed by this library's operator delete since the process began. Any thread. */
DBS_API uint64_t dbs_zeroed_bytes(void);

/* Stops libllama-common's own logger, which llama_log_set does not reach and which quotes model output. Done when the library is loaded. */
DBS_API void dbs_silence_common_log(void);

/*
 * As llama_log_set, but drops the lines that a thread logs while it is inside a call of this shim that handles content: grammars,
 * samplers, tokens and templates are quoted there. Call it while no other thread is inside llama.cpp.
 */
DBS_API void dbs_log_set(ggml_log_callback callback, void * user_data);

/* A ggml_log_callback that drops every line: what is installed before the JVM goes away. */
DBS_API void dbs_log_discard(enum ggml_log_level level, const char * text, void * user_data);

/* ---- models and contexts, with exceptions caught -------------------------------------------------------------- */

/* Loads one file (n_paths == 1) or the shards of a split model in order. The model is freed by llama_model_free. */
DBS_API int32_t dbs_model_load(const char * const * paths, size_t n_paths, const struct llama_model_params * params, struct llama_model ** out);

/* Opens a context; freed by llama_free. */
DBS_API int32_t dbs_context_new(struct llama_model * model, const struct llama_context_params * params, struct llama_context ** out);

typedef struct dbs_pool dbs_pool; /* CPU threads that compute for one context */

/*
 * Starts a pool of n_threads (1 to 512, the calling thread counted) and attaches it to `ctx` for decoding and for prompts. Without one the CPU
 * backend starts new threads for every call. `poll`, 0 to 100, is how eagerly its threads wait for the next call before they sleep; at 0 they
 * sleep at once. *out is NULL, with DBS_OK, where no CPU backend offers pools. Free the context first, then the pool.
 */
DBS_API int32_t dbs_pool_attach(struct llama_context * ctx, int32_t n_threads, int32_t poll, dbs_pool ** out);
DBS_API void    dbs_pool_free(dbs_pool * pool);

/* Processor time that the calling thread has used, in nanoseconds; 0 where the system does not tell. */
DBS_API int64_t dbs_thread_cpu_nanos(void);

typedef struct dbs_device_memory {
    int64_t  total;   /* bytes; 0 when the device does not tell */
    int64_t  free;    /* bytes */
    uint64_t model;   /* bytes of weights on this device */
    uint64_t context; /* bytes of KV cache and recurrent state */
    uint64_t compute; /* bytes of compute buffers */
    int32_t  is_host; /* 1 for the last row: system memory */
    int32_t  reserved;
} dbs_device_memory;

/*
 * What a model and a context would need, by upstream's dry run (nothing is allocated). Row per device, the host's row last.
 * Swaps the process's log callback while it runs: never call it from two threads, nor while another thread sets the callback.
 */
DBS_API int32_t dbs_memory_need(const char * path, const struct llama_model_params * model_params, const struct llama_context_params * context_params,
                                dbs_device_memory * rows, int32_t max_rows, int32_t * n_rows);

/*
 * llama_decode / llama_encode with the batch by pointer. *code is llama.cpp's own return value when DBS_OK is returned.
 * DBS_INVALID_ARGUMENT for what llama.cpp would abort on or name in its log: no rows, more than n_batch (n_ubatch for encoding and for
 * contexts without a memory), a token that the vocabulary does not have.
 */
DBS_API int32_t dbs_decode(struct llama_context * ctx, const struct llama_batch * batch, int32_t * code);
DBS_API int32_t dbs_encode(struct llama_context * ctx, const struct llama_batch * batch, int32_t * code);

/* ---- vocabulary ----------------------------------------------------------------------------------------------- */

/*
 * Any thread. *n_tokens is the count written, or with DBS_TOO_SMALL the count needed. llama_tokenize's tokens, in time that grows with the text;
 * only what stands between special tokens for more than 256 KiB may be read in parts. A long text is read on a thread with a deep stack.
 */
DBS_API int32_t dbs_tokenize(const struct llama_vocab * vocab, const char * text, size_t size, int32_t * tokens, int32_t max_tokens,
                             bool add_special, bool parse_special, int32_t * n_tokens);

enum dbs_token_flag {
    DBS_TOKEN_END_OF_GENERATION = 1,
    DBS_TOKEN_CONTROL           = 2,
    DBS_TOKEN_USER_DEFINED      = 4,
    DBS_TOKEN_BYTE              = 8,
    DBS_TOKEN_UNKNOWN           = 16,
    DBS_TOKEN_UNUSED            = 32,
};

/* The text of every token, made once per model; immutable, any thread. */
typedef struct dbs_pieces dbs_pieces;

typedef struct dbs_pieces_view {
    const uint32_t * offsets; /* [n_tokens + 1] byte offsets into `bytes`; token t is bytes[offsets[t] .. offsets[t+1]) */
    const char *     bytes;   /* as llama_token_to_piece(special = true) gives them */
    const uint8_t *  flags;   /* [n_tokens] of dbs_token_flag */
    int32_t          n_tokens;
    int32_t          max_piece; /* bytes of the longest piece */
} dbs_pieces_view;

DBS_API int32_t dbs_pieces_new(const struct llama_vocab * vocab, dbs_pieces ** out);
DBS_API void    dbs_pieces_get(const dbs_pieces * pieces, dbs_pieces_view * out);
DBS_API void    dbs_pieces_free(dbs_pieces * pieces);

/* ---- sampling ------------------------------------------------------------------------------------------------- */

enum dbs_sampler_kind { /* the links of a chain, in the order the caller gives; greedy/dist/mirostat/adaptive are added at its end by dbs_sampler_new */
    DBS_SAMPLER_PENALTIES   = 1,
    DBS_SAMPLER_DRY         = 2,
    DBS_SAMPLER_TOP_N_SIGMA = 3,
    DBS_SAMPLER_TOP_K       = 4,
    DBS_SAMPLER_TYPICAL_P   = 5,
    DBS_SAMPLER_TOP_P       = 6,
    DBS_SAMPLER_MIN_P       = 7,
    DBS_SAMPLER_XTC         = 8,
    DBS_SAMPLER_TEMPERATURE = 9,
};

typedef struct dbs_sampling {
    float    temperature;        /* <= 0: greedy */
    float    dynatemp_range;     /* 0: off */
    float    dynatemp_exponent;
    int32_t  top_k;              /* <= 0: off */
    float    top_p;              /* 1: off */
    float    min_p;              /* 0: off */
    float    typical_p;          /* 1: off */
    float    top_n_sigma;        /* <= 0: off */
    float    xtc_probability;    /* 0: off */
    float    xtc_threshold;
    int32_t  penalty_last_n;     /* tokens; 0: off; -1: the whole context */
    float    penalty_repeat;     /* 1: off */
    float    penalty_frequency;  /* 0: off */
    float    penalty_presence;   /* 0: off */
    float    dry_multiplier;     /* 0: off */
    float    dry_base;
    int32_t  dry_allowed_length;
    int32_t  dry_penalty_last_n; /* tokens; 0: off; -1: the whole context */
    int32_t  mirostat;           /* 0, 1 or 2 */
    float    mirostat_tau;
    float    mirostat_eta;
    float    adaptive_target;    /* < 0: off */
    float    adaptive_decay;
    uint32_t seed;               /* LLAMA_DEFAULT_SEED: random */
    int32_t  min_keep;
    int32_t  ignore_eos;         /* 1: every end-of-generation token gets a bias of minus infinity */
    int32_t  n_ctx;              /* tokens; what -1 stands for in the two last_n above */
    int32_t  n_order;            /* links in `order`; 0: llama.cpp's default order */
    uint8_t  order[16];          /* of dbs_sampler_kind */
    const struct llama_logit_bias * logit_bias;
    size_t                   n_logit_bias;
    const dbs_slice *        dry_breakers; /* NULL: llama.cpp's defaults */
    size_t                   n_dry_breakers;
} dbs_sampling;

typedef struct dbs_grammar dbs_grammar; /* a compiled grammar, not yet part of a sampler */
typedef struct dbs_sampler dbs_sampler;

/*
 * Compiles GBNF text whose start symbol is `root`; freed by dbs_grammar_free unless a sampler has taken it. Groups may nest 200 deep.
 * A model's first grammar also builds a trie of its vocabulary, 30 ms for 49,152 tokens; it is kept while the model's dbs_pieces live.
 * Runs on a thread of its own with a deep stack, as do dbs_schema_to_grammar, dbs_templates_new, dbs_chat_apply and dbs_chat_grammar.
 */
DBS_API int32_t dbs_grammar_new(const struct llama_vocab * vocab, const char * gbnf, size_t size, dbs_grammar ** out);
DBS_API void    dbs_grammar_free(dbs_grammar * grammar);

/* Builds one request's chain. Takes `grammar` (may be NULL) whatever is returned. */
DBS_API int32_t dbs_sampler_new(const struct llama_model * model, const dbs_sampling * sampling, dbs_grammar * grammar, dbs_sampler ** out);
DBS_API void    dbs_sampler_free(dbs_sampler * sampler);

/* Tells the chain of a prompt token (penalties, DRY); the grammar does not see it. */
DBS_API int32_t dbs_sampler_accept_prompt(dbs_sampler * sampler, const int32_t * tokens, int32_t n_tokens);

/*
 * Picks the next token and accepts it, in the chain and in the grammar. `row` is what llama_get_logits_ith takes: the place in the last
 * batch of a token that asked for logits, or -1 for the last of them.
 * The chain picks first; only a token that the grammar refuses makes it pick again among those that it allows.
 * Allocates nothing once warm, except inside llama.cpp's penalties and DRY, and for grammars. DBS_BAD_GRAMMAR when the grammar allows no
 * token at all; the sampler answers nothing else from then on. So too when a grammar can be read in so many ways that a step would take
 * more than its share of work: a few milliseconds, and some ten where the steps before took little.
 */
DBS_API int32_t dbs_sampler_sample(dbs_sampler * sampler, struct llama_context * ctx, int32_t row, int32_t * token);

/*
 * Natural-log probabilities from the raw logits of `row` (as above): of `token`, and of the n_top most likely tokens, most likely first
 * (ties: lower id first). `ids` and `logprobs` have room for n_top, which the vocabulary's size bounds.
 */
DBS_API int32_t dbs_logprobs(struct llama_context * ctx, int32_t row, int32_t token, int32_t n_top, float * token_logprob, int32_t * ids, float * logprobs);

/* ---- text results --------------------------------------------------------------------------------------------- */

typedef struct dbs_text dbs_text;

DBS_API void dbs_text_get(const dbs_text * text, dbs_slice * out);
DBS_API void dbs_text_free(dbs_text * text);

/*
 * JSON schema (JSON text) → GBNF. The caller has bounded its depth. Every text of the grammar is valid JSON, and valid under the schema but
 * for keywords that dbs_schema_check names. DBS_BAD_SCHEMA: no value satisfies it, a `$ref` leads nowhere, out of the schema or only to
 * itself, or it is too large.
 */
DBS_API int32_t dbs_schema_to_grammar(const char * schema, size_t size, dbs_text ** out);

/*
 * DBS_OK when the grammar of a schema enforces all of its keywords. Otherwise DBS_BAD_SCHEMA, with *out the first one that it does not and
 * its place, "multipleOf at /properties/2": properties by number, so that the text is made of keywords and numbers only. *out is NULL
 * when there is no grammar at all.
 */
DBS_API int32_t dbs_schema_check(const char * schema, size_t size, dbs_text ** out);

/* ---- chat templates ------------------------------------------------------------------------------------------- */

typedef struct dbs_templates dbs_templates; /* a model's parsed templates; any number of threads may apply them */
typedef struct dbs_chat      dbs_chat;      /* one request's rendered prompt, grammar and output parser */
typedef struct dbs_parser    dbs_parser;    /* incremental parse of one answer */

/* `source` empty: the model's own template, or ChatML when it has none. Borrows `model` until dbs_templates_free. */
DBS_API int32_t dbs_templates_new(const struct llama_model * model, const char * source, size_t size, dbs_templates ** out);
DBS_API void    dbs_templates_free(dbs_templates * templates);

typedef struct dbs_template_caps {
    int32_t explicit_template; /* 0: the model has none and ChatML stands in */
    int32_t supports_tools;
    int32_t supports_tool_calls;
    int32_t supports_system;
    int32_t supports_parallel_tool_calls;
    int32_t supports_thinking; /* the template reads enable_thinking */
} dbs_template_caps;

DBS_API int32_t dbs_templates_caps(const dbs_templates * templates, dbs_template_caps * out);
/* The template's own text; lives as long as `templates`. */
DBS_API int32_t dbs_templates_source(const dbs_templates * templates, dbs_slice * out);

enum dbs_tool_choice { DBS_TOOL_AUTO = 0, DBS_TOOL_REQUIRED = 1, DBS_TOOL_NONE = 2 };

typedef struct dbs_chat_inputs {
    dbs_slice messages;    /* JSON array of OpenAI chat messages */
    dbs_slice tools;       /* JSON array of OpenAI tools, or empty */
    dbs_slice json_schema; /* JSON schema the content must follow, or empty */
    dbs_slice grammar;     /* GBNF the answer must follow, or empty; not together with json_schema */
    dbs_slice kwargs;      /* JSON object: chat_template_kwargs, or empty */
    int64_t   now_seconds; /* Unix time of `date_string` and `datetime`; 0: the clock's. Upstream's strftime_now always reads the clock */
    int32_t   tool_choice; /* dbs_tool_choice; DBS_TOOL_REQUIRED makes the answer a call, after a thought where the model thinks */
    int32_t   parallel_tool_calls;
    int32_t   enable_thinking;       /* 0; 1; -1: as the template has it where nobody sets it, found by rendering it once at load */
    int32_t   add_generation_prompt;
    int32_t   parse_reasoning;       /* 1: reasoning is split from content */
    int32_t   continue_final_message; /* 1: the last message, an assistant's without calls, is continued; its text is not handed out again */
} dbs_chat_inputs;

/*
 * Renders the prompt and prepares grammar and parser. The caller has bounded the depth of every JSON text.
 * Where a template shows no tools, or upstream finds no grammar for its calls, tools are described in the system message and a call is JSON
 * between <tool_call> tags. A required call makes json_schema moot; beside tools that may be called the answer is a call or JSON under the
 * schema. Tools that may not be called are not shown. Calls among the messages are, whatever the template: one a message where it shows no
 * more. DBS_BAD_TEMPLATE also for a required call within a message that is continued, where the format's calls are messages of their own.
 * enable_thinking among the kwargs comes before the member of that name. DBS_INVALID_ARGUMENT for a grammar beside a schema, or beside
 * tools that may be called; DBS_BAD_SCHEMA also for a tool's parameters.
 */
DBS_API int32_t dbs_chat_apply(dbs_templates * templates, const dbs_chat_inputs * inputs, dbs_chat ** out);
DBS_API void    dbs_chat_free(dbs_chat * chat);

typedef struct dbs_chat_info {
    int32_t format;       /* common_chat_format */
    int32_t has_grammar;
    int32_t grammar_lazy; /* 1: the grammar begins at a trigger */
    int32_t supports_thinking;
    int32_t n_stops;      /* further stop strings that the format asks for */
    int32_t reserved;
} dbs_chat_info;

DBS_API void    dbs_chat_get_info(const dbs_chat * chat, dbs_chat_info * out);
DBS_API void    dbs_chat_prompt(const dbs_chat * chat, dbs_slice * out);
DBS_API int32_t dbs_chat_stop(const dbs_chat * chat, int32_t index, dbs_slice * out);

/* Tokenizes the rendered prompt with special tokens read as such; BOS is not doubled. As dbs_tokenize. */
DBS_API int32_t dbs_chat_tokenize(const dbs_chat * chat, const struct llama_vocab * vocab, int32_t * tokens, int32_t max_tokens, int32_t * n_tokens);

/* The chat's grammar, lazy or not; *out is NULL when it has none. */
DBS_API int32_t dbs_chat_grammar(const dbs_chat * chat, const struct llama_vocab * vocab, dbs_grammar ** out);

/*
 * 1 when the format wants this token's text in the answer although it is a control token (tool markers and the like), 0 when not.
 */
DBS_API int32_t dbs_chat_preserves(const dbs_chat * chat, const struct llama_vocab * vocab, int32_t token);

enum dbs_delta_kind {
    DBS_DELTA_REASONING      = 1,
    DBS_DELTA_CONTENT        = 2,
    DBS_DELTA_TOOL_BEGIN     = 3, /* text: the function's name; extra: the call's id, made up when the model wrote none */
    DBS_DELTA_TOOL_ARGUMENTS = 4, /* text: a further piece of the arguments */
};

typedef struct dbs_delta {
    int32_t   kind;
    int32_t   tool_index;
    dbs_slice text;
    dbs_slice extra;
} dbs_delta;

/* Borrows `chat`, which must outlive the parser. parse_tool_calls 0: calls are handed out as the text that they are. */
DBS_API int32_t dbs_parser_new(const dbs_chat * chat, int32_t parse_tool_calls, dbs_parser ** out);
DBS_API void    dbs_parser_free(dbs_parser * parser);

/* 1 once all that can follow is content, word for word: then it need not be fed any more, not even at the end. */
DBS_API int32_t dbs_parser_is_plain(const dbs_parser * parser);

/*
 * Adds a piece of the answer and tells what is new. Deltas live until the parser's next call. `is_final` is given once, with the
 * last piece (which may be empty). DBS_NO_PARSE only with is_final: the rest of the raw text is then handed out as content.
 * Newlines around a thought are left out. A call begins once its name is sure, which is when its arguments begin. Text whose brackets
 * nest deeper than 4,000 does not parse. Pieces may end within a character; deltas then may as well.
 */
DBS_API int32_t dbs_parser_feed(dbs_parser * parser, const char * text, size_t size, int32_t is_final, const dbs_delta ** deltas, size_t * n_deltas);

#ifdef __cplusplus
}
#endif

#endif
