package dev.darkbloom.agent.models;

import dev.darkbloom.agent.base.AgentException;

/**
 * Judges whether a well-formed model makes sense: whether llama.cpp could load it and would survive doing so.
 *
 * <p>Upstream throws on much of what is wrong, which is a refusal, but it asserts on some of it and divides by or indexes with numbers from
 * the file elsewhere, which ends the process. The checks behind this class name what they follow.
 *
 * <p>Held against the pinned release: for 122 architectures a smallest loadable model and some hundred mutants of each. Of {@code plm},
 * {@code deepseek32}, {@code deepseek4}, {@code glm-dsa}, {@code dots3note} and {@code minimax-m3} no such model was at hand; for them only
 * the checks hold that hold for all.
 */
public final class ModelCheck {
    private ModelCheck() {}

    /**
     * Checks everything.
     *
     * @throws AgentException {@code MODEL_INVALID}; the message names the file, the key or tensor, its value and what would be right
     */
    public static void check(GgufModel model) {
        checkArchitecture(model);
        new HyperparameterCheck(model).check();
        new AttentionCheck(model).check();
        new StateCheck(model).check();
        new TokenizerCheck(model).check();
        new TensorCheck(model).check();
        new PresenceCheck(model).check();
        new TemplateCheck(model.header()).check();
    }

    private static void checkArchitecture(GgufModel model) {
        if (model.header().text("general.architecture").isEmpty()) {
            throw model.invalid("general.architecture is missing or no text");
        }
        String architecture = model.architecture();
        if (Architectures.isPart(architecture)) {
            throw model.invalid("architecture " + architecture + " is a part of another model and cannot be served by itself");
        }
        if (Architectures.isOtherKind(architecture)) {
            throw model.invalid("architecture " + architecture + " does not generate token by token, so it cannot be served");
        }
        if (!Architectures.isServable(architecture)) {
            throw model.invalid("architecture " + shortened(architecture) + " is not one that this llama.cpp knows");
        }
        String type = model.header().text("general.type").orElse("model");
        if (!type.equals("model")) {
            throw model.invalid("general.type is " + shortened(type) + "; only files of type model can be served");
        }
    }

    /** Returns text from a file as a message may quote it. */
    static String shortened(String text) {
        return text.length() <= 64 ? text : text.substring(0, 64) + "…";
    }
}
