// operator new and operator delete that leave nothing behind.
//
// Strings and JSON trees of a request die all over llama.cpp. A canary string was found hundreds of times in freed memory after one
// template and one tokenization; with these definitions loaded first it was found nowhere. malloc and realloc are left alone: what
// holds text in this process is C++.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__APPLE__)
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

#include "darkbloom_shim.h"

namespace {

std::atomic<uint64_t> zeroed_bytes{0};

size_t block_size(void * block) {
#if defined(__APPLE__)
    return malloc_size(block);
#else
    return malloc_usable_size(block);
#endif
}

void * allocate(std::size_t size) noexcept {
    return std::malloc(size != 0 ? size : 1);
}

void * allocate_aligned(std::size_t size, std::size_t alignment) noexcept {
    if (alignment < sizeof(void *)) {
        alignment = sizeof(void *);
    }
    void * block = nullptr;
    return posix_memalign(&block, alignment, size != 0 ? size : 1) == 0 ? block : nullptr;
}

// The standard's loop: ask the new-handler for room until it gives up.
template <typename Allocation>
void * or_throw(Allocation allocation) {
    for (;;) {
        if (void * block = allocation()) {
            return block;
        }
        std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) {
            throw std::bad_alloc();
        }
        handler();
    }
}

template <typename Allocation>
void * or_null(Allocation allocation) noexcept {
    try {
        return or_throw(allocation);
    } catch (...) {
        return nullptr;
    }
}

void wipe_and_free(void * block) noexcept {
    if (block == nullptr) {
        return;
    }
    // The allocator's own size, not the requested one: what a string leaves between the two is text as well.
    const size_t size = block_size(block);
    std::memset(block, 0, size);
    // The compiler knows that nobody reads a freed block and would drop the memset; this makes the block look read.
    __asm__ __volatile__("" : : "r"(block) : "memory");
    zeroed_bytes.fetch_add(size, std::memory_order_relaxed);
    std::free(block);
}

} // namespace

uint64_t dbs_zeroed_bytes(void) {
    return zeroed_bytes.load(std::memory_order_relaxed);
}

#define DBS_REPLACEMENT __attribute__((visibility("default"), noinline))

DBS_REPLACEMENT void * operator new(std::size_t size) {
    return or_throw([&] { return allocate(size); });
}
DBS_REPLACEMENT void * operator new[](std::size_t size) {
    return or_throw([&] { return allocate(size); });
}
DBS_REPLACEMENT void * operator new(std::size_t size, const std::nothrow_t &) noexcept {
    return or_null([&] { return allocate(size); });
}
DBS_REPLACEMENT void * operator new[](std::size_t size, const std::nothrow_t &) noexcept {
    return or_null([&] { return allocate(size); });
}
DBS_REPLACEMENT void * operator new(std::size_t size, std::align_val_t alignment) {
    return or_throw([&] { return allocate_aligned(size, static_cast<std::size_t>(alignment)); });
}
DBS_REPLACEMENT void * operator new[](std::size_t size, std::align_val_t alignment) {
    return or_throw([&] { return allocate_aligned(size, static_cast<std::size_t>(alignment)); });
}
DBS_REPLACEMENT void * operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
    return or_null([&] { return allocate_aligned(size, static_cast<std::size_t>(alignment)); });
}
DBS_REPLACEMENT void * operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
    return or_null([&] { return allocate_aligned(size, static_cast<std::size_t>(alignment)); });
}

DBS_REPLACEMENT void operator delete(void * block) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete[](void * block) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete(void * block, std::size_t) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete[](void * block, std::size_t) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete(void * block, const std::nothrow_t &) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete[](void * block, const std::nothrow_t &) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete(void * block, std::align_val_t) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete[](void * block, std::align_val_t) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete(void * block, std::size_t, std::align_val_t) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete[](void * block, std::size_t, std::align_val_t) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete(void * block, std::align_val_t, const std::nothrow_t &) noexcept { wipe_and_free(block); }
DBS_REPLACEMENT void operator delete[](void * block, std::align_val_t, const std::nothrow_t &) noexcept { wipe_and_free(block); }
