// The edge that no exception crosses, and the silence that surrounds whatever handles content.
#pragma once

#include <new>
#include <utility>

#include "darkbloom_shim.h"

namespace dbs {

/**
 * Runs `body`, which returns a dbs_status, and turns what it throws into one. The text of the exception is dropped: upstream quotes
 * the input in it.
 */
template <typename Body>
int32_t guarded(int32_t otherwise, Body && body) noexcept {
    try {
        return std::forward<Body>(body)();
    } catch (const std::bad_alloc &) {
        return DBS_NO_MEMORY;
    } catch (...) {
        return otherwise;
    }
}

/**
 * While one lives, this thread's lines do not pass the filter of dbs_log_set, and nothing written to C's `stderr` arrives.
 *
 * The grammar parser prints a grammar that it refuses to stderr, and the schema converter prints patterns there; neither goes
 * through a log callback. The stream is swapped for the whole process while at least one thread is quiet; file descriptor 2, which
 * is what the JVM writes to, stays as it is.
 *
 * At its end the stack below it, where short strings and buffers of the frames that were left still lie, is zeroed as well.
 */
class Quiet {
  public:
    Quiet();
    ~Quiet();
    Quiet(const Quiet &) = delete;
    Quiet & operator=(const Quiet &) = delete;
};

/** Whether the calling thread is quiet. */
bool is_quiet();

} // namespace dbs
