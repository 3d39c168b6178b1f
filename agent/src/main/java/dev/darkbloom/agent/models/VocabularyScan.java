package dev.darkbloom.agent.models;

import dev.darkbloom.agent.models.TokenizerCheck.Family;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Reads every token once: lengths, doubles, and the byte tokens that a family cannot do without.
 *
 * <p>Doubles are found by hashes, so a quarter of a million tokens take two megabytes and not two hundred thousand objects.
 */
final class VocabularyScan {
    /** The longest token of the vocabularies at hand has 1,024 bytes. */
    private static final int TOKEN_BYTES = 4096;
    /** Tries of these families are freed recursively, one level per byte. */
    private static final int TRIE_TOKEN_BYTES = 1024;
    /** PLaMo-2 builds all endings of all tokens: bytes squared. */
    private static final long PLAMO_SQUARED_BYTES = 1L << 28;

    private static final long PRIME = (1L << 61) - 1;

    private final GgufModel model;
    private final Family family;
    private final long multiplier = new SplittableRandom().nextLong(1L << 32, PRIME);
    private final BitSet bytes = new BitSet(256);
    private int index;
    private long squaredBytes;

    VocabularyScan(GgufModel model, Family family) {
        this.model = model;
        this.family = family;
    }

    void check(GgufValue.Array tokens) {
        var hashes = new long[tokens.count()];
        model.header().visit(tokens, token -> {
            byte[] text = asUpstreamSees(token, index);
            checkLength(text.length);
            noteByte(text);
            hashes[index++] = hash(text);
            return true;
        });
        checkDoubles(tokens, hashes);
        checkBytes();
    }

    /** C text ends at a zero, and upstream gives empty tokens a name. */
    private static byte[] asUpstreamSees(byte[] token, int index) {
        int end = 0;
        while (end < token.length && token[end] != 0) {
            end++;
        }
        return end == 0 ? ("[EMPTY_" + index + "]").getBytes(StandardCharsets.US_ASCII) : Arrays.copyOf(token, end);
    }

    private void checkLength(int length) {
        boolean trie = switch (family) {
            case UGM, RWKV, PLAMO2 -> true;
            case SPM, BPE, WPM -> false;
        };
        int limit = trie ? TRIE_TOKEN_BYTES : TOKEN_BYTES;
        if (length > limit) {
            throw model.invalid("token " + index + " has " + length + " bytes; at most " + limit + " are allowed");
        }
        squaredBytes += (long) length * length;
        if (family == Family.PLAMO2 && squaredBytes > PLAMO_SQUARED_BYTES) {
            throw model.invalid("the first " + index + " tokens are too long together for a plamo2 tokenizer");
        }
    }

    /** Hashes to 61 bits, with a multiplier that no file can know. */
    private long hash(byte[] text) {
        long hash = text.length;
        for (byte b : text) {
            hash = times(hash, multiplier) + (b & 0xFF) + 1;
            hash = hash >= PRIME ? hash - PRIME : hash;
        }
        return hash;
    }

    /** Multiplies modulo 2<sup>61</sup> - 1. */
    private static long times(long a, long b) {
        long low = a * b;
        long high = Math.multiplyHigh(a, b);
        long folded = (low & PRIME) + (low >>> 61 | high << 3);
        return folded >= PRIME ? folded - PRIME : folded;
    }

    private void checkDoubles(GgufValue.Array tokens, long[] hashes) {
        long[] sorted = hashes.clone();
        Arrays.sort(sorted);
        Set<Long> doubled = new HashSet<>();
        for (int i = 1; i < sorted.length && doubled.size() < 16; i++) {
            if (sorted[i] == sorted[i - 1]) {
                doubled.add(sorted[i]);
            }
        }
        if (!doubled.isEmpty()) {
            refuseDoubles(tokens, hashes, doubled);
        }
    }

    /** Compares the few tokens with equal hashes byte by byte. */
    private void refuseDoubles(GgufValue.Array tokens, long[] hashes, Set<Long> doubled) {
        Map<String, Integer> seen = new HashMap<>();
        index = 0;
        model.header().visit(tokens, token -> {
            int id = index++;
            if (doubled.contains(hashes[id])) {
                Integer first = seen.putIfAbsent(new String(asUpstreamSees(token, id), StandardCharsets.ISO_8859_1), id);
                if (first != null) {
                    throw model.invalid("tokens " + first + " and " + id + " are the same; llama.cpp needs each token once");
                }
            }
            return true;
        });
    }

    private void noteByte(byte[] text) {
        switch (family) {
            case SPM -> {
                if (text.length == 1) {
                    bytes.set(text[0] & 0xFF);
                } else if (text.length == 6 && text[0] == '<' && text[1] == '0' && text[2] == 'x' && text[5] == '>') {
                    int high = upperHex(text[3]);
                    int low = upperHex(text[4]);
                    if (high >= 0 && low >= 0) {
                        bytes.set(high << 4 | low);
                    }
                }
            }
            case RWKV -> {
                byte[] raw = unescaped(text);
                if (raw.length == 1) {
                    bytes.set(raw[0] & 0xFF);
                }
            }
            case BPE, WPM, UGM, PLAMO2 -> { }
        }
    }

    private static int upperHex(byte c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    }

    /** Reads the escapes of an RWKV token: {@code \t \n \r \xhh}, and any other character for itself. */
    private static byte[] unescaped(byte[] text) {
        var raw = new ByteArrayOutputStream();
        for (int i = 0; i < text.length; i++) {
            if (text[i] != '\\' || i + 1 == text.length) {
                raw.write(text[i]);
                continue;
            }
            switch (text[++i]) {
                case 't' -> raw.write('\t');
                case 'n' -> raw.write('\n');
                case 'r' -> raw.write('\r');
                case 'x' -> {
                    if (i + 2 < text.length) {
                        raw.write(Character.digit(text[i + 1], 16) << 4 | Character.digit(text[i + 2], 16));
                    }
                    i += 2;
                }
                default -> raw.write(text[i]);
            }
        }
        return raw.toByteArray();
    }

    /**
     * A sentence-piece tokenizer throws where a byte that no token covers has no token of its own, and RWKV's never ends: both would be in
     * the middle of serving.
     */
    private void checkBytes() {
        if (family != Family.SPM && family != Family.RWKV) {
            return;
        }
        // A zero cannot be in a text that reaches RWKV's tokenizer as a token: its own text would end there.
        int missing = bytes.nextClearBit(family == Family.RWKV ? 1 : 0);
        if (missing < 256) {
            throw model.invalid(String.format("the vocabulary has no token for byte 0x%02X; all 256 are needed", missing));
        }
    }
}
