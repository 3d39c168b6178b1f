// Exercises every entry of the shim on the demo model. Usage: shim-test LIBRARY-DIR MODEL TEMPLATE-DIR GOLDEN-FILE
//
// Output is one line at the end, and one more for each check that did not hold.

#include <cstdio>

#include <unistd.h>

#include "ggml-backend.h"

#include "check.h"

int main(int argc, char ** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s LIBRARY-DIR MODEL TEMPLATE-DIR GOLDEN-FILE\n", argv[0]);
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

    test_vocabulary(demo);
    test_tokenizing(demo, std::string(argv[3]) + "/..");
    test_sampling(demo);
    test_grammars(demo);
    test_schemas(demo);
    test_constraints(demo, std::string(argv[3]) + "/../..");
    test_triggers();
    test_chat(demo);
    test_parser(demo);
    test_models(demo);
    test_memory(demo);
    test_hostile(demo);
    test_tools(demo, argv[3]);
    test_response_formats(demo, argv[3]);
    test_arguments(demo, argv[3]);
    test_history(demo, argv[3]);
    test_goldens(demo, argv[3], argv[4]);
    test_templates(demo, argv[3]);

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
