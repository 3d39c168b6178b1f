package dev.darkbloom.agent.api;

import dev.darkbloom.agent.base.RequestId;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;

/** Makes request ids: 24 hexadecimal digits, so that ids made from them do not repeat when the agent starts again. */
final class RequestIds {
    private RequestIds() {}

    static RequestId next() {
        var random = ThreadLocalRandom.current();
        HexFormat hex = HexFormat.of();
        return new RequestId(hex.toHexDigits(random.nextLong()) + hex.toHexDigits(random.nextInt()));
    }
}
