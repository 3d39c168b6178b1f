package dev.darkbloom.agent.service;

import dev.darkbloom.agent.llama.NativeLibrary;
import java.util.Locale;
import java.util.Optional;

/**
 * What is running here; nothing native is loaded to know it.
 *
 * @param agent version of this program
 * @param llamaCpp release of llama.cpp that it is built for
 * @param java version of the Java runtime
 * @param platform operating system and processor: {@code mac-arm64}
 */
public record AgentVersion(String agent, String llamaCpp, String java, String platform) {
    public static AgentVersion current() {
        // The jar's manifest; a run from class files has none.
        String agent = Optional.ofNullable(AgentVersion.class.getPackage().getImplementationVersion()).orElse("development");
        return new AgentVersion(agent, NativeLibrary.LLAMA_TAG, Runtime.version().toString(), hostPlatform());
    }

    private static String hostPlatform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch");
        return (os.startsWith("mac") ? "mac" : os) + "-" + switch (arch) {
            case "amd64", "x86_64" -> "x64";
            case "aarch64" -> "arm64";
            default -> arch;
        };
    }

    /** Returns the lines that {@code --version} prints. */
    public String[] lines() {
        return new String[] {"darkbloom-agent " + agent, "llama.cpp " + llamaCpp, "Java " + java, platform};
    }
}
