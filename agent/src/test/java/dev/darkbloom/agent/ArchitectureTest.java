package dev.darkbloom.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Holds the arrows between the rooms, as {@code jdeps} sees them in the compiled classes. */
class ArchitectureTest {
    private static final String ROOT = "dev.darkbloom.agent";
    private static final String BINDINGS = "bindings";
    private static final Path SOURCES = Path.of(System.getProperty("darkbloom.project.root"), "agent/src/main/java");

    /** The rooms that each room may use; rooms that do not exist yet are listed so that they find their place. */
    private static final Map<String, Set<String>> MAY_USE = Map.ofEntries(
            Map.entry("", Set.of("cli")),
            Map.entry("base", Set.of()),
            Map.entry("content", Set.of("base")),
            Map.entry("models", Set.of("base")),
            Map.entry("hardware", Set.of("base")),
            Map.entry("config", Set.of("base")),
            Map.entry("protocol", Set.of("base", "content")),
            Map.entry("crypto", Set.of("base", "content")),
            Map.entry("llama", Set.of("base", "content", BINDINGS)),
            Map.entry("engine", Set.of("base", "content", "llama")),
            Map.entry("chat", Set.of("base", "content", "llama", "engine")),
            Map.entry("api", Set.of("base", "content", "models", "hardware", "config", "engine", "chat")),
            Map.entry("coordinator", Set.of("base", "content", "models", "hardware", "config", "crypto", "protocol", "engine", "chat")),
            Map.entry("hub", Set.of("base", "content", "models", "hardware", "config", "crypto", "protocol")),
            Map.entry("service", Set.of("base", "content", "models", "hardware", "config", "crypto", "protocol", "llama", "engine", "chat", "api",
                    "coordinator", "hub")),
            Map.entry("cli", Set.of("base", "models", "hardware", "config", "service")));

    /** Packages outside our own that a room stays away from. */
    private static final Map<String, List<String>> STAYS_AWAY_FROM = Map.ofEntries(
            Map.entry("base", List.of("io.netty", "com.fasterxml", "org.slf4j", "java.net")),
            Map.entry("content", List.of("io.netty", "com.fasterxml", "java.net", "java.nio.file")),
            Map.entry("llama", List.of("io.netty", "com.fasterxml", "java.net")),
            Map.entry("engine", List.of("io.netty", "com.fasterxml", "java.net", "java.nio.file", "java.nio.channels")),
            Map.entry("chat", List.of("io.netty", "com.fasterxml", "java.net", "java.nio.file", "java.nio.channels")),
            Map.entry("config", List.of("io.netty", "java.net", "java.lang.foreign")),
            Map.entry("protocol", List.of("io.netty", "java.net", "java.nio.file", "java.nio.channels", "org.slf4j")),
            Map.entry("crypto", List.of("io.netty", "com.fasterxml", "java.net", "java.nio.channels", "org.slf4j")),
            Map.entry("hardware", List.of("io.netty", "com.fasterxml", "java.net")),
            Map.entry("models", List.of("io.netty", "java.net")),
            Map.entry("service", List.of("io.netty", "java.lang.foreign")),
            Map.entry("cli", List.of("io.netty", "com.fasterxml", "java.lang.foreign", "java.net", "ch.qos.logback")));

    private static List<Arrow> arrows;

    private record Arrow(String fromPackage, String toPackage) {
        String fromRoom() {
            return room(fromPackage);
        }

        boolean isInside() {
            return (toPackage + ".").startsWith(ROOT + ".");
        }

        static String room(String packageName) {
            return packageName.equals(ROOT) ? "" : packageName.substring(ROOT.length() + 1).split("\\.")[0];
        }

        @Override
        public String toString() {
            return fromPackage + " -> " + toPackage;
        }
    }

    @BeforeAll
    static void readTheArrows() throws Exception {
        Path classes = Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        var out = new StringWriter();
        var err = new StringWriter();
        int exitCode = ToolProvider.findFirst("jdeps").orElseThrow().run(new PrintWriter(out), new PrintWriter(err),
                "-verbose:package", "-filter:none", "--ignore-missing-deps", "--multi-release", "base",
                "-cp", System.getProperty("java.class.path"), classes.toString());
        assertThat(exitCode).as(err.toString()).isZero();
        arrows = parse(out.toString());
    }

    /** Takes the lines {@code   package -> package   where it is}. */
    private static List<Arrow> parse(String output) {
        Pattern line = Pattern.compile("^\\s+(" + Pattern.quote(ROOT) + "[\\w.]*)\\s+-> ([\\w.]+)\\s.*");
        return output.lines()
                .map(line::matcher)
                .filter(Matcher::matches)
                .map(found -> new Arrow(found.group(1), found.group(2)))
                .toList();
    }

    @Test
    void theArrowsBetweenRoomsGoOneWay() {
        assertThat(arrows).isNotEmpty();

        var forbidden = arrows.stream()
                .filter(Arrow::isInside)
                .filter(arrow -> !arrow.fromRoom().equals(Arrow.room(arrow.toPackage())))
                .filter(arrow -> !MAY_USE.get(arrow.fromRoom()).contains(Arrow.room(arrow.toPackage())))
                .toList();

        assertThat(forbidden).isEmpty();
    }

    @Test
    void everyRoomHasItsPlaceInTheTable() {
        var rooms = new TreeSet<String>();
        arrows.forEach(arrow -> rooms.add(arrow.fromRoom()));

        assertThat(MAY_USE.keySet()).containsAll(rooms);
    }

    @Test
    void roomsStayAwayFromWhatIsNotTheirs() {
        var forbidden = arrows.stream()
                .filter(arrow -> STAYS_AWAY_FROM.getOrDefault(arrow.fromRoom(), List.of()).stream()
                        .anyMatch(outside -> (arrow.toPackage() + ".").startsWith(outside + ".")))
                .toList();

        assertThat(forbidden).isEmpty();
    }

    @Test
    void jsonTreesLiveInRoomsThatHaveACodec() {
        assertThat(arrows)
                .filteredOn(arrow -> arrow.toPackage().startsWith("com.fasterxml.jackson"))
                .extracting(Arrow::fromRoom)
                .isSubsetOf("protocol", "api", "hub", "config", "models", "service");
    }

    /** {@code hardware} asks the C library a few things about this process, without native memory of its own to hand around. */
    @Test
    void inHardwareOneClassCallsTheCLibrary() throws IOException {
        try (Stream<Path> files = Files.list(SOURCES.resolve("dev/darkbloom/agent/hardware"))) {
            var callers = new TreeSet<String>();
            for (Path file : files.toList()) {
                if (Files.readString(file).contains("java.lang.foreign")) {
                    callers.add(file.getFileName().toString());
                }
            }

            assertThat(callers).containsExactly("PosixNativeAccess.java");
        }
    }

    @Test
    void everyPackageSaysWhatItIsFor() throws IOException {
        try (Stream<Path> files = Files.walk(SOURCES)) {
            var packages = files.filter(file -> file.toString().endsWith(".java")).map(Path::getParent).distinct().toList();

            assertThat(packages).isNotEmpty().allSatisfy(folder -> assertThat(folder.resolve("package-info.java")).exists());
        }
    }
}
