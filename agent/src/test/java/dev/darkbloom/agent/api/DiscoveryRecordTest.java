package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.darkbloom.agent.base.Redacted;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiscoveryRecordTest {
    @TempDir
    private Path home;

    private Path file;

    @BeforeEach
    void locate() {
        file = home.resolve("local.json");
    }

    private static DiscoveryRecord record(String bind) {
        return DiscoveryRecord.of(ApiSettings.of(bind, 0, Optional.of(new Redacted("dk-local-x"))), 8000, "1.0.0");
    }

    @Test
    void theFileIsWhatTheSpecSays() throws Exception {
        record("127.0.0.1").write(file);

        var json = new JsonMapper().readTree(Files.readString(file));
        assertThat(json.fieldNames()).toIterable().containsExactly("base_url", "api_key", "host", "port", "pid", "version", "updated_at");
        assertThat(json.get("base_url").asText()).isEqualTo("http://127.0.0.1:8000/v1");
        assertThat(json.get("api_key").asText()).isEqualTo("dk-local-x");
        assertThat(json.get("pid").asLong()).isEqualTo(ProcessHandle.current().pid());
        assertThat(json.get("updated_at").asText()).matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
    }

    @Test
    void theBaseUrlCanBeAskedFromThisMachine() {
        assertThat(DiscoveryRecord.baseUrl("0.0.0.0", 8000)).isEqualTo("http://127.0.0.1:8000/v1");
        assertThat(DiscoveryRecord.baseUrl("::", 8000)).isEqualTo("http://[::1]:8000/v1");
        assertThat(DiscoveryRecord.baseUrl("::1", 9)).isEqualTo("http://[::1]:9/v1");
        assertThat(DiscoveryRecord.baseUrl("192.168.1.7", 9)).isEqualTo("http://192.168.1.7:9/v1");
        assertThat(DiscoveryRecord.baseUrl("localhost", 9)).isEqualTo("http://localhost:9/v1");
    }

    @Test
    void whatIsWrittenIsRead() throws Exception {
        DiscoveryRecord written = record("127.0.0.1");
        written.write(file);

        DiscoveryRecord read = DiscoveryRecord.read(file).orElseThrow();
        assertThat(read.toJson()).isEqualTo(written.toJson());
    }

    @Test
    void withoutAKeyTheKeyIsEmpty() {
        assertThat(DiscoveryRecord.of(ApiSettings.of("127.0.0.1", 0, Optional.empty()), 1, "1").apiKey().reveal()).isEmpty();
    }

    @Test
    void theKeyDoesNotPrint() {
        assertThat(record("127.0.0.1").toString()).doesNotContain("dk-local-x");
    }

    @Test
    void aRecordOfADeadProcessCountsAsNone() throws Exception {
        Process ended = new ProcessBuilder("true").start();
        ended.waitFor();
        record("127.0.0.1").write(file);
        replace("\"pid\" : " + ProcessHandle.current().pid(), "\"pid\" : " + ended.pid());

        assertThat(DiscoveryRecord.read(file)).isEmpty();
    }

    @Test
    void aRecordOlderThanItsProcessCountsAsNone() throws Exception {
        DiscoveryRecord record = record("127.0.0.1");
        record.write(file);
        replace(record.updatedAt().toString(), "2001-01-01T00:00:00Z");

        assertThat(DiscoveryRecord.read(file)).isEmpty();
    }

    @Test
    void noFileAndABrokenFileCountAsNone() throws Exception {
        assertThat(DiscoveryRecord.read(file)).isEmpty();
        String dateless = "{\"base_url\":\"x\",\"api_key\":\"\",\"pid\":1,\"updated_at\":\"soon\"}";
        for (String broken : new String[] {"", "{", "[]", "{\"base_url\":\"x\"}", dateless}) {
            Files.writeString(file, broken);
            assertThat(DiscoveryRecord.read(file)).as(broken).isEmpty();
        }
    }

    @Test
    void onlyItsOwnProcessRemovesARecord() throws Exception {
        record("127.0.0.1").write(file);
        String pid = "\"pid\" : " + ProcessHandle.current().pid();
        replace(pid, "\"pid\" : 1");
        DiscoveryRecord.remove(file);
        assertThat(file).exists();

        replace("\"pid\" : 1", pid);
        DiscoveryRecord.remove(file);
        assertThat(file).doesNotExist();
        DiscoveryRecord.remove(file);
    }

    private void replace(String old, String with) throws Exception {
        String text = Files.readString(file);
        assertThat(text).contains(old);
        Files.writeString(file, text.replace(old, with));
    }
}
