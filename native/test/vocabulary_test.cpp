#include "check.h"

void test_vocabulary(const Demo & demo) {
    // The table of pieces puts a text together again.
    const std::string    sentence = "Hello, Darkbloom! \xF0\x9F\x8C\xB8 2 + 2";
    std::vector<int32_t> tokens   = demo.tokens(sentence);
    std::string          joined;
    for (const int32_t token : tokens) {
        joined += demo.piece(token);
    }
    CHECK(joined == sentence);

    dbs_pieces_view view;
    dbs_pieces_get(demo.pieces, &view);
    CHECK(view.n_tokens == llama_vocab_n_tokens(demo.vocab));
    CHECK(view.max_piece > 4);
    CHECK(demo.ends_generation(llama_vocab_eos(demo.vocab)));
    CHECK((view.flags[llama_vocab_eos(demo.vocab)] & DBS_TOKEN_CONTROL) != 0);

    // Special text is one token only where it is to be read as such.
    CHECK(demo.tokens("<|im_end|>").size() == 1);
    int32_t n = 0;
    int32_t room[32];
    CHECK_STATUS(DBS_OK, dbs_tokenize(demo.vocab, "<|im_end|>", 10, room, 32, false, false, &n));
    CHECK(n > 1);

    // Too small a buffer tells the count; nothing to read is nothing.
    CHECK_STATUS(DBS_TOO_SMALL, dbs_tokenize(demo.vocab, sentence.data(), sentence.size(), room, 1, true, true, &n));
    CHECK(n == static_cast<int32_t>(tokens.size()));
    CHECK_STATUS(DBS_TOO_SMALL, dbs_tokenize(demo.vocab, sentence.data(), sentence.size(), nullptr, 0, true, true, &n));
    CHECK(n == static_cast<int32_t>(tokens.size()));
    CHECK_STATUS(DBS_OK, dbs_tokenize(demo.vocab, nullptr, 0, room, 32, true, true, &n));
    CHECK(n == 0);
    CHECK_STATUS(DBS_OK, dbs_tokenize(demo.vocab, "\xff\xfe\xc3", 3, room, 32, true, true, &n));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_tokenize(nullptr, "a", 1, room, 32, true, true, &n));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_tokenize(demo.vocab, nullptr, 1, room, 32, true, true, &n));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_tokenize(demo.vocab, "a", 1, nullptr, 4, true, true, &n));

    dbs_pieces * none = nullptr;
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_pieces_new(nullptr, &none));
    dbs_pieces_free(nullptr);
}
