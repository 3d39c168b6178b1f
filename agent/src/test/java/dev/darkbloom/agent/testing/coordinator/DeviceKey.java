package dev.darkbloom.agent.testing.coordinator;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Arrays;
import java.util.Base64;

/** The P-256 key that an agent signs with, read by the JDK alone. */
final class DeviceKey {
    private static final int COORDINATE_BYTES = 32;

    private DeviceKey() {}

    /**
     * Returns whether {@code signature} is {@code point}'s of {@code statement}.
     *
     * @param point a public key as agents write it: base64 of X and Y, with or without the byte 4 before them
     * @param signature base64 of an ECDSA signature over SHA-256, in DER
     */
    static boolean verify(String point, String statement, String signature) throws GeneralSecurityException {
        var check = Signature.getInstance("SHA256withECDSA");
        check.initVerify(key(Base64.getDecoder().decode(point)));
        check.update(statement.getBytes(StandardCharsets.UTF_8));
        return check.verify(Base64.getDecoder().decode(signature));
    }

    private static PublicKey key(byte[] raw) throws GeneralSecurityException {
        var curve = AlgorithmParameters.getInstance("EC");
        curve.init(new ECGenParameterSpec("secp256r1"));
        int y = raw.length - COORDINATE_BYTES;
        int x = y - COORDINATE_BYTES;
        var at = new ECPoint(new BigInteger(1, Arrays.copyOfRange(raw, x, y)), new BigInteger(1, Arrays.copyOfRange(raw, y, raw.length)));
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(at, curve.getParameterSpec(ECParameterSpec.class)));
    }
}
