package dev.darkbloom.agent.models;

import java.util.Set;

/** Checks the sizes of recurrent layers, as {@code mamba-base.cpp}, {@code rwkv6-base.cpp} and their kin assert on them. */
final class StateCheck {
    /** Architectures whose state is in heads ({@code ssm.time_step_rank} of them) and groups. */
    private static final Set<String> STATE_IN_GROUPS = Set.of(
            "mamba2", "falcon-h1", "granitehybrid", "nemotron_h", "nemotron_h_moe", "qwen3next", "qwen35", "qwen35moe", "qwen4exp");

    private final GgufModel model;
    private final Hyperparameters params;

    StateCheck(GgufModel model) {
        this.model = model;
        params = new Hyperparameters(model);
    }

    void check() {
        int width = params.whole("embedding_length", 0);
        int inner = params.whole("ssm.inner_size", 0);
        switch (model.architecture()) {
            case "mamba", "jamba", "granitehybrid" -> {
                if (inner != 2 * width) {
                    throw model.invalid(model.key("ssm.inner_size") + " is " + inner + "; it must be twice the width of " + width);
                }
            }
            case "rwkv6", "rwkv7", "rwkv6qwen2", "arwkv7" -> {
                int head = params.whole("wkv.head_size", 0);
                if (head == 0 || width % head != 0) {
                    throw model.invalid(model.key("wkv.head_size") + " is " + head + "; it must divide the width of " + width);
                }
                int headsKv = params.whole("attention.head_count_kv", 0);
                if (headsKv != 0 && width / head % headsKv != 0 || model.architecture().equals("rwkv6") && headsKv != 0
                        && headsKv != width / head) {
                    throw model.invalid(model.key("attention.head_count_kv") + " is " + headsKv + " for " + width / head + " heads");
                }
                int shifts = params.whole("token_shift_count", 2);
                int expected = model.architecture().startsWith("rwkv") && !model.architecture().endsWith("qwen2") ? 2 : 1;
                if (shifts != expected) {
                    throw model.invalid(model.key("token_shift_count") + " is " + shifts + "; it must be " + expected);
                }
            }
            case "bailingmoe3" -> {
                double bound = model.header().real(model.key("kda.gate_lower_bound")).orElse(0);
                if (!model.header().flag(model.key("kda.safe_gate"), true) || bound >= 0) {
                    throw model.invalid(model.key("kda.gate_lower_bound") + " is " + bound + "; it must be below 0, and kda.safe_gate not false");
                }
            }
            case "qwen3next", "qwen35", "qwen35moe", "qwen4exp" -> {
                long heads = params.whole("ssm.time_step_rank", 0);
                long state = params.whole("ssm.state_size", 0);
                if (inner != heads * state) {
                    throw model.invalid(model.key("ssm.inner_size") + " is " + inner + "; it must be " + heads + " heads times a state of "
                            + state);
                }
            }
            default -> { }
        }
        if (model.architecture().equals("plamo2") && params.whole("ssm.group_count", 0) != 0) {
            throw model.invalid(model.key("ssm.group_count") + " must be 0");
        }
        if (STATE_IN_GROUPS.contains(model.architecture())) {
            checkGroups(inner);
        }
    }

    private void checkGroups(int inner) {
        int heads = params.whole("ssm.time_step_rank", 0);
        int groups = params.whole("ssm.group_count", 0);
        if (inner == 0 || heads == 0 || groups == 0 || inner % heads != 0 || inner % groups != 0 || heads % groups != 0) {
            throw model.invalid("a state of " + inner + " elements (" + model.key("ssm.inner_size") + ") in " + heads
                    + " heads (ssm.time_step_rank) and " + groups + " groups (ssm.group_count) does not come out even");
        }
    }
}
