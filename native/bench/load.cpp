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
  --unique            number the questions, so that no two prompts are the same

Prints one JSON line: answers that failed (their tokens are not counted), tokens per second of all streams together, time to first token, gaps between tokens.
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
    std::string              prefix;
    std::vector<std::string> prompts{ "Tell me a story." };
};

struct samples {
    std::vector<double> ttft; // ms
    std::vector<double> itl;  // ms
    int64_t             tokens = 0;
    int                 failed = 0;
};

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
        parsed_ = 0;
        done_   = false;
        tokens_ = 0;
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
            failed_ = !done_;
            return true;
        }
        in_.append(buffer, static_cast<size_t>(n));
        const double time = now_ms();
        size_t       end;
        while ((end = in_.find('\n', parsed_)) != std::string::npos) {
            const std::string_view line(in_.data() + parsed_, end - parsed_);
            parsed_ = end + 1;
            if (line.rfind("data: ", 0) == 0) {
                done_ = done_ || line.rfind("data: [DONE]", 0) == 0;
                event(line.substr(6), time);
            }
        }
        if (in_.rfind("HTTP/1.1 200", 0) != 0 && in_.size() > 12) {
            disconnect();
            failed_ = true;
            return true;
        }
        return false;
    }

    void collect(samples & into) const {
        if (failed_) {
            into.failed++;
            return;
        }
        into.ttft.push_back(first_ - sent_);
        into.itl.insert(into.itl.end(), gaps_.begin(), gaps_.end());
        into.tokens += tokens_;
    }

  private:
    void event(std::string_view json, double time) {
        const size_t usage_at = json.find("\"completion_tokens\":");
        if (usage_at != std::string_view::npos) {
            tokens_ = std::strtoll(json.data() + usage_at + 20, nullptr, 10);
        }
        const bool has_text = json.find("\"content\":\"") != std::string_view::npos && json.find("\"content\":\"\"") == std::string_view::npos;
        if (!has_text) {
            return;
        }
        if (first_ == 0) {
            first_ = time;
        } else {
            gaps_.push_back(time - last_);
        }
        last_ = time;
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
    std::string         in_;
    size_t              parsed_ = 0;
    int64_t             tokens_ = 0;
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
        } else if (option == "--max-tokens") {
            s.max_tokens = std::atoi(value);
        } else if (option == "--prefix") {
            if (!read_file(value, s.prefix)) {
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
    if (s.warmup > 0 && !run(streams, s.warmup, 0, ignored)) {
        std::fprintf(stderr, "llama-load: no answer from port %d\n", s.port);
        return 1;
    }
    const double begin = now_ms();
    if (!run(streams, s.requests, s.warmup, counted)) {
        std::fprintf(stderr, "llama-load: lost the server on port %d\n", s.port);
        return 1;
    }
    const double seconds = (now_ms() - begin) / 1000;
    std::printf("{\"streams\":%d,\"requests\":%d,\"failed\":%d,\"tokens\":%lld,\"seconds\":%.3f,\"tokens_per_second\":%.2f,"
                "\"ttft_ms_p50\":%.2f,\"ttft_ms_p95\":%.2f,\"itl_ms_p50\":%.3f,\"itl_ms_p95\":%.3f,\"itl_ms_p99\":%.3f}\n",
                s.streams, s.requests, counted.failed, static_cast<long long>(counted.tokens), seconds,
                static_cast<double>(counted.tokens) / seconds, percentile(counted.ttft, 0.5), percentile(counted.ttft, 0.95),
                percentile(counted.itl, 0.5), percentile(counted.itl, 0.95), percentile(counted.itl, 0.99));
    return counted.ttft.empty() ? 1 : 0;
}
