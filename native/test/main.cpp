// Exercises every entry of the shim on the demo model. Usage: shim-test LIBRARY-DIR MODEL TEMPLATE-DIR GOLDEN-FILE [1|2]
//
// With a number only that half, so that two processes can share the work. // Output is one line at the end, and one more for each check that did not hold.

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <unistd.h>

#include "ggml-backend.h"

#include "check.h"

int main(int argc, char ** argv) {
    const int part = argc == 6 ? std::atoi(argv[5]) : 0;
    if (argc < 5 || argc > 6 || part < 0 || part > 2) {
        std::fprintf(stderr, "usage: %s LIBRARY-DIR MODEL TEMPLATE-DIR GOLDEN-FILE [1|2]\n", argv[0]);
        return 2;
    }
    Demo demo;
    demo.path = argv[2];
    if (FILE * file = std::fopen(argv[2], "rb")) {
        std::fclose(file);
    } else {
        std::printf("native: shim test skipped, there is no %s\n", argv[2]);
        return 0;
    }
    // Whatever is written to stderr from here on is text that should have stayed inside.
    FILE *    written   = std::tmpfile();
    const int real_err  = dup(2);
    dup2(fileno(written), 2);
    dbs_log_set(dbs_log_discard, nullptr);
    ggml_backend_load_all_from_path(argv[1]);
    llama_backend_init();

    CHECK(dbs_abi_version() == DBS_ABI_VERSION);
    CHECK(std::string(dbs_llama_tag()).substr(1) == std::string(llama_version()).substr(0, std::string(dbs_llama_tag()).size() - 1));
    size_t             n_layouts = 0;
    const dbs_layout * layouts   = dbs_layouts(&n_layouts);
    CHECK(n_layouts > 100 && std::string(layouts[0].name) == "llama_batch" && layouts[0].value == sizeof(llama_batch));

    const char *       paths[] = { argv[2] };
    llama_model_params params  = llama_model_default_params();
    CHECK_STATUS(DBS_OK, dbs_model_load(paths, 1, &params, &demo.model));
    if (demo.model == nullptr) {
        return 1;
    }
    demo.vocab = llama_model_get_vocab(demo.model);
    CHECK_STATUS(DBS_OK, dbs_pieces_new(demo.vocab, &demo.pieces));

    const std::string templates = argv[3];
    const std::string goldens   = argv[4];
    struct Group {
        int                   part; // those of one part take about as long as those of the other
        std::function<void()> run;
    };
    const Group groups[] = {
        { 1, [&] { test_vocabulary(demo); } },
        { 1, [&] { test_tokenizing(demo, templates + "/.."); } },
        { 1, [&] { test_sampling(demo); } },
        { 1, [&] { test_grammars(demo); } },
        { 1, [&] { test_schemas(demo); } },
        { 1, [&] { test_constraints(demo, templates + "/../.."); } },
        { 1, [] { test_triggers(); } },
        { 1, [&] { test_chat(demo); } },
        { 1, [&] { test_parser(demo); } },
        { 1, [&] { test_models(demo); } },
        { 1, [&] { test_memory(demo); } },
        { 1, [&] { test_hostile(demo); } },
        { 1, [&] { test_tools(demo, templates); } },
        { 2, [&] { test_response_formats(demo, templates); } },
        { 2, [&] { test_arguments(demo, templates); } },
        { 1, [&] { test_history(demo, templates); } },
        { 1, [&] { test_goldens(demo, templates, goldens); } },
        { 2, [&] { test_templates(demo, templates); } },
    };
    for (const Group & group : groups) {
        if (part == 0 || part == group.part) {
            group.run();
        }
    }

    std::fflush(stderr);
    dup2(real_err, 2);
    CHECK(lseek(fileno(written), 0, SEEK_END) == 0);
    std::fclose(written);

    dbs_pieces_free(demo.pieces);
    llama_model_free(demo.model);
    llama_backend_free();
    if (failures > 0) {
        std::printf("native: %d of %d checks of the shim failed\n", failures, checks);
        return 1;
    }
    std::printf("native: shim test passed, %d checks, %llu bytes zeroed\n", checks, static_cast<unsigned long long>(dbs_zeroed_bytes()));
    return 0;
}
