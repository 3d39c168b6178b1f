package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;

/**
 * A P-256 key inside the Secure Enclave of a Mac, made and used without an entitlement: the key is not in the keychain, and the file keeps
 * the enclave's own sealed form of it, which no other machine can use.
 *
 * <p>The file has two lines of base64, the sealed form and the public half, and mode 0600. The key's handle is kept for the life of the
 * process. Written by the frameworks' headers and sources and driven by a twin of them in tests; it has not run on a Mac yet. Any thread.
 */
public final class SecureEnclaveSigner implements DeviceSigner {
    private static final String SEALED_FORM = "toid"; // kSecAttrTokenOID of SecItemPriv.h
    private static final int PUBLIC_BYTES = 65;
    private static final long MOST_BYTES = 16_384;    // of the file; the sealed form has about 570

    private final SecurityFramework framework;
    private final MemorySegment key;
    private final byte[] publicPart;

    private SecureEnclaveSigner(SecurityFramework framework, MemorySegment key, byte[] publicPart) {
        this.framework = framework;
        this.key = key;
        this.publicPart = publicPart;
    }

    /**
     * Returns the key that {@code file} keeps, or makes one and keeps it there.
     *
     * @return empty where this machine has no enclave that makes keys, as in most virtual machines and on everything but a Mac
     * @throws AgentException {@code SIGNING_KEY_INVALID} when the file is there and the enclave does not take it, or it cannot be read or
     *     written: another identity is never made in silence
     */
    public static Optional<DeviceSigner> open(Path file) {
        Optional<SecurityFramework> framework = SecurityFramework.ofThisSystem();
        return framework.isEmpty() ? Optional.empty() : open(framework.get(), file);
    }

    static Optional<DeviceSigner> open(SecurityFramework framework, Path file) {
        try {
            return Optional.of(restore(framework, file));
        } catch (NoSuchFileException e) {
            return create(framework, file);
        } catch (SecurityFramework.Failure e) {
            throw invalid(file, "is not taken by this machine's Secure Enclave (" + e.code() + ")");
        } catch (IOException | IllegalArgumentException e) {
            throw invalid(file, "holds no Secure Enclave key that can be read (" + e.getClass().getSimpleName() + ")");
        }
    }

    private static DeviceSigner restore(SecurityFramework framework, Path file) throws IOException, SecurityFramework.Failure {
        AtomicFile.restrictToOwner(file);
        if (Files.size(file) > MOST_BYTES) {
            throw new IllegalArgumentException("too long");
        }
        var lines = Files.readAllLines(file);
        if (lines.size() != 2) {
            throw new IllegalArgumentException("not two lines");
        }
        byte[] sealed = Base64.getDecoder().decode(lines.get(0));
        byte[] expected = Base64.getDecoder().decode(lines.get(1));
        try (var scope = framework.new Scope()) {
            MemorySegment attributes = scope.dictionary();
            // As data instead of an attribute it would make a new key.
            scope.put(attributes, scope.string(SEALED_FORM), scope.data(sealed));
            scope.put(attributes, scope.constant("kSecAttrTokenID"), scope.constant("kSecAttrTokenIDSecureEnclave"));
            scope.put(attributes, scope.constant("kSecAttrKeyType"), scope.constant("kSecAttrKeyTypeECSECPrimeRandom"));
            scope.put(attributes, scope.constant("kSecAttrKeyClass"), scope.constant("kSecAttrKeyClassPrivate"));
            MemorySegment key = scope.keyOf(scope.data(new byte[0]), attributes);
            byte[] publicPart = scope.publicPart(key);
            if (!Arrays.equals(publicPart, expected)) {
                throw new IllegalArgumentException("another key");
            }
            return new SecureEnclaveSigner(framework, scope.keep(key), publicPart);
        }
    }

    private static Optional<DeviceSigner> create(SecurityFramework framework, Path file) {
        try (var scope = framework.new Scope()) {
            MemorySegment secretAttributes = scope.dictionary();
            // A permanent key, which is the default here, wants an entitlement: -34018.
            scope.put(secretAttributes, scope.constant("kSecAttrIsPermanent"), scope.constant("kCFBooleanFalse"));
            scope.put(secretAttributes, scope.constant("kSecAttrAccessControl"), scope.accessControl());
            MemorySegment attributes = scope.dictionary();
            scope.put(attributes, scope.constant("kSecAttrTokenID"), scope.constant("kSecAttrTokenIDSecureEnclave"));
            scope.put(attributes, scope.constant("kSecAttrKeyType"), scope.constant("kSecAttrKeyTypeECSECPrimeRandom"));
            scope.put(attributes, scope.constant("kSecAttrKeySizeInBits"), scope.number(256));
            scope.put(attributes, scope.constant("kSecPrivateKeyAttrs"), secretAttributes);
            MemorySegment key = scope.newKey(attributes);
            byte[] publicPart = scope.publicPart(key);
            MemorySegment sealed = scope.get(scope.attributes(key), scope.string(SEALED_FORM));
            if (sealed.address() == 0 || publicPart.length != PUBLIC_BYTES) {
                return Optional.empty(); // a key that could not be found again is none
            }
            var encoder = Base64.getEncoder();
            AtomicFile.write(file, encoder.encodeToString(scope.bytes(sealed)) + "\n" + encoder.encodeToString(publicPart) + "\n");
            return Optional.of(new SecureEnclaveSigner(framework, scope.keep(key), publicPart));
        } catch (SecurityFramework.Failure e) {
            return Optional.empty();
        } catch (IOException e) {
            throw invalid(file, "cannot be written (" + e.getClass().getSimpleName() + ")");
        }
    }

    private static AgentException invalid(Path file, String what) {
        return new AgentException(ErrorCode.SIGNING_KEY_INVALID, file + " " + what + "; " + ErrorCode.SIGNING_KEY_INVALID.remedy());
    }

    @Override
    public String publicKey() {
        return Base64.getEncoder().encodeToString(Arrays.copyOfRange(publicPart, 1, PUBLIC_BYTES));
    }

    @Override
    public String sign(byte[] statement) {
        try (var scope = framework.new Scope()) {
            return Base64.getEncoder().encodeToString(scope.sign(key, statement));
        } catch (SecurityFramework.Failure e) {
            throw new AgentException(ErrorCode.INTERNAL, "the Secure Enclave did not sign (" + e.code() + ")", e);
        }
    }

    @Override
    public boolean isInSecureEnclave() {
        return true;
    }

    /** Returns the public half only. */
    @Override
    public String toString() {
        return "SecureEnclaveSigner[" + publicKey() + "]";
    }
}
