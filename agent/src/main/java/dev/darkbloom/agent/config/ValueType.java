package dev.darkbloom.agent.config;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a key's value may be, and how it reads in TOML and on the command line.
 *
 * <p>Values come as TOML gives them: {@code Long}, {@code BigDecimal}, {@code Boolean}, {@code String}, a {@code List} of these or, for
 * a table, a {@code Map}. Every refusal is an {@link IllegalArgumentException} whose message completes the sentence "KEY …".
 */
public sealed interface ValueType<T> {
    /** Returns the typed value. */
    T fromToml(Object raw);

    /** Returns the typed value of what someone typed. */
    T fromText(String text);

    /** Returns the value as TOML. */
    String toToml(T value);

    /** Returns the type and its range in words. */
    String description();

    /** A whole number within bounds, both included. */
    record WholeNumber(int min, int max) implements ValueType<Integer> {
        @Override
        public Integer fromToml(Object raw) {
            if (raw instanceof Long number && number >= min && number <= max) {
                return Math.toIntExact(number);
            }
            throw refusal(this, raw);
        }

        @Override
        public Integer fromText(String text) {
            return fromToml(numberOrText(text));
        }

        @Override
        public String toToml(Integer value) {
            return value.toString();
        }

        @Override
        public String description() {
            return "a whole number from " + min + " to " + max;
        }
    }

    /** A size in GB of 2³⁰ bytes, fractions allowed. */
    record Gigabytes(int max) implements ValueType<DataSize> {
        @Override
        public DataSize fromToml(Object raw) {
            BigDecimal number = switch (raw) {
                case Long whole -> BigDecimal.valueOf(whole);
                case BigDecimal decimal -> decimal;
                default -> throw refusal(this, raw);
            };
            if (number.signum() < 0 || number.compareTo(BigDecimal.valueOf(max)) > 0) {
                throw refusal(this, raw);
            }
            return DataSize.ofGigabytes(number);
        }

        @Override
        public DataSize fromText(String text) {
            return fromToml(numberOrText(text));
        }

        @Override
        public String toToml(DataSize value) {
            return value.gigabytes();
        }

        @Override
        public String description() {
            return "a number from 0 to " + max;
        }
    }

    /** A time in whole seconds within bounds, both included. */
    record Seconds(int min, int max) implements ValueType<Duration> {
        @Override
        public Duration fromToml(Object raw) {
            if (raw instanceof Long seconds && seconds >= min && seconds <= max) {
                return Duration.ofSeconds(seconds);
            }
            throw refusal(this, raw);
        }

        @Override
        public Duration fromText(String text) {
            return fromToml(numberOrText(text));
        }

        @Override
        public String toToml(Duration value) {
            return Long.toString(value.toSeconds());
        }

        @Override
        public String description() {
            return "whole seconds from " + min + " to " + max;
        }
    }

    /** {@code true} or {@code false}. */
    record Flag() implements ValueType<Boolean> {
        @Override
        public Boolean fromToml(Object raw) {
            if (raw instanceof Boolean flag) {
                return flag;
            }
            throw refusal(this, raw);
        }

        @Override
        public Boolean fromText(String text) {
            return switch (text) {
                case "true" -> true;
                case "false" -> false;
                default -> throw refusal(this, text);
            };
        }

        @Override
        public String toToml(Boolean value) {
            return value.toString();
        }

        @Override
        public String description() {
            return "true or false";
        }
    }

    /** One of an enum's names, in lower case. */
    record Choice<E extends Enum<E>>(Class<E> type) implements ValueType<E> {
        @Override
        public E fromToml(Object raw) {
            for (E constant : type.getEnumConstants()) {
                if (word(constant).equals(raw)) {
                    return constant;
                }
            }
            throw refusal(this, raw);
        }

        @Override
        public E fromText(String text) {
            return fromToml(text);
        }

        @Override
        public String toToml(E value) {
            return TomlLayout.quote(word(value));
        }

        @Override
        public String description() {
            return Arrays.stream(type.getEnumConstants()).map(Choice::word).collect(Collectors.joining(", ", "one of ", ""));
        }

        private static String word(Enum<?> constant) {
            return constant.name().toLowerCase(Locale.ROOT);
        }
    }

    /** Any text. */
    record Text(String description) implements ValueType<String> {
        @Override
        public String fromToml(Object raw) {
            if (raw instanceof String text) {
                return text;
            }
            throw refusal(this, raw);
        }

        @Override
        public String fromText(String text) {
            return text;
        }

        @Override
        public String toToml(String value) {
            return TomlLayout.quote(value);
        }
    }

    /** A text of a certain form, or none. */
    record Formed(String description, Predicate<String> fits) implements ValueType<String> {
        /** Returns an address of one of {@code schemes}, with a host and without user, query and fragment. */
        static Formed address(String description, String... schemes) {
            return matching(description, "(?i)(" + String.join("|", schemes) + ")://([a-z0-9.-]+|\\[[0-9a-f:.]+])(:\\d{1,5})?(/[^\\s?#]*)?");
        }

        static Formed matching(String description, String pattern) {
            return new Formed(description, Pattern.compile(pattern).asMatchPredicate());
        }

        @Override
        public String fromToml(Object raw) {
            if (raw instanceof String text && (text.isEmpty() || fits.test(text))) {
                return text;
            }
            throw refusal(this, raw);
        }

        @Override
        public String fromText(String text) {
            return fromToml(text);
        }

        @Override
        public String toToml(String value) {
            return TomlLayout.quote(value);
        }
    }

    /** A list of texts; on the command line separated by commas. */
    record TextList(String description) implements ValueType<List<String>> {
        @Override
        public List<String> fromToml(Object raw) {
            if (raw instanceof List<?> list && list.stream().allMatch(String.class::isInstance)) {
                return list.stream().map(String.class::cast).toList();
            }
            throw refusal(this, raw);
        }

        @Override
        public List<String> fromText(String text) {
            return text.isEmpty() ? List.of() : Arrays.stream(text.split(",")).map(String::strip).toList();
        }

        @Override
        public String toToml(List<String> value) {
            return value.stream().map(TomlLayout::quote).collect(Collectors.joining(", ", "[", "]"));
        }
    }

    /** Whether a posture is claimed, and which: {@code true}, {@code false}, or a table of the fields that differ. */
    record Posture() implements ValueType<TestPosture> {
        @Override
        public TestPosture fromToml(Object raw) {
            return switch (raw) {
                case Boolean flag -> flag ? TestPosture.ELIGIBLE : TestPosture.OFF;
                case Map<?, ?> table -> ofTable(table);
                default -> throw refusal(this, raw);
            };
        }

        private static TestPosture ofTable(Map<?, ?> table) {
            var flags = new HashMap<String, Boolean>();
            var texts = new HashMap<String, String>();
            table.forEach((key, value) -> {
                String name = String.valueOf(key);
                if (TestPosture.FLAGS.contains(name) && value instanceof Boolean flag) {
                    flags.put(name, flag);
                } else if (TestPosture.TEXTS.contains(name) && value instanceof String text) {
                    texts.put(name, text);
                } else if (TestPosture.FLAGS.contains(name) || TestPosture.TEXTS.contains(name)) {
                    throw new IllegalArgumentException(
                            "takes " + (TestPosture.FLAGS.contains(name) ? "true or false" : "a text") + " for " + name);
                } else {
                    var known = new ArrayList<>(TestPosture.FLAGS);
                    known.addAll(TestPosture.TEXTS);
                    throw new IllegalArgumentException("has no field " + name + Suggestion.clause(name, known));
                }
            });
            return new TestPosture(true, flags, texts);
        }

        @Override
        public TestPosture fromText(String text) {
            return switch (text) {
                case "true" -> TestPosture.ELIGIBLE;
                case "false" -> TestPosture.OFF;
                default -> throw refusal(this, text);
            };
        }

        @Override
        public String toToml(TestPosture value) {
            return value.toToml();
        }

        @Override
        public String description() {
            return "true, false, or a table of the fields that differ";
        }
    }

    private static Object numberOrText(String text) {
        try {
            var number = new BigDecimal(text.strip());
            return number.scale() <= 0 && number.precision() < 18 ? (Object) number.longValueExact() : number;
        } catch (NumberFormatException _) {
            return text;
        }
    }

    private static IllegalArgumentException refusal(ValueType<?> type, Object raw) {
        String found = switch (raw) {
            case String text -> TomlLayout.quote(text);
            case List<?> _ -> "a list";
            case Map<?, ?> _ -> "a table";
            default -> raw.toString();
        };
        return new IllegalArgumentException("must be " + type.description() + "; it is " + found);
    }
}
