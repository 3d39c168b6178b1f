package dev.darkbloom.agent.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.darkbloom.agent.hardware.Chip.Family;
import dev.darkbloom.agent.hardware.Chip.Tier;
import dev.darkbloom.agent.hardware.HardwareReport.Form;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every machine of the recordings, against what their {@code expected.json} says of it. */
class MacHardwareTest {
    /** Machines of which too little was recorded; what is missing is the fallback's, and the rest is still compared. */
    private static final Set<String> WITHOUT_MEMORY = Set.of("m1-macbook-pro-13", "m1max-macbook-pro-16");

    static Stream<JsonNode> machines() throws IOException {
        JsonNode all = new ObjectMapper().readTree(RecordedMac.text("expected.json"));
        return StreamSupport.stream(all.spliterator(), false);
    }

    static Stream<String> directories() throws IOException {
        return machines().map(machine -> machine.get("directory").textValue());
    }

    @ParameterizedTest
    @MethodSource("machines")
    void everyRecordedMachineIsRecognised(JsonNode expected) {
        String directory = expected.get("directory").textValue();
        HardwareReport report = report(RecordedMac.of(directory));

        assertThat(report.model()).isEqualTo(expected.get("model").textValue());
        assertThat(report.form().name().toLowerCase(Locale.ROOT)).isEqualTo(expected.get("form").textValue().replace("vm", "virtual"));
        if (!WITHOUT_MEMORY.contains(directory)) {
            assertThat(report.chip().name()).isEqualTo(expected.get("chip").textValue());
            assertThat(report.chip().family()).hasToString(expected.get("family").textValue().startsWith("M")
                    ? expected.get("family").textValue() : "Unknown");
            assertThat(report.chip().tier()).hasToString(expected.get("tier").textValue().replace("Virtual", "Unknown"));
            assertThat(report.memoryBytes()).isEqualTo(expected.get("memoryBytes").longValue());
            assertThat(report.cores().performance()).isEqualTo(expected.get("level0").intValue());
            assertThat(report.cores().efficiency()).isEqualTo(expected.get("level1").intValue());
            List<String> names = report.cores().kinds().stream().map(Cores.Kind::name).filter(name -> !name.isEmpty()).toList();
            assertThat(names).isIn(List.of(), StreamSupport.stream(expected.get("levelNames").spliterator(), false)
                    .map(JsonNode::textValue).toList());
            assertThat(report.gpuCores().orElse(0)).isEqualTo(expected.get("gpuCores").intValue());
            assertThat(report.bandwidthGBps().orElse(0)).isEqualTo(expected.get("bandwidthGBps").doubleValue());
        }
        assertThat(report.isTranslated()).isFalse();
    }

    @ParameterizedTest
    @MethodSource("directories")
    void aMachineIsRecognisedByItsProfileAloneWhereSysctlIsSilent(String directory) {
        var tools = RecordedMac.of(directory);
        HardwareReport whole = report(tools);
        if (tools.run(MacHardware.PROFILE).text().isEmpty() || whole.form() == Form.VIRTUAL) {
            return; // nothing of it was recorded; a virtual machine's says too little
        }

        HardwareReport profiled = report(tools.lacks(MacHardware.SYSCTL).lacks(MacHardware.PLATFORM).lacks(MacHardware.GPU));

        assertThat(profiled.model()).isEqualTo(whole.model());
        assertThat(profiled.memoryBytes()).isEqualTo(whole.memoryBytes());
        assertThat(profiled.cores().total()).isEqualTo(whole.cores().total());
        assertThat(profiled.cores().performance()).isEqualTo(whole.cores().performance());
    }

    @Test
    void theSerialNumberIsFoundInTheRegistryOrTheProfile() {
        assertThat(report(RecordedMac.of("m4-mac-mini-16gb")).serialNumber()).contains("DBFIX00010");
        assertThat(report(RecordedMac.of("m4-mac-mini-16gb").lacks(MacHardware.PLATFORM)).serialNumber()).contains("DBFIX00010");
        assertThat(report(RecordedMac.of("m1pro-macbook-pro-14-16gb")).serialNumber()).as("from the text form").contains("DBFIX00003");
        assertThat(report(RecordedMac.of("m2pro-macbook-pro-16-16gb").lacks(MacHardware.PROFILE)).serialNumber()).isEmpty();
    }

    @Test
    void aRegistryThatWasCutAtTheTerminalsWidthGivesWhatIsWholeInIt() {
        var tools = RecordedMac.of("m1-macbook-pro-13")
                .records(MacHardware.PLATFORM, "m1-macbook-pro-13", "ioreg-IOPlatformExpertDevice-truncated.txt");

        assertThat(report(tools).serialNumber()).contains("DBFIX00002");
        assertThat(report(tools).model()).isEqualTo("MacBookPro17,1");
        assertThat(report(tools.prints(MacHardware.PLATFORM, "  \"IOPlatformSerialNumber\" = \"DBF$\n")).serialNumber()).isEmpty();
    }

    @Test
    void theSerialNumberIsNotPrintedWithTheReport() {
        assertThat(report(RecordedMac.of("m4-mac-mini-16gb")).toString()).contains("Mac16,10").doesNotContain("DBFIX");
    }

    @ParameterizedTest
    @CsvSource({
        "common/versions/reconstructed-sw_vers-14.8.1.txt, macOS 14.8.1 (23J30)",
        "common/versions/reconstructed-sw_vers-15.7.1.txt, macOS 15.7.1 (24G231)",
        "common/versions/reconstructed-sw_vers-26.6.2.txt, macOS 26.6.2 (25G83)",
        "common/versions/reconstructed-sw_vers-27.0.1.txt, macOS 27.0.1 (26A410)",
        "common/versions/reconstructed-sw_vers-extra.txt, macOS 15.6.1 (a) (24G90)",
        "vm-virtualmac2-7gb/sw_vers.txt, macOS 26.6.2 (25G83)",
        "m4-mac-mini-16gb/sw_vers.txt, macOS 26.5 (25F71)"})
    void theSystemsVersionIsThatOfSwVers(String recording, String version) {
        var tools = RecordedMac.of("m2-macbook-air-24gb").prints(MacHardware.SW_VERS, RecordedMac.text(recording));

        assertThat(report(tools).os()).hasToString(version);
    }

    @Test
    void theSystemsVersionComesFromTheKernelWhereSwVersFailsAndSixteenIsTwentySix() {
        var tools = RecordedMac.of("m2-macbook-air-24gb");
        assertThat(report(tools).os()).hasToString("macOS 15.5 (24F74)");

        tools.prints(MacHardware.SYSCTL, RecordedMac.text("common/versions/reconstructed-osproductversion-compat.txt"));
        assertThat(report(tools).os()).hasToString("macOS 26.0 (25A354)");
    }

    @Test
    void aTranslatedProcessIsToldFromANativeOne() {
        var tools = RecordedMac.of("m1-macbook-air-16gb")
                .records(MacHardware.SYSCTL, "m1-macbook-air-16gb", "reconstructed-sysctl-identity-rosetta.txt")
                .records(MacHardware.PROFILE, "m1-macbook-air-16gb", "SPHardwareDataType-under-rosetta.json");

        HardwareReport report = report(tools);

        assertThat(report.isTranslated()).isTrue();
        assertThat(report.chip()).isEqualTo(new Chip("VirtualApple @ 2.50GHz", Family.UNKNOWN, Tier.UNKNOWN));
        assertThat(report.form()).isEqualTo(Form.LAPTOP);
        assertThat(report.bandwidthGBps()).isEmpty();
    }

    @Test
    void coresAreNamedAsTheSystemNamesThem() {
        assertThat(report(RecordedMac.of("m5max-macbook-pro-16-128gb")).cores()).hasToString("6 Super + 12 Performance");
        assertThat(report(RecordedMac.of("vm-virtualmac2-7gb")).cores()).hasToString("3 Standard");
    }

    @Test
    void gpuCoresComeFromTheDisplaysThenFromTheTableWhereItLeavesNoDoubt() {
        var m2 = RecordedMac.of("m2-macbook-air-24gb"); // its registry was recorded without the count
        assertThat(report(m2).gpuCores()).hasValue(10);
        assertThat(report(m2.lacks(MacHardware.DISPLAYS)).gpuCores()).as("Apple sells this M2 with 8 and with 10").isEmpty();

        var m6 = RecordedMac.of("m6-mac-mini-16gb").lacks(MacHardware.DISPLAYS).lacks(MacHardware.GPU);
        assertThat(report(m6).gpuCores()).hasValue(12);
    }

    @Test
    void aVirtualMachineHasNoGpuWhateverItsRegistrySays() {
        var tools = RecordedMac.of("vm-virtualmac2-7gb")
                .records(MacHardware.GPU, "m1-macbook-air-16gb", "reconstructed-ioreg-AGXAccelerator.txt");

        assertThat(report(tools).gpuCores()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(value = ToolResult.Outcome.class, names = "ENDED", mode = EnumSource.Mode.EXCLUDE)
    void aMacWhoseToolsAllFailIsWhatTheFallbackSays(ToolResult.Outcome outcome) {
        HardwareReport report = new MacHardware(command -> ToolResult.failed(outcome), FakeMachineProbe.UNKNOWN).report();

        assertThat(report.model()).isEmpty();
        assertThat(report.form()).isEqualTo(Form.UNKNOWN);
        assertThat(report.chip().name()).isEqualTo("unknown");
        assertThat(report.cores().total()).isEqualTo(2);
        assertThat(report.memoryGib()).isEqualTo(1);
        assertThat(report.gpuCores()).isEmpty();
        assertThat(report.bandwidthGBps()).isEmpty();
        assertThat(report.serialNumber()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"hw.memsize: -5", "hw.memsize: 9223372036854775807", "hw.memsize: 0", "hw.perflevel0.physicalcpu: 0",
        "hw.perflevel0.physicalcpu: -3", "hw.perflevel0.physicalcpu: 99999999999"})
    void numbersThatCannotBeAreNotBelieved(String line) {
        HardwareReport report = report(new RecordedMac().prints(MacHardware.SYSCTL, line + "\n"));

        assertThat(report.memoryBytes()).isEqualTo(1L << 30);
        assertThat(report.cores().total()).isEqualTo(2);
    }

    @ParameterizedTest
    @MethodSource("directories")
    void outputsThatAreCutOrSpoiltNeverEndInAnException(String directory) {
        var random = new Random(directory.hashCode());
        for (int round = 0; round < 50; round++) {
            var tools = RecordedMac.of(directory);
            for (Map.Entry<List<String>, ToolResult> answer : Map.copyOf(tools.answers()).entrySet()) {
                tools.answers().put(answer.getKey(), ToolResult.ended(0, spoil(answer.getValue().output(), random)));
            }

            assertThatCode(() -> report(tools)).doesNotThrowAnyException();
        }
    }

    private static String spoil(String text, Random random) {
        var spoilt = new StringBuilder(text.substring(0, random.nextInt(text.length() + 1)));
        for (int change = random.nextInt(8); change > 0 && !spoilt.isEmpty(); change--) {
            spoilt.setCharAt(random.nextInt(spoilt.length()), "0123456789:\"-\n $\uFFFD".charAt(random.nextInt(17)));
        }
        return spoilt.toString();
    }

    private static HardwareReport report(ToolRunner tools) {
        return new MacHardware(tools, FakeMachineProbe.UNKNOWN).report();
    }
}
