// What every chat template of the source tree makes of one conversation with tools, held against recorded answers.
//
// Recorded are the fingerprints of the prompt and of the grammar, what the grammar waits for, and how sample outputs of the format are read: taken from the template's
// own rendering of an assistant message with a thought and two calls, and of one with one call, and those written by hand in samples.txt, which also
// says what is to be read in them. The output is read whole, byte by byte and in pieces of random sizes.
//
// With GOLDENS_WRITE in the environment the file is written anew; look at what changed.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "chat.h"
#include "own_tools.h"
#include "request.h"

namespace {

constexpr const char * question = R"({"role":"user","content":"Weather in Paris and Rome?"})";
constexpr const char * one_call = R"({"role":"assistant","content":"","tool_calls":[
    {"id":"abc123456","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}}]})";
constexpr const char * answer   = R"({"role":"assistant","content":"","reasoning_content":"Two cities, two calls.","tool_calls":[
    {"id":"abc123456","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}},
    {"id":"def123456","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Rome\"}"}}]})";

/** FNV-1a, so that the file stays small. */
std::string fingerprint(const std::string & text) {
    uint64_t hash = 14695981039346656037u;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    char out[40];
    std::snprintf(out, sizeof(out), "%zu:%016llx", text.size(), static_cast<unsigned long long>(hash));
    return out;
}

std::string on_one_line(const std::string & text) {
    std::string out;
    for (const char c : text) {
        out += c == '\n' ? "\\n" : std::string(1, c);
    }
    return out;
}

std::string with_line_ends(const std::string & text) {
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        const bool is_end = text[i] == '\\' && i + 1 < text.size() && text[i + 1] == 'n';
        out += is_end ? '\n' : text[i];
        i += is_end ? 1 : 0;
    }
    return out;
}

/** What a client has once all deltas are put together. Calls' ids are left out: formats without one get a new one each time. */
struct Reading {
    int32_t                  status = DBS_OK;
    std::string              reasoning;
    std::string              content;
    std::vector<std::string> calls;

    std::string text() const {
        std::string out = "status " + std::to_string(status) + ", reasoning [" + reasoning + "], content [" + content + "]";
        for (const std::string & call : calls) {
            out += ", " + call;
        }
        return on_one_line(out);
    }
};

Reading reading_of(const dbs_chat * chat, const std::string & raw, const std::vector<size_t> & pieces) {
    dbs_parser * parser = nullptr;
    Reading      out;
    CHECK_STATUS(DBS_OK, dbs_parser_new(chat, 1, &parser));
    size_t at = 0;
    for (size_t i = 0; i < pieces.size(); i++) {
        const dbs_delta * deltas = nullptr;
        size_t            n      = 0;
        out.status               = dbs_parser_feed(parser, raw.data() + at, pieces[i], i + 1 == pieces.size() ? 1 : 0, &deltas, &n);
        at += pieces[i];
        for (size_t k = 0; k < n; k++) {
            const std::string piece = text(deltas[k].text);
            switch (deltas[k].kind) {
                case DBS_DELTA_REASONING: out.reasoning += piece; break;
                case DBS_DELTA_CONTENT: out.content += piece; break;
                case DBS_DELTA_TOOL_BEGIN: out.calls.push_back(piece + "("); break;
                default: out.calls[static_cast<size_t>(deltas[k].tool_index)] += piece;
            }
        }
    }
    dbs_parser_free(parser);
    for (std::string & call : out.calls) {
        call += ")";
    }
    return out;
}

Reading read_in_every_way(const dbs_chat * chat, const std::string & raw) {
    const Reading whole = reading_of(chat, raw, { raw.size() });
    const Reading bytes = reading_of(chat, raw, std::vector<size_t>(raw.size(), 1));
    if (whole.status != DBS_OK) {
        // What turns out not to parse has been handed out as far as it did; some templates render calls that upstream does not read.
        CHECK(bytes.status != DBS_OK);
        return whole;
    }
    CHECK(bytes.text() == whole.text());
    std::vector<size_t> pieces;
    uint32_t            state = 12345;
    for (size_t left = raw.size(); left > 0;) {
        state = state * 1664525u + 1013904223u;
        pieces.push_back(std::min<size_t>(left, 1 + (state >> 24) % 9));
        left -= pieces.back();
    }
    CHECK(reading_of(chat, raw, pieces).text() == whole.text());
    return whole;
}

/** A sample by hand: a word for what is to be read in it (samples.txt says which there are), and the text. */
struct Sample {
    std::string kind;
    std::string text;

    bool is_odd() const { return kind.rfind("odd-", 0) == 0; }
};

std::map<std::string, std::vector<Sample>> samples_in(const std::string & path) {
    std::map<std::string, std::vector<Sample>> out;
    std::ifstream                              file(path);
    std::string                                name;
    for (std::string line; std::getline(file, line);) {
        const size_t space = line.find(' ');
        if (line.empty() || line[0] == '#' || space == std::string::npos) {
            continue;
        }
        if (line.rfind("== ", 0) == 0) {
            name = line.substr(3);
        } else {
            out[name].push_back({ line.substr(0, space), with_line_ends(line.substr(space + 1)) });
        }
    }
    return out;
}

/** Without the spaces that formats and models put into arguments. */
std::string without_spaces(const std::string & text) {
    std::string out;
    std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char c) { return c != ' ' && c != '\n'; });
    return out;
}

/** Whether a sample reads as its kind says, "odd-" left out. */
bool is_read(const Sample & sample, const Reading & reading) {
    std::string kind   = sample.kind.substr(sample.is_odd() ? 4 : 0);
    const bool  thinks = kind.rfind("thought-", 0) == 0;
    kind               = kind.substr(thinks ? 8 : 0);
    std::vector<std::string> calls;
    if (kind == "one" || kind == "two") {
        calls.push_back(R"(get_weather({"city":"Paris"}))");
    }
    if (kind == "two") {
        calls.push_back(R"(get_weather({"city":"Rome"}))");
    }
    std::vector<std::string> read;
    for (const std::string & call : reading.calls) {
        read.push_back(without_spaces(call));
    }
    // Some templates begin the thought themselves, with words of their own.
    const bool thought = thinks ? ends_with(reading.reasoning, "Look outside.") : reading.reasoning.empty();
    return reading.status == DBS_OK && thought && reading.content == (kind == "said" ? "It is sunny in Paris." : "") && read == calls &&
           (kind == "said" || !calls.empty());
}

std::string rendered(dbs_templates * templates, Request request, const std::string & messages, int32_t asks) {
    dbs_chat * chat                      = nullptr;
    request.messages                     = "[" + messages + "]";
    request.inputs.add_generation_prompt = asks;
    const std::string prompt             = request.apply(templates, &chat) == DBS_OK ? prompt_of(chat) : std::string();
    dbs_chat_free(chat);
    return prompt;
}

/** The text that the template writes for the answer, from where a prompt that asks for it ends; empty where that cannot be told. */
std::string sample_of(dbs_templates * templates, const Request & request, const char * answer) {
    const std::string thanks = R"(,{"role":"user","content":"Thanks"})";
    const std::string before = rendered(templates, request, question, 1);
    const std::string all    = rendered(templates, request, std::string(question) + "," + answer + thanks, 0);
    const std::string plain  = rendered(templates, request, std::string(question) + R"(,{"role":"assistant","content":"Sunny."})" + thanks, 0);
    const size_t      end    = all.rfind("Thanks");
    const size_t      said   = plain.rfind("Sunny.");
    if (before.empty() || all.compare(0, before.size(), before) != 0 || end == std::string::npos || said == std::string::npos) {
        return "";
    }
    // What ends a turn, as it stands behind a plain answer, is no part of the answer.
    const std::string turn   = plain.substr(said + 6, plain.rfind("Thanks") - said - 6);
    const std::string sample = all.substr(before.size(), end - before.size());
    return ends_with(sample, turn) ? sample.substr(0, sample.size() - turn.size()) : "";
}

/** The words, tokens and patterns at which a grammar that waits begins. */
std::string triggers_of(const dbs_chat * chat) {
    std::string out;
    for (const common_grammar_trigger & trigger : chat->params.grammar_triggers) {
        out += " [" + std::to_string(trigger.type) + " " + trigger.value + "]";
    }
    return on_one_line(out);
}

std::string golden_of(const Demo & demo, const std::string & source, const std::vector<Sample> & by_hand) {
    // Upstream's strftime_now reads the clock, whatever time it is given: a macro of the same name stands before it.
    const bool      reads_clock = source.find("strftime_now") != std::string::npos;
    dbs_templates * templates   = templates_of(demo, (reads_clock ? "{%- macro strftime_now(format) %}09 Sep 2001{% endmacro %}" : "") + source);
    Request         request("");
    request.messages                   = std::string("[") + question + "]";
    request.tools                      = weather_tools;
    request.inputs.parallel_tool_calls = 1;
    request.inputs.now_seconds         = 1000000000;
    std::string out;
    for (const int32_t choice : { DBS_TOOL_AUTO, DBS_TOOL_REQUIRED }) {
        request.inputs.tool_choice = choice;
        dbs_chat *    chat = request.applied(templates);
        dbs_chat_info info = {};
        dbs_chat_get_info(chat, &info);
        out += std::string(choice == DBS_TOOL_AUTO ? "auto" : "required") + " prompt " + fingerprint(prompt_of(chat)) + " format " +
               std::to_string(info.format) + " grammar " + (info.has_grammar == 1 ? fingerprint(chat->grammar) : "none") + (info.grammar_lazy == 1 ? " from" + triggers_of(chat) : "") + "\n";
        dbs_chat_free(chat);
    }
    for (const int32_t thinking : { 0, 1 }) {
        request.inputs.tool_choice     = DBS_TOOL_AUTO;
        request.inputs.enable_thinking = thinking;
        dbs_chat * chat                = request.applied(templates);
        for (const char * said : { answer, one_call }) {
            const std::string sample = sample_of(templates, request, said);
            // Where such calls are rendered as several messages, they are no one answer.
            const bool is_divided = said == answer && templates->calls_shown == static_cast<int32_t>(dbs::CallsShown::first_only);
            if (!sample.empty() && !is_divided) {
                out += "sample " + on_one_line(sample) + "\nread " + read_in_every_way(chat, sample).text() + "\n";
            }
        }
        out += "read " + read_in_every_way(chat, "It is <b>sunny</b> [in] {Paris}.\n\nReally: \"yes\".").text() + "\n";
        for (const Sample & sample : thinking == 1 ? by_hand : std::vector<Sample>()) {
            const Reading reading = read_in_every_way(chat, sample.text);
            out += "by hand, " + sample.kind + " " + on_one_line(sample.text) + "\nread " + reading.text() + "\n";
            CHECK(is_read(sample, reading) == !sample.is_odd());
            if (is_read(sample, reading) == sample.is_odd()) {
                std::fprintf(stdout, "  %s: %s\n  read %s\n", sample.kind.c_str(), on_one_line(sample.text).c_str(), reading.text().c_str());
            }
        }
        dbs_chat_free(chat);
    }
    dbs_templates_free(templates);
    return out;
}

} // namespace

void test_goldens(const Demo & demo, const std::string & directory, const std::string & golden_file) {
    if (!ends_with(demo.path, "bloom-demo.gguf")) {
        return; // the prompts hold another vocabulary's tokens
    }
    const std::string                          samples_file = std::filesystem::path(golden_file).replace_filename("samples.txt").string();
    std::map<std::string, std::vector<Sample>> samples      = samples_in(samples_file);
    CHECK(samples.size() > 30);
    std::map<std::string, std::string> found;
    for (const auto & entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream     file(entry.path());
        std::stringstream source;
        source << file.rdbuf();
        found[entry.path().filename().string()] = golden_of(demo, source.str(), samples[entry.path().filename().string()]);
    }
    CHECK(samples.size() == found.size()); // otherwise one is for a template that is not there
    std::string all;
    for (const auto & [name, golden] : found) {
        all += "== " + name + "\n" + golden;
    }
    if (std::getenv("GOLDENS_WRITE") != nullptr) {
        std::ofstream(golden_file) << all;
    }
    std::ifstream     file(golden_file);
    std::stringstream recorded;
    recorded << file.rdbuf();
    std::istringstream now(all);
    std::istringstream then(recorded.str());
    std::string        name;
    for (std::string a, b; std::getline(now, a) || std::getline(then, b);) {
        b.clear();
        std::getline(then, b);
        name = a.rfind("== ", 0) == 0 ? a : name;
        CHECK(a == b);
        if (a != b) {
            std::fprintf(stdout, "%s\n  now  %s\n  then %s\n", name.c_str(), a.c_str(), b.c_str());
            break; // what follows is out of step
        }
        a.clear();
    }
    CHECK(found.size() > 60);
}
