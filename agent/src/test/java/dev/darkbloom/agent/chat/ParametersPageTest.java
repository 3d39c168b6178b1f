package dev.darkbloom.agent.chat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.chat.Parameters.Parameter;
import dev.darkbloom.agent.chat.Parameters.Treatment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** {@code docs/api.md} names every documented parameter that is refused or without effect, as {@link Parameters} has them. */
class ParametersPageTest {
    private static final Map<String, Parameters> APIS = new LinkedHashMap<>();

    static {
        APIS.put("chat", Parameters.CHAT);
        APIS.put("completions", Parameters.TEXT);
        APIS.put("Responses", Parameters.RESPONSES);
        APIS.put("Messages", Parameters.MESSAGES);
        APIS.put("embeddings", Parameters.EMBEDDINGS);
        APIS.put("rerank", Parameters.RERANK);
    }

    @Test
    void everyParameterThatIsNotReadIsNamed() throws IOException {
        String page = Files.readString(Path.of(System.getProperty("darkbloom.project.root"), "docs", "api.md"));
        List<String> listed = page.substring(page.indexOf("## Parameters that are not done")).lines()
                .filter(line -> APIS.keySet().stream().anyMatch(api -> line.startsWith("| " + api + " |")))
                .toList();

        assertThat(listed).isEqualTo(APIS.entrySet().stream().map(api -> row(api.getKey(), api.getValue())).toList());
    }

    private static String row(String api, Parameters parameters) {
        return "| " + api + " | " + named(parameters, Treatment.REFUSED) + " | " + named(parameters, Treatment.IGNORED) + " |";
    }

    private static String named(Parameters parameters, Treatment treatment) {
        return parameters.all().stream().sorted().map(parameters::parameter)
                .filter(parameter -> parameter.treatment() == treatment)
                .map(ParametersPageTest::named)
                .collect(Collectors.joining(", "));
    }

    private static String named(Parameter parameter) {
        return "`" + parameter.name() + "`" + (parameter.neutral().isEmpty() ? "" : " (" + String.join(" or ", parameter.neutral()) + ")");
    }
}
