package dev.darkbloom.agent.crypto;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.AtomicFile;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/**
 * A P-256 key in a file of the agent's home, for machines without a Secure Enclave: who can read the file can sign as this machine.
 *
 * <p>The file holds the secret half (PKCS #8) and the public one (SubjectPublicKeyInfo) as two lines of base64 and is its owner's alone,
 * mode 0600, written whole or not at all. Immutable; any thread.
 */
public final class SoftwareSigner implements DeviceSigner {
    private static final String ALGORITHM = "SHA256withECDSA";
    private static final int COORDINATE_BYTES = 32;
    private static final long MOST_BYTES = 4096; // of the file; ours has about 320

    private final PrivateKey secretPart;
    private final ECPublicKey publicPart;

    private SoftwareSigner(KeyPair pair) {
        secretPart = pair.getPrivate();
        publicPart = (ECPublicKey) pair.getPublic();
    }

    /**
     * Reads the key in {@code file}, or makes one and writes it there. Others' rights to the file are taken away.
     *
     * @throws AgentException {@code SIGNING_KEY_INVALID} when the file is there and no such key is in it, or cannot be read or written
     */
    public static SoftwareSigner open(Path file) {
        try {
            return new SoftwareSigner(read(file));
        } catch (NoSuchFileException e) {
            return create(file);
        } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
            // Causes of these kinds may quote what they could not read.
            throw invalid(file, "holds no P-256 key that can be read (" + e.getClass().getSimpleName() + ")");
        }
    }

    private static KeyPair read(Path file) throws IOException, GeneralSecurityException {
        AtomicFile.restrictToOwner(file);
        if (Files.size(file) > MOST_BYTES) {
            throw new IllegalArgumentException("too long");
        }
        var lines = Files.readAllLines(file);
        if (lines.size() != 2) {
            throw new IllegalArgumentException("not two lines");
        }
        var factory = KeyFactory.getInstance("EC");
        PrivateKey secretPart = factory.generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(lines.get(0))));
        var publicPart = (ECPublicKey) factory.generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(lines.get(1))));
        if (publicPart.getParams().getCurve().getField().getFieldSize() != 8 * COORDINATE_BYTES) {
            throw new IllegalArgumentException("another curve");
        }
        var pair = new KeyPair(publicPart, secretPart);
        byte[] probe = {1};
        if (!verify(publicPart, probe, sign(secretPart, probe))) {
            throw new IllegalArgumentException("halves of two keys");
        }
        return pair;
    }

    private static SoftwareSigner create(Path file) {
        try {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            KeyPair pair = generator.generateKeyPair();
            var encoder = Base64.getEncoder();
            AtomicFile.write(file, encoder.encodeToString(pair.getPrivate().getEncoded()) + "\n"
                    + encoder.encodeToString(pair.getPublic().getEncoded()) + "\n");
            return new SoftwareSigner(pair);
        } catch (IOException e) {
            throw invalid(file, "cannot be written (" + e.getClass().getSimpleName() + ")");
        } catch (GeneralSecurityException e) {
            throw new AgentException(ErrorCode.INTERNAL, "this Java makes no P-256 keys", e);
        }
    }

    private static AgentException invalid(Path file, String what) {
        return new AgentException(ErrorCode.SIGNING_KEY_INVALID, file + " " + what + "; " + ErrorCode.SIGNING_KEY_INVALID.remedy());
    }

    private static byte[] sign(PrivateKey key, byte[] statement) throws GeneralSecurityException {
        var signature = Signature.getInstance(ALGORITHM);
        signature.initSign(key);
        signature.update(statement);
        return signature.sign();
    }

    private static boolean verify(ECPublicKey key, byte[] statement, byte[] signed) throws GeneralSecurityException {
        var signature = Signature.getInstance(ALGORITHM);
        signature.initVerify(key);
        signature.update(statement);
        return signature.verify(signed);
    }

    @Override
    public String publicKey() {
        var raw = new byte[2 * COORDINATE_BYTES];
        put(publicPart.getW().getAffineX(), raw, 0);
        put(publicPart.getW().getAffineY(), raw, COORDINATE_BYTES);
        return Base64.getEncoder().encodeToString(raw);
    }

    private static void put(BigInteger coordinate, byte[] raw, int offset) {
        byte[] bytes = coordinate.toByteArray(); // two's complement: up to one zero in front, or shorter than its place
        int size = Math.min(bytes.length, COORDINATE_BYTES);
        System.arraycopy(bytes, bytes.length - size, raw, offset + COORDINATE_BYTES - size, size);
    }

    @Override
    public String sign(byte[] statement) {
        try {
            return Base64.getEncoder().encodeToString(sign(secretPart, statement));
        } catch (GeneralSecurityException e) {
            throw new AgentException(ErrorCode.INTERNAL, "signing failed", e);
        }
    }

    @Override
    public boolean isInSecureEnclave() {
        return false;
    }

    /** Returns the public half only. */
    @Override
    public String toString() {
        return "SoftwareSigner[" + publicKey() + "]";
    }
}
