package dev.darkbloom.agent.hardware;

import java.util.Map;
import java.util.Objects;

/**
 * An operating system.
 *
 * @param name {@code macOS}, {@code Debian GNU/Linux}
 * @param version {@code 26.5}; empty when it does not say
 * @param build {@code 25F71}; on Linux the kernel's release; empty when it does not say
 */
public record OsVersion(String name, String version, String build) {
    public OsVersion {
        Objects.requireNonNull(name);
        Objects.requireNonNull(version);
        Objects.requireNonNull(build);
    }

    /**
     * Returns a Mac's system from {@code sw_vers}, or from {@code sysctl} where that is silent.
     *
     * <p>To a process that was built against an old SDK macOS calls itself 16 instead of 26 (openjdk/jdk pull request 25865); there never
     * was a 16.
     */
    static OsVersion ofMac(Fields swVers, SysctlOutput sysctl) {
        String version = swVers.text("ProductVersion").orElseGet(() -> sysctl.text("kern.osproductversion", ""));
        String extra = swVers.text("ProductVersionExtra").map(text -> " " + text).orElse("");
        if (version.equals("16") || version.startsWith("16.")) {
            version = "26" + version.substring(2);
        }
        return new OsVersion("macOS", version + extra, swVers.text("BuildVersion").orElseGet(() -> sysctl.text("kern.osversion", "")));
    }

    /** Returns a Linux system from the variables of {@code os-release} and the kernel's release. */
    static OsVersion ofLinux(Map<String, String> osRelease, String kernel) {
        return new OsVersion(osRelease.getOrDefault("NAME", "Linux"), osRelease.getOrDefault("VERSION_ID", ""), kernel);
    }

    /** Returns {@code macOS 26.5 (25F71)}, without what is not known. */
    @Override
    public String toString() {
        return name + (version.isEmpty() ? "" : " " + version) + (build.isEmpty() ? "" : " (" + build + ")");
    }
}
