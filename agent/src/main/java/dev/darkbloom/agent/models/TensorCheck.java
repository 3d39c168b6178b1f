package dev.darkbloom.agent.models;

/** Checks tensors against each other and against the numbers of the header. */
final class TensorCheck {
    private final GgufModel model;

    TensorCheck(GgufModel model) {
        this.model = model;
    }

    void check() {
        if (model.tensors().isEmpty()) {
            throw model.invalid("file holds no tensors, only metadata");
        }
    }
}
