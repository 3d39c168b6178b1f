// Logging: what llama.cpp may say, and what must stay unsaid.

#include <cstdio>
#include <cstring>
#include <mutex>

#include "log.h"

#include "guard.h"

namespace {

thread_local int quiet_depth = 0;

std::mutex stream_mutex;
int        quiet_threads = 0;       // guarded by stream_mutex
FILE *     saved_stderr  = nullptr; // guarded by stream_mutex

FILE * null_stream() {
    static FILE * stream = [] {
        FILE * opened = std::fopen("/dev/null", "w");
        if (opened != nullptr) {
            // A buffer would keep what was not to be kept.
            std::setvbuf(opened, nullptr, _IONBF, 0);
        }
        return opened;
    }();
    return stream;
}

// Deeper than templates, schemas and tokenizers were seen to go; takes about two microseconds.
constexpr size_t wiped_stack_bytes = 64 * 1024;

__attribute__((noinline)) void wipe_stack() {
    char below[wiped_stack_bytes];
    std::memset(below, 0, sizeof(below));
    // As in alloc.cpp: what nobody reads would not be written.
    __asm__ __volatile__("" : : "r"(below) : "memory");
}

ggml_log_callback log_target      = nullptr;
void *            log_target_data = nullptr;

void filter_line(ggml_log_level level, const char * text, void *) {
    if (!dbs::is_quiet() && log_target != nullptr) {
        log_target(level, text, log_target_data);
    }
}

} // namespace

namespace dbs {

Quiet::Quiet() {
    if (quiet_depth++ > 0) {
        return;
    }
    std::lock_guard<std::mutex> lock(stream_mutex);
    if (quiet_threads++ == 0) {
        saved_stderr = stderr;
        if (FILE * nothing = null_stream()) {
            stderr = nothing;
        }
    }
}

Quiet::~Quiet() {
    if (--quiet_depth > 0) {
        return;
    }
    wipe_stack();
    std::lock_guard<std::mutex> lock(stream_mutex);
    if (--quiet_threads == 0) {
        stderr = saved_stderr;
    }
}

bool is_quiet() {
    return quiet_depth > 0;
}

} // namespace dbs

void dbs_silence_common_log(void) {
    common_log_set_verbosity_thold(-1);
}

void dbs_log_discard(enum ggml_log_level, const char *, void *) {}

void dbs_log_set(ggml_log_callback callback, void * user_data) {
    log_target_data = user_data;
    log_target      = callback;
    llama_log_set(filter_line, nullptr);
}

namespace {

// Silent from the moment the library is loaded: no caller can forget it.
[[maybe_unused]] const bool silenced_at_load = [] {
    dbs_silence_common_log();
    return true;
}();

} // namespace
