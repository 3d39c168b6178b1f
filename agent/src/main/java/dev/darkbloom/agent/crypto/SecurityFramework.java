package dev.darkbloom.agent.crypto;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/**
 * The calls of macOS's Security and CoreFoundation frameworks that a Secure Enclave key takes.
 *
 * <p>Names and types follow {@code SecKey.h}, {@code SecItem.h}, {@code SecAccessControl.h} and {@code CFBase.h}. What a function with
 * <i>Create</i> or <i>Copy</i> in its name returns is ours to release: {@link Scope} does. Constants are addresses of pointer variables;
 * the callbacks of dictionaries are structs and are passed as they are. Immutable; any thread.
 */
final class SecurityFramework {
    private static final String FRAMEWORKS = "/System/Library/Frameworks/";
    private static final int UTF_8 = 0x08000100;
    private static final long SINT32 = 3;                  // kCFNumberSInt32Type
    private static final long PRIVATE_KEY_USAGE = 1L << 30; // kSecAccessControlPrivateKeyUsage

    private final SymbolLookup symbols;
    private final MethodHandle release;
    private final MethodHandle createDictionary;
    private final MethodHandle setValue;
    private final MethodHandle getValue;
    private final MethodHandle createNumber;
    private final MethodHandle createString;
    private final MethodHandle createData;
    private final MethodHandle dataLength;
    private final MethodHandle dataBytes;
    private final MethodHandle errorCode;
    private final MethodHandle createAccessControl;
    private final MethodHandle createRandomKey;
    private final MethodHandle copyAttributes;
    private final MethodHandle createWithData;
    private final MethodHandle copyPublicKey;
    private final MethodHandle copyExternal;
    private final MethodHandle createSignature;

    SecurityFramework(SymbolLookup symbols) {
        this.symbols = symbols;
        release = bind("CFRelease", FunctionDescriptor.ofVoid(ADDRESS));
        createDictionary = bind("CFDictionaryCreateMutable", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));
        setValue = bind("CFDictionarySetValue", FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS));
        getValue = bind("CFDictionaryGetValue", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
        createNumber = bind("CFNumberCreate", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
        createString = bind("CFStringCreateWithCString", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, JAVA_INT));
        createData = bind("CFDataCreate", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, JAVA_LONG));
        dataLength = bind("CFDataGetLength", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
        dataBytes = bind("CFDataGetBytePtr", FunctionDescriptor.of(ADDRESS, ADDRESS));
        errorCode = bind("CFErrorGetCode", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
        createAccessControl = bind("SecAccessControlCreateWithFlags", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
        createRandomKey = bind("SecKeyCreateRandomKey", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
        copyAttributes = bind("SecKeyCopyAttributes", FunctionDescriptor.of(ADDRESS, ADDRESS));
        createWithData = bind("SecKeyCreateWithData", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        copyPublicKey = bind("SecKeyCopyPublicKey", FunctionDescriptor.of(ADDRESS, ADDRESS));
        copyExternal = bind("SecKeyCopyExternalRepresentation", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
        createSignature = bind("SecKeyCreateSignature", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
    }

    /** Returns the frameworks of this system; empty where there are none, which is everywhere but on a Mac. */
    static Optional<SecurityFramework> ofThisSystem() {
        if (!System.getProperty("os.name").startsWith("Mac")) {
            return Optional.empty();
        }
        // By name, not by path: these files exist only inside the system's shared cache.
        SymbolLookup foundation = SymbolLookup.libraryLookup(FRAMEWORKS + "CoreFoundation.framework/CoreFoundation", Arena.global());
        SymbolLookup security = SymbolLookup.libraryLookup(FRAMEWORKS + "Security.framework/Security", Arena.global());
        return Optional.of(new SecurityFramework(security.or(foundation)));
    }

    private MethodHandle bind(String name, FunctionDescriptor shape) {
        return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), shape);
    }

    /** A framework's call failed, with the code that {@code SecBase.h} explains; 0 when it gave none. */
    static final class Failure extends Exception {
        private static final long serialVersionUID = 1L;

        private final long code;

        Failure(String call, long code) {
            super(call + " failed with " + code);
            this.code = code;
        }

        long code() {
            return code;
        }
    }

    /** What a few calls create, released when they are over. Used by one thread. */
    final class Scope implements AutoCloseable {
        private final Arena arena = Arena.ofConfined();
        private final Deque<MemorySegment> owned = new ArrayDeque<>();
        private final MemorySegment error = arena.allocate(ADDRESS);

        private MemorySegment own(MemorySegment created, String call) throws Failure {
            if (created.address() == 0) {
                throw new Failure(call, takeErrorCode());
            }
            owned.push(created);
            return created;
        }

        private long takeErrorCode() throws Failure {
            MemorySegment given = error.get(ADDRESS, 0);
            if (given.address() == 0) {
                return 0;
            }
            error.set(ADDRESS, 0, MemorySegment.NULL);
            owned.push(given);
            try {
                return (long) errorCode.invokeExact(given);
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        /** Leaves {@code created} to the caller. */
        MemorySegment keep(MemorySegment created) {
            owned.remove(created);
            return created;
        }

        /** Returns the value of a constant of the frameworks. */
        MemorySegment constant(String name) {
            return symbols.findOrThrow(name).reinterpret(ADDRESS.byteSize()).get(ADDRESS, 0);
        }

        MemorySegment dictionary() throws Failure {
            try {
                return own((MemorySegment) createDictionary.invokeExact(MemorySegment.NULL, 0L,
                        symbols.findOrThrow("kCFTypeDictionaryKeyCallBacks"), symbols.findOrThrow("kCFTypeDictionaryValueCallBacks")),
                        "CFDictionaryCreateMutable");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        void put(MemorySegment dictionary, MemorySegment key, MemorySegment value) {
            try {
                setValue.invokeExact(dictionary, key, value);
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        /** Returns a value that the dictionary keeps, or NULL. */
        MemorySegment get(MemorySegment dictionary, MemorySegment key) {
            try {
                return (MemorySegment) getValue.invokeExact(dictionary, key);
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        MemorySegment number(int value) throws Failure {
            try {
                return own((MemorySegment) createNumber.invokeExact(MemorySegment.NULL, SINT32, arena.allocateFrom(JAVA_INT, value)),
                        "CFNumberCreate");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        MemorySegment string(String ascii) throws Failure {
            try {
                return own((MemorySegment) createString.invokeExact(MemorySegment.NULL, arena.allocateFrom(ascii), UTF_8),
                        "CFStringCreateWithCString");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        MemorySegment data(byte[] bytes) throws Failure {
            try {
                MemorySegment copy = bytes.length == 0 ? MemorySegment.NULL : arena.allocateFrom(JAVA_BYTE, bytes);
                return own((MemorySegment) createData.invokeExact(MemorySegment.NULL, copy, (long) bytes.length), "CFDataCreate");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        byte[] bytes(MemorySegment data) {
            try {
                long length = (long) dataLength.invokeExact(data);
                var bytes = (MemorySegment) dataBytes.invokeExact(data);
                return bytes.reinterpret(length).toArray(ValueLayout.JAVA_BYTE);
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        /** Returns the rule that the key may sign once somebody has logged in after the machine's start, without asking anybody. */
        MemorySegment accessControl() throws Failure {
            try {
                return own((MemorySegment) createAccessControl.invokeExact(MemorySegment.NULL,
                        constant("kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly"), PRIVATE_KEY_USAGE, error),
                        "SecAccessControlCreateWithFlags");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        MemorySegment newKey(MemorySegment attributes) throws Failure {
            try {
                return own((MemorySegment) createRandomKey.invokeExact(attributes, error), "SecKeyCreateRandomKey");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        MemorySegment keyOf(MemorySegment data, MemorySegment attributes) throws Failure {
            try {
                return own((MemorySegment) createWithData.invokeExact(data, attributes, error), "SecKeyCreateWithData");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        MemorySegment attributes(MemorySegment key) throws Failure {
            try {
                return own((MemorySegment) copyAttributes.invokeExact(key), "SecKeyCopyAttributes");
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        /** Returns the 65 bytes {@code 4 ‖ X ‖ Y} of a key's public half. */
        byte[] publicPart(MemorySegment key) throws Failure {
            try {
                MemorySegment half = own((MemorySegment) copyPublicKey.invokeExact(key), "SecKeyCopyPublicKey");
                return bytes(own((MemorySegment) copyExternal.invokeExact(half, error), "SecKeyCopyExternalRepresentation"));
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        /** Returns the DER form of a signature with SHA-256 over {@code statement}. */
        byte[] sign(MemorySegment key, byte[] statement) throws Failure {
            try {
                return bytes(own((MemorySegment) createSignature.invokeExact(key,
                        constant("kSecKeyAlgorithmECDSASignatureMessageX962SHA256"), data(statement), error), "SecKeyCreateSignature"));
            } catch (Throwable t) {
                throw rethrown(t);
            }
        }

        @Override
        public void close() {
            try {
                while (!owned.isEmpty()) {
                    release.invokeExact(owned.pop());
                }
            } catch (Throwable t) {
                throw failed(t);
            } finally {
                arena.close();
            }
        }
    }

    /** Lets a failure of the frameworks through; everything else is no answer of theirs. */
    private static AgentException rethrown(Throwable t) throws Failure {
        if (t instanceof Failure failure) {
            throw failure;
        }
        return failed(t);
    }

    private static AgentException failed(Throwable t) {
        if (t instanceof Error e) {
            throw e;
        }
        return new AgentException(ErrorCode.INTERNAL, "the Security framework could not be called: " + t.getClass().getSimpleName(), t);
    }
}
