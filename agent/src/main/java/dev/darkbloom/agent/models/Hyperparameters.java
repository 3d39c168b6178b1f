package dev.darkbloom.agent.models;

import java.util.Optional;

/**
 * The keys below the architecture's prefix, read forgivingly: what is absent or of a wrong type is the given default.
 *
 * <p>{@link ModelCheck} refuses files in which that matters; here an estimate or a listing must not fail.
 */
final class Hyperparameters {
    private static final int LIMIT = Integer.MAX_VALUE;

    private final GgufModel model;

    Hyperparameters(GgufModel model) {
        this.model = model;
    }

    /** Returns a number, 0 to {@code Integer.MAX_VALUE}. */
    int whole(String suffix, int otherwise) {
        long value = model.header().whole(model.key(suffix)).orElse(otherwise);
        return value < 0 || value > LIMIT ? otherwise : (int) value;
    }

    boolean has(String suffix) {
        return model.header().metadata().containsKey(model.key(suffix));
    }

    /** Returns one value for each of {@code count} layers, from a scalar or an array; missing ones are {@code otherwise}. */
    int[] perLayer(String suffix, int count, int otherwise) {
        var values = new int[count];
        Optional<GgufValue.Array> array = array(suffix);
        long[] given = array.isPresent() ? model.header().wholes(array.get()) : null;
        int scalar = whole(suffix, otherwise);
        for (int i = 0; i < count; i++) {
            long value = given == null ? scalar : i < given.length ? given[i] : otherwise;
            values[i] = value < 0 || value > LIMIT ? otherwise : (int) value;
        }
        return values;
    }

    /** Returns an array of integers or truth values, if the key is one. */
    Optional<GgufValue.Array> array(String suffix) {
        return model.header().array(model.key(suffix)).filter(array -> switch (array.elementType()) {
            case FLOAT32, FLOAT64, STRING, ARRAY -> false;
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64, BOOL -> true;
        });
    }
}
