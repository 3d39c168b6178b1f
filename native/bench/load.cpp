// Asks a chat endpoint from N connections at once and tells how fast the answers came. One thread and one poll loop: it runs on the
// same cores as the server it measures, so it has to be cheap.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

const char * usage = R"(usage: llama-load --port N --model ID [options]

  --port N            port of an OpenAI-compatible server on 127.0.0.1
  --key KEY           bearer token
  --model ID          model to ask for
  --streams N         connections that ask at the same time (1)
  --requests N        requests in all, not counting the warm-up (4 x streams)
  --warmup N          requests before the clock starts (streams)
  --max-tokens N      tokens per answer; the end of generation is ignored (200)
  --prompts FILE      one question per line, used in turn (a built-in one)
  --prefix FILE       text put before every question, for prompts that share a beginning
  --members FILE      JSON members put into every request, such as "tools":[...]
  --unique            number the questions, so that no two prompts are the same
  --first N           number of the first question (0)

Prints one JSON line: answers that failed, tokens per second of all streams together, time to first text, gaps between arrivals of text, time per
token of an answer behind its first text, and the share of one core that this program took itself. Tokens are what the server's usage says, however many it puts into an event or a write; an
answer without usage, or broken off, has failed, and its tokens are not counted.
)";

using clock_type = std::chrono::steady_clock;

double now_ms() {
    return std::chrono::duration<double, std::milli>(clock_type::now().time_since_epoch()).count();
}

struct settings {
    int                      port       = 0;
    std::string              key;
    std::string              model;
    int                      streams    = 1;
    int                      requests   = 0;
    int                      warmup     = -1;
    int                      max_tokens = 200;
    bool                     unique     = false;
    int                      first      = 0;
    std::string              prefix;
    std::string              members;
    std::vector<std::string> prompts{ "Tell me a story." };
};

struct samples {
    std::vector<double> ttft; // ms
    std::vector<double> itl;  // ms
    double              writing_ms = 0; // from the first text of each answer to its last
    int64_t             tokens = 0;
    int64_t             events = 0; // with text
    int                 failed = 0;
};

/** Processor time that this program has used, in seconds. */
double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval & t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void append_escaped(std::string & out, std::string_view text) {
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += c;
        }
    }
}

std::string request_of(const settings & s, int number) {
    std::string body = "{\"model\":\"";
    append_escaped(body, s.model);
    body += "\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":";
    body += std::to_string(s.max_tokens);
    if (!s.members.empty()) {
        body += "," + s.members;
    }
    body += ",\"chat_template_kwargs\":{\"enable_thinking\":false},\"messages\":[{\"role\":\"user\",\"content\":\"";
    append_escaped(body, s.prefix);
    if (s.unique) {
        append_escaped(body, "(" + std::to_string(number) + ") ");
    }
    append_escaped(body, s.prompts[static_cast<size_t>(number) % s.prompts.size()]);
    body += "\"}]}";
    std::string head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(s.port) + "\r\nContent-Type: application/json\r\nConnection: close\r\n";
    if (!s.key.empty()) {
        head += "Authorization: Bearer " + s.key + "\r\n";
    }
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return head + body;
}

// One request at a time, each on a connection of its own: not every server keeps one open after a stream.
class stream {
  public:
    explicit stream(const settings & s) : settings_(s) {}

    ~stream() { disconnect(); }

    stream(const stream &)             = delete;
    stream & operator=(const stream &) = delete;

    int  descriptor() const { return fd_; }
    bool is_busy() const { return busy_; }

    bool start(int number) {
        if (fd_ < 0 && !connect_to()) {
            return false;
        }
        const std::string request = request_of(settings_, number);
        in_.clear();
        done_     = false;
        failed_   = false;
        accepted_ = false;
        tokens_   = 0;
        events_   = 0;
        sent_   = now_ms();
        last_   = 0;
        first_  = 0;
        gaps_.clear();
        size_t done = 0;
        while (done < request.size()) {
            const ssize_t n = send(fd_, request.data() + done, request.size() - done, 0);
            if (n <= 0) {
                disconnect();
                return false;
            }
            done += static_cast<size_t>(n);
        }
        busy_ = true;
        return true;
    }

    // Reads what is there; true when the answer has ended, well or badly.
    bool read_some() {
        char          buffer[1 << 16];
        const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) {
            disconnect();
            failed_ = !done_ || tokens_ == 0;
            return true;
        }
        const double time = now_ms();
        // A line that ends in this read is looked at where it lies; only one that is broken off is kept.
        std::string_view rest(buffer, static_cast<size_t>(n));
        if (!in_.empty()) {
            const size_t end = rest.find('\n');
            in_.append(rest.substr(0, end));
            if (end == std::string_view::npos) {
                return false;
            }
            rest.remove_prefix(end + 1);
            const std::string joined = std::move(in_);
            in_.clear();
            line(joined, time);
        }
        for (size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
            line(rest.substr(0, end), time);
        }
        in_.assign(rest);
        if (failed_) {
            disconnect();
        }
        return failed_;
    }

    void collect(samples & into) const {
        if (failed_) {
            into.failed++;
            return;
        }
        into.ttft.push_back(first_ - sent_);
        into.itl.insert(into.itl.end(), gaps_.begin(), gaps_.end());
        into.writing_ms += last_ - first_;
        into.tokens += tokens_;
        into.events += events_;
    }

  private:
    void line(std::string_view text, double time) {
        if (!accepted_) { // the status line comes first
            accepted_ = true;
            failed_   = text.rfind("HTTP/1.1 200", 0) != 0;
        } else if (text.rfind("data: {", 0) == 0) {
            event(text.substr(6), time);
        } else if (text.rfind("data: [DONE]", 0) == 0) {
            done_ = true;
        }
    }

    void event(std::string_view json, double time) {
        constexpr std::string_view content = "\"content\":\"";
        const size_t               at      = json.find(content);
        if (at != std::string_view::npos && at + content.size() < json.size() && json[at + content.size()] != '"') {
            events_++;
            if (first_ == 0) {
                first_ = time;
            } else {
                gaps_.push_back(time - last_);
            }
            last_ = time;
        }
        // Usage rides at the end of the last event with text, or on one of its own.
        constexpr std::string_view usage = "\"completion_tokens\":";
        const size_t               told  = json.rfind("\"usage\":{");
        if (told != std::string_view::npos) {
            const size_t number = json.find(usage, told);
            if (number != std::string_view::npos) {
                tokens_ = std::strtoll(json.data() + number + usage.size(), nullptr, 10);
            }
        }
    }

    bool connect_to() {
        fd_ = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family      = AF_INET;
        address.sin_port        = htons(static_cast<uint16_t>(settings_.port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int one           = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
            disconnect();
            return false;
        }
        return true;
    }

    void disconnect() {
        if (fd_ >= 0) {
            close(fd_);
        }
        fd_   = -1;
        busy_ = false;
    }

    const settings &    settings_;
    int                 fd_     = -1;
    bool                busy_   = false;
    bool                failed_ = false;
    bool                done_   = false;
    bool                accepted_ = false; // the status line has come
    std::string         in_;               // a line that is not whole yet
    int64_t             tokens_ = 0;
    int64_t             events_ = 0;
    double              sent_   = 0;
    double              first_  = 0;
    double              last_   = 0;
    std::vector<double> gaps_;
};

// Runs `count` requests over the streams; false when a connection could not be made.
bool run(std::deque<stream> & streams, int count, int first_number, samples & into) {
    int started = 0;
    int ended   = 0;
    for (auto & each : streams) {
        if (started < count && !each.start(first_number + started++)) {
            return false;
        }
    }
    std::vector<pollfd> polled;
    while (ended < count) {
        polled.clear();
        std::vector<stream *> waiting;
        for (auto & each : streams) {
            if (each.is_busy()) {
                polled.push_back({ each.descriptor(), POLLIN, 0 });
                waiting.push_back(&each);
            }
        }
        if (polled.empty() || poll(polled.data(), polled.size(), 600000) <= 0) {
            return false;
        }
        for (size_t i = 0; i < polled.size(); i++) {
            if (polled[i].revents == 0 || !waiting[i]->read_some()) {
                continue;
            }
            waiting[i]->collect(into);
            ended++;
            if (started < count && !waiting[i]->start(first_number + started++)) {
                return false;
            }
        }
    }
    return true;
}

double percentile(std::vector<double> & values, double share) {
    if (values.empty()) {
        return 0;
    }
    std::sort(values.begin(), values.end());
    const size_t at = std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())));
    return values[at];
}

bool read_file(const char * path, std::string & out) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return false;
    }
    out.assign(std::istreambuf_iterator<char>(file), {});
    return true;
}

bool parse(int argc, char ** argv, settings & s) {
    for (int i = 1; i < argc; i++) {
        const std::string option = argv[i];
        if (option == "--unique") {
            s.unique = true;
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const char * value = argv[++i];
        if (option == "--port") {
            s.port = std::atoi(value);
        } else if (option == "--key") {
            s.key = value;
        } else if (option == "--model") {
            s.model = value;
        } else if (option == "--streams") {
            s.streams = std::atoi(value);
        } else if (option == "--requests") {
            s.requests = std::atoi(value);
        } else if (option == "--warmup") {
            s.warmup = std::atoi(value);
        } else if (option == "--first") {
            s.first = std::atoi(value);
        } else if (option == "--max-tokens") {
            s.max_tokens = std::atoi(value);
        } else if (option == "--prefix") {
            if (!read_file(value, s.prefix)) {
                return false;
            }
        } else if (option == "--members") {
            if (!read_file(value, s.members)) {
                return false;
            }
        } else if (option == "--prompts") {
            std::ifstream file(value);
            std::string   line;
            s.prompts.clear();
            while (std::getline(file, line)) {
                s.prompts.push_back(line);
            }
        } else {
            return false;
        }
    }
    if (s.requests == 0) {
        s.requests = 4 * s.streams;
    }
    if (s.warmup < 0) {
        s.warmup = s.streams;
    }
    return s.port > 0 && !s.model.empty() && s.streams > 0 && !s.prompts.empty();
}

} // namespace

int main(int argc, char ** argv) {
    settings s;
    if (!parse(argc, argv, s)) {
        std::fputs(usage, stderr);
        return 2;
    }
    std::deque<stream> streams;
    for (int i = 0; i < s.streams; i++) {
        streams.emplace_back(s);
    }
    samples ignored;
    samples counted;
    if (s.warmup > 0 && !run(streams, s.warmup, s.first, ignored)) {
        std::fprintf(stderr, "llama-load: no answer from port %d\n", s.port);
        return 1;
    }
    const double begin     = now_ms();
    const double cpu_begin = cpu_seconds();
    if (!run(streams, s.requests, s.first + s.warmup, counted)) {
        std::fprintf(stderr, "llama-load: lost the server on port %d\n", s.port);
        return 1;
    }
    const double seconds = (now_ms() - begin) / 1000;
    const double cpu     = cpu_seconds() - cpu_begin;
    std::printf("{\"streams\":%d,\"requests\":%d,\"failed\":%d,\"tokens\":%lld,\"seconds\":%.3f,\"tokens_per_second\":%.2f,"
                "\"ttft_ms_p50\":%.2f,\"ttft_ms_p95\":%.2f,\"itl_ms_p50\":%.3f,\"itl_ms_p95\":%.3f,\"itl_ms_p99\":%.3f,\"token_ms\":%.4f,\"events\":%lld,\"client_cpu_share\":%.3f}\n",
                s.streams, s.requests, counted.failed, static_cast<long long>(counted.tokens), seconds,
                static_cast<double>(counted.tokens) / seconds, percentile(counted.ttft, 0.5), percentile(counted.ttft, 0.95),
                percentile(counted.itl, 0.5), percentile(counted.itl, 0.95), percentile(counted.itl, 0.99),
                counted.writing_ms / std::max<double>(1, static_cast<double>(counted.tokens) - s.requests), static_cast<long long>(counted.events),
                cpu / seconds);
    return counted.ttft.empty() ? 1 : 0;
}
