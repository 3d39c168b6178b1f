package dev.darkbloom.agent.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ConfigReferenceTest {
    @Test
    void thePageInDocsIsTheOneThatTheCodeWrites() {
        Path page = Path.of(System.getProperty("darkbloom.project.root"), "docs/configuration.md");

        assertThat(page).as("run: darkbloom-agent config explain --markdown > docs/configuration.md").hasContent(ConfigReference.markdown());
    }

    @Test
    void aKeyIsExplainedWithValueAndDefault() {
        assertThat(ConfigReference.explain(ConfigKey.LOCAL_PORT)).isEqualTo("""
                local.port
                  TCP port of the local endpoint; 0 takes any free one.
                  value: a whole number from 0 to 65535
                  default: 8000
                """);
    }

    @Test
    void everyMeaningIsOneSentence() {
        assertThat(ConfigKey.all()).allSatisfy(key -> assertThat(key.meaning()).matches("[A-Z][^.]*(\\.[a-z_][^.]*)*\\."));
    }
}
