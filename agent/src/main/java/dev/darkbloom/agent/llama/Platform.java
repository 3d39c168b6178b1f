package dev.darkbloom.agent.llama;

import java.util.List;
import java.util.Locale;

/** The machines we have libraries for, and how their files are called. */
enum Platform {
    LINUX_X64("linux-x64", "", ".so", BinaryHeader.Machine.ELF_X86_64),
    LINUX_ARM64("linux-arm64", "", ".so", BinaryHeader.Machine.ELF_AARCH64),
    MAC_ARM64("mac-arm64", ".metal", ".dylib", BinaryHeader.Machine.MACH_O_ARM64);

    private final String directory;
    private final String flavour;
    private final String suffix;
    private final BinaryHeader.Machine machine;

    Platform(String directory, String flavour, String suffix, BinaryHeader.Machine machine) {
        this.directory = directory;
        this.flavour = flavour;
        this.suffix = suffix;
        this.machine = machine;
    }

    /**
     * Returns the platform of this process.
     *
     * @throws UnsupportedOperationException on every other one, naming it
     */
    static Platform current() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        boolean arm = arch.equals("aarch64") || arch.equals("arm64");
        boolean x64 = arch.equals("amd64") || arch.equals("x86_64");
        if (os.startsWith("mac") && arm) {
            return MAC_ARM64;
        }
        if (os.startsWith("linux") && (arm || x64)) {
            return arm ? LINUX_ARM64 : LINUX_X64;
        }
        throw new UnsupportedOperationException(
                "no libraries for " + os + " on " + arch + "; there are some for Apple Silicon Macs, Linux x64 and Linux arm64");
    }

    /** Returns the name of the directory that holds this platform's libraries. */
    String directory() {
        return directory;
    }

    BinaryHeader.Machine machine() {
        return machine;
    }

    boolean isMac() {
        return this == MAC_ARM64;
    }

    /** Returns the shim's file name. It is loaded first: its allocator has to come before the others'. */
    String shim() {
        return "libdarkbloom-shim" + suffix;
    }

    /** Returns the file names of llama.cpp's own libraries, each after those it needs. */
    List<String> libraries() {
        String version = flavour + "." + NativeLibrary.LLAMA_TAG;
        return List.of(
                "libggml-base" + suffix, "libggml" + version + suffix, "libllama" + version + suffix, "libllama-common" + suffix);
    }
}
