package dev.darkbloom.agent.models;

import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a file name says: the model's id, and which shard of how many it is.
 *
 * @param id the name without {@code .gguf} and without a shard suffix
 * @param shard from 1; 1 for a file that is not split
 * @param shards at least 1
 */
public record ModelFileName(String id, int shard, int shards) {
    public static final String EXTENSION = ".gguf";
    private static final Pattern SHARD = Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})");

    /** Reads the name of a path. */
    public static ModelFileName of(Path path) {
        String name = path.getFileName().toString();
        if (name.toLowerCase(Locale.ROOT).endsWith(EXTENSION)) {
            name = name.substring(0, name.length() - EXTENSION.length());
        }
        Matcher matcher = SHARD.matcher(name);
        if (matcher.matches()) {
            int shard = Integer.parseInt(matcher.group(2));
            int shards = Integer.parseInt(matcher.group(3));
            if (shard >= 1 && shard <= shards) {
                return new ModelFileName(matcher.group(1), shard, shards);
            }
        }
        return new ModelFileName(name, 1, 1);
    }

    /** Returns the file name of another shard, counted from 1; {@code llama_split_path} builds the same. */
    public String shardName(int number) {
        return String.format(Locale.ROOT, "%s-%05d-of-%05d%s", id, number, shards, EXTENSION);
    }
}
