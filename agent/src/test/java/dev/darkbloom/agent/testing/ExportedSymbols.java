package dev.darkbloom.agent.testing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What a shared library exports and needs, read from its file: the ELF dynamic symbol table, or the Mach-O symbol table.
 *
 * <p>Sources: the System V ABI's ELF chapters; Apple's {@code mach-o/loader.h} and {@code mach-o/nlist.h}. 64-bit little-endian files only,
 * which is all that we ship.
 */
public final class ExportedSymbols {
    private static final int ELF_MAGIC = 0x464c457f;
    private static final int SHT_DYNSYM = 11;
    private static final int MACH_O_MAGIC = 0xfeedfacf;
    private static final int LC_SYMTAB = 2;
    private static final int LC_LOAD_DYLIB = 0xc;
    private static final int N_STAB = 0xe0;
    private static final int N_TYPE = 0x0e;
    private static final int N_UNDF = 0;
    private static final int N_EXT = 1;

    private ExportedSymbols() {}

    /** Returns the exported names of {@code file}; the leading underscore of Mach-O names is taken off. */
    public static Set<String> of(Path file) throws IOException {
        try (var channel = FileChannel.open(file)) {
            ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).order(ByteOrder.LITTLE_ENDIAN);
            return switch (bytes.getInt(0)) {
                case ELF_MAGIC -> elf(bytes, true);
                case MACH_O_MAGIC -> machO(bytes);
                default -> throw new IOException(file + " is neither ELF nor 64-bit Mach-O");
            };
        }
    }

    /** Returns the names that an ELF library takes from others. */
    public static Set<String> undefinedIn(Path file) throws IOException {
        try (var channel = FileChannel.open(file)) {
            return elf(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).order(ByteOrder.LITTLE_ENDIAN), false);
        }
    }

    /** Returns the install names of the libraries that a Mach-O library loads. */
    public static List<String> librariesNeededBy(Path file) throws IOException {
        try (var channel = FileChannel.open(file)) {
            ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).order(ByteOrder.LITTLE_ENDIAN);
            var needed = new ArrayList<String>();
            int at = 32;
            for (int i = 0; i < bytes.getInt(16); i++) {
                if (bytes.getInt(at) == LC_LOAD_DYLIB) {
                    needed.add(string(bytes, at + bytes.getInt(at + 8)));
                }
                at += bytes.getInt(at + 4);
            }
            return needed;
        }
    }

    private static Set<String> elf(ByteBuffer bytes, boolean wantDefined) throws IOException {
        int sections = Math.toIntExact(bytes.getLong(0x28));
        int sectionSize = bytes.getShort(0x3a);
        int sectionCount = bytes.getShort(0x3c);
        for (int i = 0; i < sectionCount; i++) {
            int section = sections + i * sectionSize;
            if (bytes.getInt(section + 4) != SHT_DYNSYM) {
                continue;
            }
            int table = Math.toIntExact(bytes.getLong(section + 24));
            int tableBytes = Math.toIntExact(bytes.getLong(section + 32));
            int linked = sections + bytes.getInt(section + 40) * sectionSize;
            int names = Math.toIntExact(bytes.getLong(linked + 24));
            var found = new HashSet<String>();
            for (int at = table; at < table + tableBytes; at += 24) {
                int binding = (bytes.get(at + 4) & 0xff) >> 4;
                int visibility = bytes.get(at + 5) & 3;
                boolean defined = bytes.getShort(at + 6) != 0;
                if (defined == wantDefined && (binding == 1 || binding == 2) && (visibility == 0 || visibility == 3)) {
                    found.add(string(bytes, names + bytes.getInt(at)));
                }
            }
            return found;
        }
        throw new IOException("no dynamic symbol table");
    }

    private static Set<String> machO(ByteBuffer bytes) throws IOException {
        int commands = bytes.getInt(16);
        int at = 32;
        for (int i = 0; i < commands; i++) {
            if (bytes.getInt(at) == LC_SYMTAB) {
                int table = bytes.getInt(at + 8);
                int count = bytes.getInt(at + 12);
                int names = bytes.getInt(at + 16);
                var exported = new HashSet<String>();
                for (int symbol = table; symbol < table + count * 16; symbol += 16) {
                    int type = bytes.get(symbol + 4) & 0xff;
                    if ((type & N_STAB) == 0 && (type & N_EXT) != 0 && (type & N_TYPE) != N_UNDF) {
                        String name = string(bytes, names + bytes.getInt(symbol));
                        exported.add(name.startsWith("_") ? name.substring(1) : name);
                    }
                }
                return exported;
            }
            at += bytes.getInt(at + 4);
        }
        throw new IOException("no symbol table");
    }

    private static String string(ByteBuffer bytes, int at) {
        int end = at;
        while (bytes.get(end) != 0) {
            end++;
        }
        var text = new byte[end - at];
        bytes.get(at, text);
        return new String(text, StandardCharsets.UTF_8);
    }
}
