package dev.darkbloom.agent.crypto;

import static dev.darkbloom.agent.base.ErrorCode.NATIVE_LIBRARY_MISMATCH;
import static dev.darkbloom.agent.base.ErrorCode.NATIVE_LIBRARY_MISSING;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.concurrent.atomic.LongAdder;

/**
 * The few functions of libsodium that the agent calls, loaded once per process from the directory of our own native libraries.
 *
 * <p>Signatures and sizes are those of {@code crypto_box.h}, {@code crypto_hash_sha256.h} and {@code utils.h} of libsodium 1.0.18; C's
 * {@code size_t} and {@code unsigned long long} are both 64 bits wide here. After {@code sodium_init} every function is safe on any thread.
 * A call stops no other thread, but holds the carrier of a virtual one: 300 bytes take about a microsecond, a megabyte about one
 * millisecond.
 */
public final class Sodium {
    /** System property that names the directory with one sub-directory per platform. */
    public static final String DIRECTORY_PROPERTY = "darkbloom.native.lib";

    static final int KEY_BYTES = 32;
    static final int NONCE_BYTES = 24;
    static final int TAG_BYTES = 16;
    static final int HASH_BYTES = 32;

    /** What is looked up, so that a test can find it in the files of every platform. */
    static final List<String> SYMBOLS = List.of("sodium_init", "sodium_malloc", "sodium_free", "sodium_memcmp", "sodium_stackzero",
            "randombytes_buf", "crypto_box_keypair", "crypto_scalarmult_base", "crypto_box_beforenm", "crypto_box_easy_afternm",
            "crypto_box_open_easy_afternm", "crypto_hash_sha256");

    /** What opening and hashing use of the stack, and more. */
    private static final long STACK_BYTES = 8192;

    private static final Object LOADING = new Object();
    private static final LongAdder LOCKED = new LongAdder();
    private static Sodium loaded; // guarded by LOADING

    private final MethodHandle malloc;
    private final MethodHandle free;
    private final MethodHandle compare;
    private final MethodHandle zeroStack;
    private final MethodHandle randomBytes;
    private final MethodHandle keyPair;
    private final MethodHandle publicKey;
    private final MethodHandle sharedKey;
    private final MethodHandle seal;
    private final MethodHandle open;
    private final MethodHandle sha256;

    private Sodium(SymbolLookup library) {
        malloc = bind(library, "sodium_malloc", FunctionDescriptor.of(ADDRESS, JAVA_LONG));
        free = bind(library, "sodium_free", FunctionDescriptor.ofVoid(ADDRESS));
        compare = bind(library, "sodium_memcmp", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG));
        zeroStack = bind(library, "sodium_stackzero", FunctionDescriptor.ofVoid(JAVA_LONG));
        randomBytes = bind(library, "randombytes_buf", FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG));
        keyPair = bind(library, "crypto_box_keypair", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
        publicKey = bind(library, "crypto_scalarmult_base", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
        sharedKey = bind(library, "crypto_box_beforenm", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS));
        seal = bind(library, "crypto_box_easy_afternm", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));
        open = bind(library, "crypto_box_open_easy_afternm", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS,
                ADDRESS));
        sha256 = bind(library, "crypto_hash_sha256", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG));
    }

    private static MethodHandle bind(SymbolLookup library, String name, FunctionDescriptor shape) {
        return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), shape);
    }

    /**
     * Loads libsodium; later calls return the first one's result.
     *
     * @throws AgentException {@code NATIVE_LIBRARY_MISSING} or {@code NATIVE_LIBRARY_MISMATCH}, which name the file
     */
    public static Sodium load() {
        synchronized (LOADING) {
            if (loaded == null) {
                loaded = load(file(System.getProperty(DIRECTORY_PROPERTY)));
            }
            return loaded;
        }
    }

    static Path file(String root) {
        if (root == null) {
            throw new AgentException(NATIVE_LIBRARY_MISSING,
                    "no directory of native libraries is configured; start by scripts/darkbloom-agent, or set -D" + DIRECTORY_PROPERTY);
        }
        boolean arm = List.of("aarch64", "arm64").contains(System.getProperty("os.arch").toLowerCase(Locale.ROOT));
        boolean mac = System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("mac");
        String platform = mac ? "mac-arm64" : arm ? "linux-arm64" : "linux-x64";
        return Path.of(root, platform, mac ? "libsodium.dylib" : "libsodium.so").toAbsolutePath().normalize();
    }

    static Sodium load(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new AgentException(NATIVE_LIBRARY_MISSING, file + ": no such file; " + NATIVE_LIBRARY_MISSING.remedy());
        }
        try {
            // Never unloaded: keys and calls may be anywhere.
            SymbolLookup library = SymbolLookup.libraryLookup(file, Arena.global());
            int refused = (int) bind(library, "sodium_init", FunctionDescriptor.of(JAVA_INT)).invokeExact();
            if (refused < 0) {
                throw new AgentException(ErrorCode.INTERNAL, "libsodium found no source of random numbers");
            }
            return new Sodium(library);
        } catch (AgentException e) {
            throw e;
        } catch (IllegalArgumentException | NoSuchElementException e) {
            throw new AgentException(NATIVE_LIBRARY_MISMATCH, file + ": not libsodium for this machine; "
                    + NATIVE_LIBRARY_MISMATCH.remedy(), e);
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /**
     * Returns {@code bytes} bytes between two inaccessible pages, locked into memory where the system lets us and left out of core files;
     * zeroed and freed when {@code arena} closes.
     */
    MemorySegment allocateLocked(long bytes, Arena arena) {
        try {
            var address = (MemorySegment) malloc.invokeExact(bytes);
            if (address.address() == 0) {
                throw new AgentException(ErrorCode.OUT_OF_MEMORY, "no " + bytes + " bytes of memory for a key");
            }
            LOCKED.increment();
            return address.reinterpret(bytes, arena, this::free);
        } catch (AgentException e) {
            throw e;
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Returns how many pieces of locked memory of this process are not freed yet. */
    static long lockedCount() {
        return LOCKED.sum();
    }

    private void free(MemorySegment memory) {
        try {
            free.invokeExact(memory);
            LOCKED.decrement();
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Returns whether two segments of the same size hold the same bytes, in a time that does not tell where they differ. */
    boolean areEqual(MemorySegment a, MemorySegment b) {
        try {
            return a.byteSize() == b.byteSize() && (int) compare.invokeExact(a, b, a.byteSize()) == 0;
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Writes {@code size} random bytes to {@code target}. */
    void random(MemorySegment target, long size) {
        try {
            randomBytes.invokeExact(target, size);
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Makes an X25519 key pair, 32 bytes each. */
    void newKeyPair(MemorySegment publicPart, MemorySegment secretPart) {
        try {
            int ignored = (int) keyPair.invokeExact(publicPart, secretPart);
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Computes the public part of an X25519 key. */
    void publicPart(MemorySegment publicPart, MemorySegment secretPart) {
        try {
            int ignored = (int) publicKey.invokeExact(publicPart, secretPart);
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Computes the key of a box, 32 bytes; returns false for a public key with which every secret makes the same. */
    boolean sharedKey(MemorySegment shared, MemorySegment publicPart, MemorySegment secretPart) {
        try {
            return (int) sharedKey.invokeExact(shared, publicPart, secretPart) == 0;
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Writes the tag and {@code size} sealed bytes to {@code sealed}, which has room for {@code size + 16}. */
    void seal(MemorySegment sealed, MemorySegment plain, long size, MemorySegment nonce, MemorySegment shared) {
        int result;
        try {
            result = (int) seal.invokeExact(sealed, plain, size, nonce, shared);
        } catch (Throwable t) {
            throw failed(t);
        }
        if (result != 0) {
            throw new AgentException(ErrorCode.INTERNAL, "libsodium refused to seal " + size + " bytes");
        }
    }

    /**
     * Writes {@code size - 16} bytes to {@code plain}, which may overlap {@code sealed}; returns false, and writes none, if it is not
     * authentic.
     *
     * <p>libsodium 1.0.18 leaves the first 32 plain bytes in its block of the stack (it zeroes that block when it seals), where a scan of
     * the process's memory finds them: so the stack below is zeroed.
     */
    boolean open(MemorySegment plain, MemorySegment sealed, long size, MemorySegment nonce, MemorySegment shared) {
        try {
            boolean authentic = (int) open.invokeExact(plain, sealed, size, nonce, shared) == 0;
            zeroStack.invokeExact(STACK_BYTES);
            return authentic;
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    /** Writes the SHA-256 of {@code size} bytes to {@code hash}, 32 bytes. */
    void sha256(MemorySegment hash, MemorySegment bytes, long size) {
        try {
            int ignored = (int) sha256.invokeExact(hash, bytes, size);
            zeroStack.invokeExact(STACK_BYTES); // its state holds the text's last block
        } catch (Throwable t) {
            throw failed(t);
        }
    }

    private static AgentException failed(Throwable t) {
        if (t instanceof Error e) {
            throw e;
        }
        if (t instanceof IllegalStateException || t instanceof WrongThreadException) {
            throw (RuntimeException) t; // memory that was closed, or another thread's: the caller's mistake
        }
        return new AgentException(ErrorCode.INTERNAL, "libsodium could not be called: " + t.getClass().getSimpleName(), t);
    }
}
