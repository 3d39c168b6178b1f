package dev.darkbloom.agent.endtoend;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** An agent in a process of its own, as a person would start it, with a home and a cache of its own. Closing it leaves no process behind. */
final class AgentProcess implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();

    private final Path home;
    private final Process process;
    private final Path output;
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final URI base;
    private final String key;

    private AgentProcess(Path home, Process process, Path output) throws IOException {
        this.home = home;
        this.process = process;
        this.output = output;
        Path record = home.resolve("local.json");
        try {
            Awaitility.await("the endpoint to open").atMost(Duration.ofSeconds(60)).until(() -> Files.exists(record) || !process.isAlive());
            if (!process.isAlive()) {
                throw new IllegalStateException("the agent ended with " + process.exitValue() + ": " + Files.readString(output));
            }
        } catch (RuntimeException e) {
            process.destroyForcibly();
            throw e;
        }
        JsonNode discovery = JSON.readTree(record.toFile());
        base = URI.create(discovery.get("base_url").asText() + "/");
        key = discovery.get("api_key").asText();
    }

    /** Starts {@code start --local --port 0} with further arguments; {@code folder} is the test's own. */
    static AgentProcess start(Path folder, String... arguments) throws IOException {
        return start(folder, List.of(), arguments);
    }

    /** Starts it with options that stand before the verb, such as {@code -v}. */
    static AgentProcess start(Path folder, List<String> globalOptions, String... arguments) throws IOException {
        return start(folder, globalOptions, "", List.of("--local"), arguments);
    }

    /**
     * Starts one that serves a coordinator at {@code url}, and this machine's own clients besides.
     *
     * @param settings TOML, lines of the table {@code coordinator}
     */
    static AgentProcess startServing(Path folder, List<String> globalOptions, String url, String settings, String... arguments)
            throws IOException {
        return start(folder, globalOptions, "[coordinator]\n" + settings, List.of("--coordinator-url", url, "--local-endpoint"), arguments);
    }

    private static AgentProcess start(Path folder, List<String> globalOptions, String settings, List<String> audience, String... arguments)
            throws IOException {
        Path home = folder.resolve("home");
        var command = new ArrayList<>(command());
        // Whatever is written to no place of the agent's own is the test's to look at as well.
        command.add(1, "-Djava.io.tmpdir=" + Files.createDirectories(folder.resolve("tmp")));
        command.addAll(globalOptions);
        command.add("start");
        command.addAll(audience);
        command.addAll(List.of("--port", "0"));
        command.addAll(List.of(arguments));
        // These tests run on machines that do other things as well, where a calibration finds one setting today and another tomorrow, and where
        // prompts would be cut into steps by the speed of the moment: other sums are rounded then, and a close decision may fall otherwise.
        Files.createDirectories(home);
        Files.writeString(home.resolve("agent.toml"), "[backend]\ncalibration = \"off\"\nprefill_chunk_tokens = 512\n" + settings);
        Path output = folder.resolve("output.txt");
        return new AgentProcess(home, builder(folder, command).redirectOutput(output.toFile()).start(), output);
    }

    private static ProcessBuilder builder(Path folder, List<String> command) {
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("DARKBLOOM_AGENT_HOME", folder.resolve("home").toString());
        builder.environment().put("DARKBLOOM_AGENT_CACHE", folder.resolve("cache").toString());
        builder.environment().put("GGML_NO_BACKTRACE", "1");
        return builder;
    }

    /** Runs another verb towards the agent, as its owner would; returns all that it prints. */
    String run(String... arguments) throws IOException, InterruptedException {
        var command = new ArrayList<>(command());
        command.addAll(List.of(arguments));
        Process verb = builder(home.getParent(), command).start();
        String printed = new String(verb.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        verb.waitFor();
        return printed;
    }

    /** Returns the command line of an agent in a process of its own, up to its verb. */
    static List<String> command() {
        return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--enable-native-access=ALL-UNNAMED", "-Xmx512m",
                "-Ddarkbloom.native.lib=" + System.getProperty("darkbloom.native.lib"), "-cp", classPathWithoutTests(), "dev.darkbloom.agent.Main");
    }

    /** The process gets what a user has: without test classes and their logback-test.xml. */
    private static String classPathWithoutTests() {
        String separator = System.getProperty("path.separator");
        return String.join(separator, Stream.of(System.getProperty("java.class.path").split(separator))
                .filter(entry -> !entry.endsWith("test-classes")).toList());
    }

    long pid() {
        return process.pid();
    }

    Path home() {
        return home;
    }

    /** Returns where everything the process printed is kept. */
    Path output() {
        return output;
    }

    int port() {
        return base.getPort();
    }

    String key() {
        return key;
    }

    /** Returns a request to a path below {@code /v1}, or to one of the root when it begins with a slash. */
    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(base.resolve(path)).header("Authorization", "Bearer " + key).header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(120));
    }

    HttpResponse<String> post(String path, String body) throws IOException, InterruptedException {
        return client.send(request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build(), HttpResponse.BodyHandlers.ofString());
    }

    HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return client.send(request(path).GET().build(), HttpResponse.BodyHandlers.ofString());
    }

    /** Posts and returns the answer's JSON, after a look at the status. */
    JsonNode ask(String path, String body) throws IOException, InterruptedException {
        HttpResponse<String> response = post(path, body);
        if (response.statusCode() != 200) {
            throw new AssertionError(response.statusCode() + ": " + response.body());
        }
        return JSON.readTree(response.body());
    }

    /** Returns the data of each event of a streamed answer, {@code [DONE]} included. */
    List<String> stream(String path, String body) throws IOException, InterruptedException {
        HttpResponse<Stream<String>> response =
                client.send(request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build(), HttpResponse.BodyHandlers.ofLines());
        try (Stream<String> lines = response.body()) {
            return lines.filter(line -> line.startsWith("data: ")).map(line -> line.substring(6)).toList();
        }
    }

    /** Returns a gauge or counter of {@code /metrics}, all label sets added up. */
    double metric(String name) throws IOException, InterruptedException {
        double[] values = get("/metrics").body().lines().filter(line -> line.startsWith(name + " ") || line.startsWith(name + "{"))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1))).toArray();
        if (values.length == 0) {
            throw new AssertionError("there is no metric " + name);
        }
        return DoubleStream.of(values).sum();
    }

    @Override
    public void close() {
        client.close();
        process.destroy();
        try {
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                throw new AssertionError("the agent did not stop within 20 s of SIGTERM");
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
