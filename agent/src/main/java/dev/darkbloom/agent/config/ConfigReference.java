package dev.darkbloom.agent.config;

/** Explains the keys, from the table that reads them: for the terminal and for {@code docs/configuration.md}. */
public final class ConfigReference {
    private ConfigReference() {}

    /** Returns what one key is, in a few lines. */
    public static String explain(ConfigKey<?> key) {
        return key.name() + "\n  " + key.meaning() + "\n  value: " + key.type().description() + "\n  default: " + defaultWords(key) + "\n";
    }

    /** Returns what every key is. */
    public static String explainAll() {
        return String.join("\n", ConfigKey.all().stream().map(ConfigReference::explain).toList());
    }

    /** Returns the page {@code docs/configuration.md}. */
    public static String markdown() {
        var page = new StringBuilder("""
                # Settings

                `agent.toml` in the agent's home (`~/.darkbloom-agent`, or `DARKBLOOM_AGENT_HOME`) holds them; `--config FILE` and
                `DARKBLOOM_AGENT_CONFIG` name another file. Flags of `start` win over the file. An unknown key is an error.
                `darkbloom-agent config get|set|unset|explain` reads and edits the file without an editor.

                This page is written by `darkbloom-agent config explain --markdown`; a test compares the two.

                | key | value | default | meaning |
                |---|---|---|---|
                """);
        for (ConfigKey<?> key : ConfigKey.all()) {
            page.append("| `").append(key.name()).append("` | ").append(key.type().description())
                    .append(" | ").append(defaultWords(key).equals("none") ? "none" : "`" + defaultWords(key) + "`")
                    .append(" | ").append(key.meaning()).append(" |\n");
        }
        page.append("""

                `<id>` is a model's id. Ids with dots or slashes are quoted:

                ```toml
                [backend]
                parallel = 4

                [models."my-model-1.5"]
                path = "/Volumes/Models/my-model-1.5-Q4_K_M.gguf"
                context_length = 8192
                ```
                """);
        return page.toString();
    }

    private static String defaultWords(ConfigKey<?> key) {
        return key.defaultToml().equals("\"\"") ? "none" : key.defaultToml();
    }
}
