package dev.darkbloom.agent.llama;

import static dev.darkbloom.agent.base.ErrorCode.NATIVE_LIBRARY_MISMATCH;
import static dev.darkbloom.agent.base.ErrorCode.NATIVE_LIBRARY_MISSING;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.llama_h;
import java.io.IOException;
import java.io.Reader;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/**
 * The pinned llama.cpp libraries and our shim, checked before they are loaded and loaded once per process.
 *
 * <p>Native facts behind the order of {@link #load}: the shim goes first and globally ({@code RTLD_GLOBAL}), so that the allocator it
 * exports, which zeroes what it frees, is the one that every other library finds; everything is loaded by absolute path from one
 * directory, since the same library under two names has two backend registries. Loading cannot be undone.
 */
public final class NativeLibrary {
    /** The release the bindings were generated from; the libraries must be of the same. */
    public static final String LLAMA_TAG = "v0.4.0";

    /** System property that names the directory with one sub-directory per platform. */
    public static final String DIRECTORY_PROPERTY = "darkbloom.native.lib";

    private static final int RTLD_NOW = 2;
    private static final int RTLD_GLOBAL_LINUX = 0x100;
    private static final int RTLD_GLOBAL_MAC = 0x8;

    private static final Object LOADING = new Object();
    private static NativeLibrary loaded; // guarded by LOADING

    private final Path directory;
    private final String llamaVersion;
    private final String build;

    private NativeLibrary(Path directory, String llamaVersion, String build) {
        this.directory = directory;
        this.llamaVersion = llamaVersion;
        this.build = build;
    }

    /**
     * Checks and loads the libraries that {@link #DIRECTORY_PROPERTY} names. A second call returns the first one's result.
     *
     * @throws AgentException {@code NATIVE_LIBRARY_MISSING} or {@code NATIVE_LIBRARY_MISMATCH}; the message names the file, what was found,
     *     what is wanted and the command that mends it
     */
    public static NativeLibrary load() {
        String configured = System.getProperty(DIRECTORY_PROPERTY);
        if (configured == null) {
            throw new AgentException(NATIVE_LIBRARY_MISSING,
                    "no directory of native libraries is configured; start by scripts/darkbloom-agent, or set -D" + DIRECTORY_PROPERTY);
        }
        return load(Path.of(configured));
    }

    static NativeLibrary load(Path root) {
        synchronized (LOADING) {
            if (loaded == null) {
                Platform platform = platform();
                Path directory = root.resolve(platform.directory()).toAbsolutePath().normalize();
                loaded = open(directory, platform, checkedBuild(directory, platform));
            }
            return loaded;
        }
    }

    private static Platform platform() {
        try {
            return Platform.current();
        } catch (UnsupportedOperationException e) {
            throw new AgentException(NATIVE_LIBRARY_MISMATCH, e.getMessage(), e);
        }
    }

    /** Looks at every file without loading it. */
    static void check(Path directory, Platform platform) {
        checkedBuild(directory, platform);
    }

    /** Checks, and returns which build it is. */
    private static String checkedBuild(Path directory, Platform platform) {
        for (String name : platform.libraries()) {
            checkFile(directory.resolve(name), platform);
        }
        checkFile(directory.resolve(platform.shim()), platform);
        Path build = directory.resolve("build.properties");
        var properties = new Properties();
        try (Reader reader = Files.newBufferedReader(build)) {
            properties.load(reader);
        } catch (IOException e) {
            throw problem(NATIVE_LIBRARY_MISSING, build, "no readable file", "the build's own record");
        }
        String tag = properties.getProperty("llama.tag", "no llama.tag");
        if (!tag.equals(LLAMA_TAG)) {
            throw problem(NATIVE_LIBRARY_MISMATCH, build, "llama.cpp " + tag, "llama.cpp " + LLAMA_TAG);
        }
        String changed = properties.getProperty("llama.modified", "false").equals("false") ? "" : " modified";
        return tag + changed + " " + properties.getProperty("source", "unknown") + " " + platform.directory();
    }

    private static void checkFile(Path file, Platform platform) {
        if (!Files.isRegularFile(file)) {
            throw problem(NATIVE_LIBRARY_MISSING, file, "no such file", "a library for " + platform.machine().label());
        }
        BinaryHeader.Machine machine;
        try {
            machine = BinaryHeader.machineOf(file);
        } catch (IOException e) {
            throw problem(NATIVE_LIBRARY_MISSING, file, "a file that cannot be read", "a library for " + platform.machine().label());
        }
        if (machine != platform.machine()) {
            throw problem(NATIVE_LIBRARY_MISMATCH, file, machine.label(), platform.machine().label());
        }
    }

    private static AgentException problem(ErrorCode code, Path file, String found, String wanted) {
        return new AgentException(code, file + ": found " + found + ", wanted " + wanted + "; " + code.remedy());
    }

    private static NativeLibrary open(Path directory, Platform platform, String build) {
        Path shim = directory.resolve(platform.shim());
        openGlobally(shim, platform);
        try {
            for (String name : platform.libraries()) {
                System.load(directory.resolve(name).toString());
            }
            System.load(shim.toString());
        } catch (UnsatisfiedLinkError e) {
            throw new AgentException(NATIVE_LIBRARY_MISMATCH, directory + ": " + e.getMessage() + "; " + NATIVE_LIBRARY_MISMATCH.remedy(), e);
        }
        int abi = llama_h.dbs_abi_version();
        if (abi != llama_h.DBS_ABI_VERSION()) {
            throw problem(NATIVE_LIBRARY_MISMATCH, shim, "shim interface " + abi, "shim interface " + llama_h.DBS_ABI_VERSION());
        }
        String compiledAgainst = llama_h.dbs_llama_tag().getString(0);
        if (!compiledAgainst.equals(LLAMA_TAG)) {
            throw problem(NATIVE_LIBRARY_MISMATCH, shim, "a shim for llama.cpp " + compiledAgainst, "one for " + LLAMA_TAG);
        }
        // The npm build of v0.4.0 answers "0.4.0-dev", so only the numbers are compared.
        String version = llama_h.llama_version().getString(0);
        if (!version.startsWith(LLAMA_TAG.substring(1))) {
            throw problem(NATIVE_LIBRARY_MISMATCH, directory, "llama.cpp " + version, "llama.cpp " + LLAMA_TAG);
        }
        return new NativeLibrary(directory, version, build);
    }

    /**
     * Opens the shim into the process's global scope. {@link System#load} opens libraries for their own dependants only, and a C++ library
     * loaded later would then bind to the standard library's {@code operator delete}, which leaves text in freed memory.
     */
    private static void openGlobally(Path shim, Platform platform) {
        Linker linker = Linker.nativeLinker();
        var dlopen = linker.downcallHandle(linker.defaultLookup().findOrThrow("dlopen"),
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
        var dlerror = linker.downcallHandle(linker.defaultLookup().findOrThrow("dlerror"), FunctionDescriptor.of(ValueLayout.ADDRESS));
        try (var arena = Arena.ofConfined()) {
            int flags = RTLD_NOW | (platform.isMac() ? RTLD_GLOBAL_MAC : RTLD_GLOBAL_LINUX);
            var handle = (MemorySegment) dlopen.invokeExact(arena.allocateFrom(shim.toString()), flags);
            if (handle.address() == 0) {
                var text = (MemorySegment) dlerror.invokeExact();
                String reason = text.address() == 0 ? "no reason given" : text.reinterpret(Long.MAX_VALUE).getString(0);
                throw new AgentException(NATIVE_LIBRARY_MISMATCH, shim + ": " + reason + "; " + NATIVE_LIBRARY_MISMATCH.remedy());
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new AgentException(ErrorCode.INTERNAL, "dlopen could not be called", t);
        }
    }

    /** Returns the directory that everything was loaded from; backends are looked up there too. */
    public Path directory() {
        return directory;
    }

    /** Returns what was built from what, for example {@code v0.4.0 npm linux-x64}: libraries that compute at other speeds have other names. */
    public String build() {
        return build;
    }

    /** Returns what the library says of itself, for example {@code 0.4.0-dev}. */
    public String llamaVersion() {
        return llamaVersion;
    }
}
