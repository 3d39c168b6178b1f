package dev.darkbloom.agent.testing.coordinator;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Certificates of an authority that nobody knows, made by the JDK's {@code keytool}: each call is a process of about half a second. */
public final class TestCertificates {
    private static final String PASSWORD = "changeit";
    private static final String AUTHORITY = "authority";

    private final Path store;
    private final Path authority;

    private TestCertificates(Path folder) {
        store = folder.resolve("keys.p12");
        authority = folder.resolve("authority.pem");
    }

    /** Makes an authority; its files lie in {@code folder}. */
    public static TestCertificates in(Path folder) {
        var made = new TestCertificates(folder);
        made.keytool("-genkeypair", "-alias", AUTHORITY, "-keyalg", "EC", "-dname", "CN=Test Authority", "-ext", "bc:c", "-validity", "30");
        made.keytool("-exportcert", "-rfc", "-alias", AUTHORITY, "-file", made.authority.toString());
        return made;
    }

    /** Returns the authority's certificate, in PEM. */
    public Path authority() {
        return authority;
    }

    /**
     * Makes a server's certificate for some days.
     *
     * @param names as in {@code dns:localhost,ip:127.0.0.1}
     * @param begin from when on, as {@code keytool -startdate} takes it: {@code -10d}
     */
    public SslContext server(String names, String begin, int days) {
        String alias = "server" + Math.abs((names + begin + days).hashCode());
        keytool("-genkeypair", "-alias", alias, "-keyalg", "EC", "-dname", "CN=Test Coordinator", "-signer", AUTHORITY, "-ext", "san=" + names,
                "-startdate", begin, "-validity", Integer.toString(days));
        try (InputStream in = Files.newInputStream(store)) {
            KeyStore keys = KeyStore.getInstance("PKCS12");
            keys.load(in, PASSWORD.toCharArray());
            Certificate[] chain = keys.getCertificateChain(alias);
            return SslContextBuilder.forServer((PrivateKey) keys.getKey(alias, PASSWORD.toCharArray()),
                    Arrays.copyOf(chain, 1, X509Certificate[].class)).build();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private void keytool(String... arguments) {
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(arguments));
        command.addAll(List.of("-keystore", store.toString(), "-storetype", "PKCS12", "-storepass", PASSWORD));
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String told = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IllegalStateException(told);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
