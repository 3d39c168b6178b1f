package dev.darkbloom.agent.llama;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What the first bytes of a shared library say about the machine it was made for; sources: the ELF specification and {@code mach-o/loader.h}. */
final class BinaryHeader {
    private static final int ELF_MAGIC = 0x7f454c46; // big-endian view of 0x7f 'E' 'L' 'F'
    private static final int MACH_O_64_MAGIC = 0xfeedfacf; // little-endian files, read little-endian
    private static final int CPU_TYPE_ARM64 = 0x0100000c;
    private static final int EM_X86_64 = 62;
    private static final int EM_AARCH64 = 183;

    private BinaryHeader() {}

    /** A kind of library. */
    enum Machine {
        ELF_X86_64("Linux x64"),
        ELF_AARCH64("Linux arm64"),
        MACH_O_ARM64("macOS arm64"),
        OTHER("another machine"),
        NOT_A_LIBRARY("no shared library");

        private final String label;

        Machine(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }

    static Machine machineOf(Path file) throws IOException {
        var head = ByteBuffer.allocate(20);
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            while (head.hasRemaining() && channel.read(head) >= 0) {
                // until 20 bytes are there or the file ends
            }
        }
        if (head.position() < 20) {
            return Machine.NOT_A_LIBRARY;
        }
        if (head.order(ByteOrder.BIG_ENDIAN).getInt(0) == ELF_MAGIC) {
            int machine = head.order(ByteOrder.LITTLE_ENDIAN).getShort(18) & 0xffff;
            return switch (machine) {
                case EM_X86_64 -> Machine.ELF_X86_64;
                case EM_AARCH64 -> Machine.ELF_AARCH64;
                default -> Machine.OTHER;
            };
        }
        head.order(ByteOrder.LITTLE_ENDIAN);
        if (head.getInt(0) == MACH_O_64_MAGIC) {
            return head.getInt(4) == CPU_TYPE_ARM64 ? Machine.MACH_O_ARM64 : Machine.OTHER;
        }
        return Machine.NOT_A_LIBRARY;
    }
}
