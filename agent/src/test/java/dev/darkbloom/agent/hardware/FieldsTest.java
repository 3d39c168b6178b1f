package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FieldsTest {
    @Test
    void theThreeFormsOfTheToolsAreRead() {
        Fields fields = Fields.parse("""
                {
                  "chip_type" : "Apple M4",
                  "number_processors" : 3,
                      Model Identifier: Mac16,12
                      Serial Number (system): DBFIX00003
                ProductVersion:\t\t26.5
                  |   |   "gpu-core-count" = 40
                    "model" = <"Mac16,10">
                    "IOPlatformSerialNumber" = "DBFIX00010"
                }
                """);

        assertThat(fields.values()).isEqualTo(Map.of("chip_type", "Apple M4", "number_processors", "3", "Model Identifier", "Mac16,12",
                "Serial Number (system)", "DBFIX00003", "ProductVersion", "26.5", "gpu-core-count", "40", "model", "Mac16,10",
                "IOPlatformSerialNumber", "DBFIX00010"));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "2026-03-20 19:02:19.930 system_profiler[60950:16038153] hw.cpufamily: 0x6f5129ac",
        "  \"model\" = \"Mac16,$", "  \"chip_type\" : \"Apple", "  \"compatible\" = <\"J293AP\",\"MacBookPro17,1\",\"AppleARM\">",
        "  \"PerformanceStatistics\" = {\"Device Utilization %\"=12}", "  \"SPHardwareDataType\" : [", "Hardware:", "{", ""})
    void linesThatAreNoWholeValueArePassedOver(String line) {
        assertThat(Fields.parse(line).values()).isEmpty();
    }

    @Test
    void ofANameThatOccursTwiceTheFirstCounts() {
        assertThat(Fields.parse("Memory: 16 GB\nMemory: 8 GB\n").text("Memory")).contains("16 GB");
    }

    @Test
    void namesAreTriedInTurnAndEmptyValuesAreNone() {
        Fields fields = Fields.parse("\"machine_model\" : \"\",\nModel Identifier: Mac16,9\n");

        assertThat(fields.text("machine_model", "Model Identifier")).contains("Mac16,9");
        assertThat(fields.text("machine_model")).isEmpty();
        assertThat(fields.text()).isEmpty();
    }

    @Test
    void aCountIsAWholeNumberAboveZero() {
        Fields fields = Fields.parse("\"a\" = 0\n\"b\" = -2\n\"c\" = 99999999999\n\"d\" = \"12\"\n\"e\" = \"many\"\n");

        assertThat(fields.count("a")).isEmpty();
        assertThat(fields.count("b")).isEmpty();
        assertThat(fields.count("c")).isEmpty();
        assertThat(fields.count("d")).hasValue(12);
        assertThat(fields.count("e")).isEmpty();
        assertThat(fields.count("f")).isEmpty();
    }
}
