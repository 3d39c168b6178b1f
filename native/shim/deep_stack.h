// Room for recursion that a caller's text decides.
#pragma once

#include <pthread.h>

#include "guard.h"

namespace dbs {

// Reserved, not used: only what a call touches takes memory, and all of it is given back when the call ends.
constexpr size_t deep_stack_bytes = size_t{ 256 } << 20;

/**
 * Runs `body`, quietly and guarded, on a thread of its own with a deep stack, and waits for it. llama.cpp's grammar parser, its schema
 * converter and its template engine recurse as deep as their input tells them to (a chain of `$ref`s needs no nesting at all), and a
 * blown stack ends the process. The thread costs about as much as a page of text takes to render.
 */
template <typename Body>
int32_t on_deep_stack(int32_t otherwise, Body && body) {
    struct Call {
        Body &  body;
        int32_t otherwise;
        int32_t status;
    } call = { body, otherwise, DBS_NO_MEMORY };
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return DBS_NO_MEMORY;
    }
    pthread_t thread;
    bool      started = pthread_attr_setstacksize(&attributes, deep_stack_bytes) == 0;
    if (started) {
        started = pthread_create(&thread, &attributes, [](void * argument) -> void * {
            Call &      call = *static_cast<Call *>(argument);
            const Quiet quiet;
            call.status = guarded(call.otherwise, call.body);
            return nullptr;
        }, &call) == 0;
    }
    pthread_attr_destroy(&attributes);
    if (started) {
        pthread_join(thread, nullptr);
    }
    return call.status;
}

} // namespace dbs
