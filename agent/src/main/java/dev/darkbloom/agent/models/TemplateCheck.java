package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.TemplateDepth;
import java.util.Map;

/** Checks the chat templates of a file: their type, their size and how deeply they nest. */
final class TemplateCheck {
    static final String KEY = "tokenizer.chat_template";

    private final GgufFile file;

    TemplateCheck(GgufFile file) {
        this.file = file;
    }

    void check() {
        for (Map.Entry<String, GgufValue> entry : file.metadata().entrySet()) {
            if (entry.getKey().equals(KEY) || entry.getKey().startsWith(KEY + ".")) {
                check(entry.getKey(), entry.getValue());
            }
        }
    }

    private void check(String key, GgufValue value) {
        if (!(value instanceof GgufValue.Text(String template))) {
            throw file.invalid(key + " has type " + value.type().label() + "; it must be str");
        }
        int depth = TemplateDepth.of(template);
        if (depth > TemplateDepth.MAX) {
            throw file.invalid(key + " nests " + depth + " deep; at most " + TemplateDepth.MAX + " is allowed");
        }
    }
}
