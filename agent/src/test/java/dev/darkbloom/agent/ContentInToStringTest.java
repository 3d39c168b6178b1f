package dev.darkbloom.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.base.Redacted;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.content.StopMatcher;
import dev.darkbloom.agent.protocol.EncryptedPayload;
import dev.darkbloom.agent.testing.ByteSearch;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Nothing that carries a request's words tells them when it is printed, whatever it is part of. */
class ContentInToStringTest {
    private static final String CANARY = "hainbuche-raschelt";
    private static final ByteSearch SEARCH = new ByteSearch(CANARY);
    private static final List<String> ROOMS = List.of("api", "chat", "content", "coordinator", "crypto", "engine", "llama", "protocol");
    /** What can hold words; text of a request never is a String, which the canary tests show. */
    private static final Set<Class<?>> CARRIERS = Set.of(Content.class, MemorySegment.class, SseWriter.class, StopMatcher.class, ByteBuffer.class,
            byte[].class);
    private static final Arena ARENA = Arena.ofShared();

    @AfterAll
    static void free() {
        ARENA.close();
    }

    @Test
    void whatHoldsWordsPrintsItsSize() {
        try (Content content = words(); SseWriter writer = SseWriter.allocate(64).raw(CANARY); StopMatcher stops = StopMatcher.of(List.of(segment()))) {
            assertThat(content.toString()).isEqualTo("Content[bytes=" + CANARY.length() + "]");
            assertThat(List.of(writer.toString(), stops.toString(), segment().toString(), new Redacted(CANARY).toString()))
                    .allSatisfy(text -> assertThat(SEARCH.inText(text)).isEmpty());
            assertThat(new EncryptedPayload("key", segment()).toString()).isEqualTo("EncryptedPayload[bytes=" + CANARY.length() + "]");
        }
    }

    /** Each record of these rooms is made with the canary in every place that may hold words, however deep, and printed. */
    @Test
    void noRecordPrintsTheWordsInIt() throws Exception {
        var carrying = new TreeSet<String>();
        for (Class<?> type : types()) {
            if (type.isRecord() && carries(type, new TreeSet<>())) {
                Optional<Object> sample = sample(type);
                assertThat(sample).as("a sample of %s", type.getName()).isPresent();
                assertThat(SEARCH.inText(sample.get().toString())).as(type.getName()).isEmpty();
                carrying.add(type.getSimpleName());
            }
        }

        assertThat(carrying).contains("EncryptedPayload", "InferenceRequest", "InferenceResponseChunk", "Frame", "GenerationRequest");
    }

    /** A text of its own can only print what it is given: sizes and ids. Whoever writes another one adds it here, and to the test above. */
    @Test
    void classesThatHoldWordsAndPrintThemselvesAreKnown() throws Exception {
        var printing = new TreeSet<String>();
        for (Class<?> type : types()) {
            boolean holds = Arrays.stream(type.getDeclaredFields()).anyMatch(field -> !Modifier.isStatic(field.getModifiers())
                    && CARRIERS.contains(field.getType()));
            if (holds && !type.isRecord() && Arrays.stream(type.getDeclaredMethods()).anyMatch(method -> method.getName().equals("toString"))) {
                printing.add(type.getSimpleName());
            }
        }

        assertThat(printing).containsExactlyInAnyOrder("BoxKeys", "Choice", "Content", "PromptTokens", "SecureEnclaveSigner",
                "SseWriter", "StopMatcher", "TokenRing");
    }

    private static Content words() {
        Content content = Content.allocate(64);
        content.append(segment());
        return content;
    }

    private static MemorySegment segment() {
        return ARENA.allocate(CANARY.length()).copyFrom(MemorySegment.ofArray(CANARY.getBytes(StandardCharsets.US_ASCII)));
    }

    private static boolean carries(Class<?> record, Set<String> seen) {
        return seen.add(record.getName())
                && Arrays.stream(record.getRecordComponents()).flatMap(component -> classes(component.getGenericType()).stream())
                        .anyMatch(type -> CARRIERS.contains(type) || type.isRecord() && carries(type, seen));
    }

    private static List<Class<?>> classes(Type type) {
        return switch (type) {
            case Class<?> plain -> List.of(plain);
            case ParameterizedType generic -> Arrays.stream(generic.getActualTypeArguments()).flatMap(part -> classes(part).stream()).toList();
            default -> List.of();
        };
    }

    /** Makes a record of samples of its components; empty when its constructor does not take them. */
    private static Optional<Object> sample(Class<?> record) throws ReflectiveOperationException {
        RecordComponent[] components = record.getRecordComponents();
        Constructor<?> constructor = record.getDeclaredConstructor(Arrays.stream(components).map(RecordComponent::getType).toArray(Class[]::new));
        constructor.setAccessible(true);
        var values = new ArrayList<>();
        for (RecordComponent component : components) {
            values.add(value(component.getGenericType()));
        }
        try {
            return Optional.of(constructor.newInstance(values.toArray()));
        } catch (InvocationTargetException e) {
            return Optional.empty();
        }
    }

    private static Object value(Type type) throws ReflectiveOperationException {
        if (type instanceof ParameterizedType generic) {
            Object of = value(generic.getActualTypeArguments()[0]);
            return generic.getRawType() == Optional.class ? Optional.ofNullable(of)
                    : generic.getRawType() == List.class ? of == null ? List.of() : List.of(of)
                    : generic.getRawType() == Map.class ? Map.of() : null;
        }
        if (!(type instanceof Class<?> plain)) {
            return null;
        }
        if (plain == Content.class) {
            return words();
        }
        if (plain == MemorySegment.class) {
            return segment();
        }
        if (plain == ByteBuffer.class) {
            return segment().asByteBuffer();
        }
        if (plain == byte[].class) {
            return CANARY.getBytes(StandardCharsets.US_ASCII);
        }
        if (plain == String.class) {
            return "word";
        }
        if (plain == int.class) {
            return 1;
        }
        if (plain == long.class) {
            return 1L;
        }
        if (plain == double.class) {
            return 1.0;
        }
        if (plain == float.class) {
            return 1f;
        }
        if (plain == boolean.class) {
            return true;
        }
        if (plain.getName().startsWith("java.util.Optional")) {
            return plain.getMethod("empty").invoke(null);
        }
        if (plain.isEnum()) {
            return plain.getEnumConstants()[0];
        }
        if (plain == dev.darkbloom.agent.content.TokenRing.class) {
            return dev.darkbloom.agent.content.TokenRing.allocate(2, 1);
        }
        return plain.isRecord() ? sample(plain).orElse(null) : null;
    }

    private static List<Class<?>> types() throws Exception {
        URI place = Content.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        Path path = Path.of(place);
        if (Files.isDirectory(path)) {
            return types(path);
        }
        try (FileSystem jar = FileSystems.newFileSystem(path)) {
            return types(jar.getPath("/"));
        }
    }

    private static List<Class<?>> types(Path root) throws IOException, ClassNotFoundException {
        var types = new ArrayList<Class<?>>();
        for (String room : ROOMS) {
            try (Stream<Path> files = Files.walk(root.resolve("dev/darkbloom/agent").resolve(room))) {
                for (Path file : files.filter(each -> each.toString().endsWith(".class") && !each.endsWith("package-info.class")).toList()) {
                    String name = root.relativize(file).toString().replace('/', '.');
                    types.add(Class.forName(name.substring(0, name.length() - ".class".length()), false, Content.class.getClassLoader()));
                }
            }
        }
        return types;
    }
}
