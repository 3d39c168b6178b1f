package dev.darkbloom.agent.models;

/**
 * One row of the tensor table.
 *
 * @param name at most 63 bytes; unique in its model
 * @param type element type
 * @param ne0 elements of a row, a multiple of the type's block; at least 1, as are the others
 * @param ne1 rows
 * @param ne2 third dimension
 * @param ne3 fourth dimension
 * @param offset first byte, counted from the start of the file
 * @param bytes size without padding
 */
public record GgufTensor(String name, GgmlType type, long ne0, long ne1, long ne2, long ne3, long offset, long bytes) {
    /** Returns the number of weights. */
    public long elements() {
        return ne0 * ne1 * ne2 * ne3;
    }

    /** Returns whether the tensor has these dimensions and 1 in all further ones. */
    boolean hasShape(long... dimensions) {
        long[] own = {ne0, ne1, ne2, ne3};
        for (int i = 0; i < own.length; i++) {
            if (own[i] != (i < dimensions.length ? dimensions[i] : 1)) {
                return false;
            }
        }
        return true;
    }

    /** Returns the shape for messages, for example {@code 64 x 300}; trailing ones are left out. */
    String shape() {
        var text = new StringBuilder().append(ne0);
        if (ne1 != 1 || ne2 != 1 || ne3 != 1) {
            text.append(" x ").append(ne1);
        }
        if (ne2 != 1 || ne3 != 1) {
            text.append(" x ").append(ne2);
        }
        if (ne3 != 1) {
            text.append(" x ").append(ne3);
        }
        return text.toString();
    }
}
