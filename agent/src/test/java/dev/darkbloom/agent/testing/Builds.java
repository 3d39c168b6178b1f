package dev.darkbloom.agent.testing;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/** Builds of a catalogue, as tests write them. */
public final class Builds {
    private Builds() {}

    /** Returns the manifest of a build whose files are as given; {@code prefix} is {@code b/} and the id with slashes made dashes. */
    public static ObjectNode manifest(String id, Map<String, byte[]> files) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("schema_version", 1).put("model_id", id).put("version", "1").put("r2_prefix", prefix(id));
        var listed = root.putArray("files");
        MessageDigest all = sha256();
        long bytes = 0;
        for (var file : new TreeMap<>(files).entrySet()) {
            byte[] hash = sha256().digest(file.getValue());
            all.update(hash);
            bytes += file.getValue().length;
            listed.addObject().put("path", file.getKey()).put("size_bytes", file.getValue().length).put("sha256", HexFormat.of().formatHex(hash))
                    .put("role", "weights");
        }
        return root.put("aggregate_sha256", HexFormat.of().formatHex(all.digest())).put("total_size_bytes", bytes).put("file_count", files.size())
                .put("created_at", "2026-11-01T00:00:00Z");
    }

    public static String prefix(String id) {
        return "b/" + id.replace('/', '-');
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
