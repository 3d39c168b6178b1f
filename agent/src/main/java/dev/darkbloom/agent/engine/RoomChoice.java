package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.llama.KvLayout;
import java.util.Optional;

/**
 * What may be done to make a model fit the memory there is.
 *
 * @param mayShrink whether context and slots may be made smaller; false when a person asked for just these
 * @param layout how sequences share the KV cache; empty for streams where full ones for all fit, unified otherwise
 */
public record RoomChoice(boolean mayShrink, Optional<KvLayout> layout) {
    /** Returns the choice of somebody who wants just what the spec says, in streams. */
    public static RoomChoice streams(boolean mayShrink) {
        return new RoomChoice(mayShrink, Optional.of(KvLayout.STREAMS));
    }
}
