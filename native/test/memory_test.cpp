// What a request leaves in memory: nothing that this process has freed may still hold its words.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "chat.h"

namespace {

void every_delete_zeroes() {
    const uint64_t before = dbs_zeroed_bytes();
    auto *         one    = new char[1000];
    std::memset(one, 'x', 1000);
    delete[] one;
    CHECK(dbs_zeroed_bytes() >= before + 1000);

    struct alignas(128) Wide {
        char bytes[256];
    };
    auto * wide = new Wide;
    CHECK(reinterpret_cast<uintptr_t>(wide) % 128 == 0);
    delete wide;
    CHECK(dbs_zeroed_bytes() >= before + 1256);
    void * raw = ::operator new(64, std::nothrow);
    CHECK(raw != nullptr);
    ::operator delete(raw, std::nothrow);
    volatile size_t too_much = SIZE_MAX / 2;
    CHECK(::operator new(too_much, std::nothrow) == nullptr);
    bool thrown = false;
    try {
        ::operator delete(::operator new(too_much));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown);
}

#if defined(__linux__)

/** Occurrences of `needle` in this process's writable memory, outside the places that hold it on purpose. */
int hits_in_memory(const char * needle, size_t size) {
    FILE * maps   = std::fopen("/proc/self/maps", "r");
    FILE * memory = std::fopen("/proc/self/mem", "rb");
    int    hits   = 0;
    char   line[512];
    // malloc, which does not zero: the scan's own buffer must not be what it finds.
    const size_t chunk  = 1 << 20;
    char *       buffer = static_cast<char *>(std::malloc(chunk + size));
    while (maps != nullptr && memory != nullptr && std::fgets(line, sizeof(line), maps) != nullptr) {
        unsigned long begin = 0;
        unsigned long end   = 0;
        char          mode[5];
        if (std::sscanf(line, "%lx-%lx %4s", &begin, &end, mode) != 3 || mode[0] != 'r' || mode[1] != 'w') {
            continue;
        }
        for (unsigned long at = begin; at < end; at += chunk) {
            const size_t want = std::min(chunk + size - 1, static_cast<size_t>(end - at));
            if (std::fseek(memory, static_cast<long>(at), SEEK_SET) != 0) {
                break;
            }
            const size_t got = std::fread(buffer, 1, want, memory);
            for (size_t i = 0; i + size <= got; i++) {
                const auto * address = reinterpret_cast<const char *>(at + i);
                const bool   ours    = address >= buffer && address < buffer + chunk + size;
                if (!ours && buffer[i] == needle[0] && std::memcmp(buffer + i, needle, size) == 0) {
                    hits++;
                }
            }
        }
    }
    std::memset(buffer, 0, chunk + size);
    std::free(buffer);
    std::fclose(maps);
    std::fclose(memory);
    return hits;
}

// The canary is never whole in the program's own data: it is put together, and each byte is shifted, where it is looked for.
const char shifted[] = "Ebsl.Dbobsz.5928.Cmppn";

void put_canary(char * out) {
    for (size_t i = 0; i + 1 < sizeof(shifted); i++) {
        out[i] = static_cast<char>(shifted[i] - 1);
    }
}

__attribute__((noinline)) void run_request_with_canary(const Demo & demo, dbs_templates * templates) {
    char canary[sizeof(shifted)] = {};
    put_canary(canary);
    {
        // The first plain request of its kind: what is kept of it for the next one must not hold its words.
        Request plain("tell me more about " + std::string(canary) + ", and at length");
        dbs_chat_free(plain.applied(templates));
        Request request("tell me about " + std::string(canary));
        request.tools = weather_tools;
        dbs_chat * chat = request.applied(templates);
        int32_t    room[512];
        int32_t    n = 0;
        CHECK_STATUS(DBS_OK, dbs_chat_tokenize(chat, demo.vocab, room, 512, &n));
        dbs_parser *      parser = nullptr;
        const dbs_delta * deltas = nullptr;
        size_t            count  = 0;
        CHECK_STATUS(DBS_OK, dbs_parser_new(chat, 1, &parser));
        const std::string answer = "I know " + std::string(canary) + ".";
        for (const char c : answer) {
            CHECK_STATUS(DBS_OK, dbs_parser_feed(parser, &c, 1, 0, &deltas, &count));
        }
        CHECK_STATUS(DBS_OK, dbs_parser_feed(parser, nullptr, 0, 1, &deltas, &count));
        dbs_parser_free(parser);
        dbs_chat_free(chat);

        const std::string gbnf    = "root ::= \"" + std::string(canary) + "\"";
        dbs_grammar *     grammar = nullptr;
        CHECK_STATUS(DBS_OK, dbs_grammar_new(demo.vocab, gbnf.data(), gbnf.size(), &grammar));
        dbs_grammar_free(grammar);
        const std::string broken = gbnf + " | nothing";
        CHECK_STATUS(DBS_BAD_GRAMMAR, dbs_grammar_new(demo.vocab, broken.data(), broken.size(), &grammar));
        const std::string schema = R"({"type":"object","properties":{")" + std::string(canary) + R"(":{"pattern":"x","type":"string"}}})";
        dbs_text *        text   = nullptr;
        dbs_schema_to_grammar(schema.data(), schema.size(), &text);
        dbs_text_free(text);
        request.messages = "[{\"role\":\"user\",\"content\":[\"" + std::string(canary) + "\"]}]";
        dbs_chat * none  = nullptr;
        CHECK(request.apply(templates, &none) != DBS_OK);
    }
    volatile char * wipe = canary;
    for (size_t i = 0; i < sizeof(canary); i++) {
        wipe[i] = 0;
    }
}

void a_request_leaves_nothing_on_the_heap(const Demo & demo, dbs_templates * templates) {
    run_request_with_canary(demo, templates);
    char needle[sizeof(shifted)] = {};
    put_canary(needle);
    // One occurrence is the needle itself.
    const int hits = hits_in_memory(needle, sizeof(shifted) - 1) - 1;
    if (hits != 0) {
        std::printf("the canary is still in memory, %d times\n", hits);
    }
    CHECK(hits == 0);
}

#endif

} // namespace

void test_memory(const Demo & demo) {
    every_delete_zeroes();
#if defined(__linux__)
    dbs_templates * templates = templates_of(demo);
    a_request_leaves_nothing_on_the_heap(demo, templates);
    dbs_templates_free(templates);
#else
    (void) demo;
#endif
}
