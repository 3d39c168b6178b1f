package dev.darkbloom.agent.hardware;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The named values in a Mac tool's output, one to a line, whichever of the forms below the tool prints. Of a name that occurs more than
 * once the first counts. Lines that are no named value, log lines among them, are passed over; so is a line that was cut short.
 *
 * <p>These tools print their JSON one member to a line, with nothing on the line but the name and a text or a whole number; this room
 * holds no JSON library, and needs no more of JSON than that.
 */
record Fields(Map<String, String> values) {
    /** {@code "chip_type" : "Apple M5 Max",} or {@code "number_processors" : 3,} */
    private static final Pattern JSON = Pattern.compile("\\s*\"([^\"]+)\" : (?:\"([^\"]*)\"|(-?\\d+)),?\\s*");
    /** {@code       Model Name: Mac Studio}, {@code ProductVersion:		26.5} */
    private static final Pattern TEXT = Pattern.compile("\\s*([A-Za-z][\\w ()]*):\\s+(\\S.*)");
    /** {@code "model" = "Apple M4"}, {@code "gpu-core-count" = 10}, {@code "model" = <"Mac16,10">}; nested ones stay whole and unread. */
    private static final Pattern REGISTRY = Pattern.compile("[\\s|]*\"([^\"]+)\" = (?:\"([^\"]*)\"|<\"([^\"]*)\">|(-?\\d+))\\s*");

    private static final List<Pattern> FORMS = List.of(JSON, TEXT, REGISTRY);

    /**
     * Takes what {@code system_profiler} (with {@code -json} and without), {@code sw_vers}, {@code diskutil info} and {@code ioreg}
     * print.
     */
    static Fields parse(String text) {
        var values = new LinkedHashMap<String, String>();
        text.lines().forEach(line -> FORMS.stream().map(form -> form.matcher(line)).filter(Matcher::matches).findFirst()
                .ifPresent(found -> IntStream.rangeClosed(2, found.groupCount()).mapToObj(found::group).filter(Objects::nonNull).findFirst()
                        .ifPresent(value -> values.putIfAbsent(found.group(1), value.strip()))));
        return new Fields(Map.copyOf(values));
    }

    /** Returns the first of these values that is there and not empty; the same thing has one name in JSON and another in text. */
    Optional<String> text(String... names) {
        return Stream.of(names).map(values::get).filter(value -> value != null && !value.isEmpty()).findFirst();
    }

    /** Returns a value that is a whole number above zero. */
    OptionalInt count(String name) {
        try {
            int value = Integer.parseInt(values.getOrDefault(name, ""));
            return value > 0 ? OptionalInt.of(value) : OptionalInt.empty();
        } catch (NumberFormatException _) {
            return OptionalInt.empty();
        }
    }
}
