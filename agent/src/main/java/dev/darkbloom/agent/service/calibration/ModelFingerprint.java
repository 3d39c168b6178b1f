package dev.darkbloom.agent.service.calibration;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * Names a model by its file's size, its first megabyte and its last. The first holds what decides the speed (architecture, sizes, quantization),
 * the last differs between fine-tunes of one model. Where the file lies does not count, so a model that is moved keeps its calibration; and a
 * file of fifty gigabytes is not read, which would take longer than calibrating anew.
 */
final class ModelFingerprint {
    private static final int EDGE_BYTES = 1 << 20;

    private ModelFingerprint() {}

    /**
     * Returns the name.
     *
     * @param files of a model, all shards in order; of all but the first only the size counts
     */
    static String of(List<Path> files) throws IOException {
        long bytes = 0;
        for (Path file : files) {
            bytes += Files.size(file);
        }
        MessageDigest digest = sha256();
        try (var channel = FileChannel.open(files.getFirst(), StandardOpenOption.READ)) {
            long size = channel.size();
            digest.update(read(channel, 0, size));
            digest.update(read(channel, Math.max(0, size - EDGE_BYTES), size));
        }
        return bytes + "-" + HexFormat.of().formatHex(digest.digest(), 0, 16);
    }

    private static ByteBuffer read(FileChannel channel, long from, long size) throws IOException {
        var buffer = ByteBuffer.allocate((int) Math.min(EDGE_BYTES, size - from));
        while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) >= 0) {
            continue; // a read may give less than was asked for; a file that shrinks gives less than it promised
        }
        return buffer.flip();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
