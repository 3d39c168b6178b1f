package dev.darkbloom.agent.hardware;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Answers in place of a Mac's tools with what such tools printed once: files below {@code /mac} in the test resources, whose SOURCES.md
 * says where each comes from. A tool that nothing was recorded of is missing.
 */
final class RecordedMac implements ToolRunner {
    private final Map<List<String>, ToolResult> answers = new HashMap<>();

    /** Returns the machine of a directory, with the tools that its report is made of. */
    static RecordedMac of(String directory) {
        var mac = new RecordedMac();
        mac.records(MacHardware.SYSCTL, directory, "sysctl-values.txt", "sysctl-hw.txt", "sysctl-perflevels.txt", "sysctl-cpu.txt",
                "reconstructed-sysctl-identity.txt");
        mac.records(MacHardware.GPU, directory, "ioreg-AGXAccelerator.txt", "reconstructed-ioreg-AGXAccelerator.txt",
                "ioreg-core-counts.txt");
        mac.records(MacHardware.PLATFORM, directory, "reconstructed-ioreg-IOPlatformExpertDevice.txt",
                "reconstructed-ioreg-IOPlatformExpertDevice-w0.txt", "ioreg-IOPlatformExpertDevice-excerpt.txt");
        mac.records(MacHardware.PROFILE, directory, "SPHardwareDataType.json", "reconstructed-SPHardwareDataType.json",
                "SPHardwareDataType.txt", "SPHardwareDataType-with-log-line.txt", "SPHardwareDataType-mini.txt",
                "SPHardwareDataType-fields-with-log-lines.txt");
        mac.records(MacHardware.DISPLAYS, directory, "SPDisplaysDataType.json", "reconstructed-SPDisplaysDataType.json");
        mac.records(MacHardware.SW_VERS, directory, "sw_vers.txt", "reconstructed-sw_vers.txt");
        return mac;
    }

    /** Makes a tool print these files one after the other, those of them that exist. */
    RecordedMac records(String[] command, String directory, String... files) {
        List<String> texts = Stream.of(files).map(file -> find(directory + "/" + file)).flatMap(Optional::stream).toList();
        if (!texts.isEmpty()) {
            answers.put(List.of(command), ToolResult.ended(0, String.join("\n", texts)));
        }
        return this;
    }

    RecordedMac answers(String[] command, ToolResult result) {
        answers.put(List.of(command), result);
        return this;
    }

    RecordedMac prints(String[] command, String output) {
        return answers(command, ToolResult.ended(0, output));
    }

    RecordedMac lacks(String[] command) {
        answers.remove(List.of(command));
        return this;
    }

    /** Returns what every tool printed, for tests that spoil it. */
    Map<List<String>, ToolResult> answers() {
        return answers;
    }

    @Override
    public ToolResult run(String... command) {
        return answers.getOrDefault(List.of(command), ToolResult.failed(ToolResult.Outcome.MISSING));
    }

    /** Returns a recorded file's text; it has to be there. */
    static String text(String file) {
        return find(file).orElseThrow(() -> new IllegalArgumentException("no recording " + file));
    }

    private static Optional<String> find(String file) {
        try (InputStream in = RecordedMac.class.getResourceAsStream("/mac/" + file)) {
            return in == null ? Optional.empty() : Optional.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
