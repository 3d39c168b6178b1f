// Reading of command lines; what does not fit ends the program with exit code 2 and a line that says so.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

[[noreturn]] inline void fail(const std::string & message) {
    std::fprintf(stderr, "%s: %s\n", BENCH_PROGRAM, message.c_str());
    std::exit(2);
}

/** The words of a command line, taken from left to right. */
class Arguments {
  public:
    Arguments(int argc, char ** argv) : argc(argc), argv(argv) {}

    /** Goes to the next option; false at the end. */
    bool next() {
        if (++at >= argc) {
            return false;
        }
        option = argv[at];
        return true;
    }

    const std::string & name() const { return option; }

    std::string value() {
        if (++at >= argc) {
            fail(option + " wants a value; see --help");
        }
        return argv[at];
    }

    int number(int least) { return parsed(value(), least); }

    /** A list of numbers with commas between them. */
    std::vector<int> numbers(int least) {
        const std::string all = value();
        std::vector<int>  out;
        size_t            from = 0;
        while (from <= all.size()) {
            const size_t comma = std::min(all.find(',', from), all.size());
            out.push_back(parsed(all.substr(from, comma - from), least));
            from = comma + 1;
        }
        return out;
    }

    std::string one_of(const std::vector<std::string> & names) {
        const std::string text = value();
        if (std::find(names.begin(), names.end(), text) == names.end()) {
            fail(option + " does not know '" + text + "'; see --help");
        }
        return text;
    }

  private:
    int parsed(const std::string & text, int least) const {
        char *     end  = nullptr;
        const long read = std::strtol(text.c_str(), &end, 10);
        if (*end != '\0' || text.empty() || read < least || read > 100000000) {
            fail(option + " wants a number of at least " + std::to_string(least) + ", not '" + text + "'");
        }
        return static_cast<int>(read);
    }

    int         argc;
    char **     argv;
    int         at = 0;
    std::string option;
};
