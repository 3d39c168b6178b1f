package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whose word proves that a coordinator is itself: the authorities that Java brings, those that this system trusts (on a Mac the keychain, so that
 * what an organisation's profile installs counts), and those of {@code coordinator.ca_file}. One of them is enough.
 */
final class TrustedAuthorities {
    private static final Logger log = LoggerFactory.getLogger(TrustedAuthorities.class);
    /** Where Linux systems keep theirs; the first that is there is read (as Go's crypto/x509 looks, root_linux.go). */
    private static final List<String> BUNDLES = List.of("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem");
    /** The system's own roots, and what a person or a profile has added. */
    private static final List<String> KEYCHAINS = List.of("KeychainStore-ROOT", "KeychainStore");

    private TrustedAuthorities() {}

    /**
     * Returns what clients make their connections with. Reads files; takes some tens of milliseconds.
     *
     * @param caFile the setting
     * @param environment {@code SSL_CERT_FILE} names a file in place of the system's, as for other programs
     * @throws AgentException {@code CONFIG_INVALID} where {@code caFile} holds no certificates
     */
    static SSLContext context(Optional<Path> caFile, Map<String, String> environment) {
        Set<Certificate> trusted = new LinkedHashSet<>(ofTheSystem(environment));
        caFile.ifPresent(file -> trusted.addAll(required(file)));
        try {
            trusted.addAll(ofJava());
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            int number = 0;
            for (Certificate one : trusted) {
                store.setCertificateEntry("authority-" + number++, one);
            }
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, managers(store), null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("this Java has no TLS", e);
        }
    }

    private static TrustManager[] managers(KeyStore storeOrNullForJava) throws GeneralSecurityException {
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(storeOrNullForJava);
        return factory.getTrustManagers();
    }

    private static List<X509Certificate> ofJava() throws GeneralSecurityException {
        var found = new ArrayList<X509Certificate>();
        for (TrustManager manager : managers(null)) {
            if (manager instanceof X509TrustManager trust) {
                found.addAll(List.of(trust.getAcceptedIssuers()));
            }
        }
        return found;
    }

    private static Collection<? extends Certificate> ofTheSystem(Map<String, String> environment) {
        String named = environment.getOrDefault("SSL_CERT_FILE", "");
        if (!named.isEmpty()) {
            return optional(Path.of(named));
        }
        if (System.getProperty("os.name").startsWith("Mac")) {
            return KEYCHAINS.stream().flatMap(name -> keychain(name).stream()).toList();
        }
        return BUNDLES.stream().map(Path::of).filter(Files::isReadable).findFirst().map(TrustedAuthorities::optional).orElse(List.of());
    }

    private static List<Certificate> keychain(String name) {
        var found = new ArrayList<Certificate>();
        try {
            KeyStore store = KeyStore.getInstance(name);
            store.load(null, null);
            for (String alias : Collections.list(store.aliases())) {
                if (store.isCertificateEntry(alias)) { // only those that are trusted
                    found.add(store.getCertificate(alias));
                }
            }
        } catch (GeneralSecurityException | IOException e) {
            log.warn("the keychain's authorities were not read name={} cause={}", name, e.getClass().getSimpleName());
        }
        return found;
    }

    private static Collection<? extends Certificate> optional(Path file) {
        try {
            return read(file);
        } catch (CertificateException | IOException e) {
            log.warn("the system's authorities were not read file={} cause={}", file, e.getClass().getSimpleName());
            return List.of();
        }
    }

    private static Collection<? extends Certificate> required(Path file) {
        try {
            Collection<? extends Certificate> found = read(file);
            if (!found.isEmpty()) {
                return found;
            }
        } catch (IOException e) {
            throw invalid("cannot be read", file);
        } catch (CertificateException e) {
            throw invalid("holds something else than certificates in PEM", file);
        }
        throw invalid("holds no certificate", file);
    }

    private static AgentException invalid(String what, Path file) {
        return AgentException.ofParam(ErrorCode.CONFIG_INVALID, "coordinator.ca_file", "coordinator.ca_file " + what + ": " + file);
    }

    private static Collection<? extends Certificate> read(Path file) throws CertificateException, IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(in);
        }
    }
}
