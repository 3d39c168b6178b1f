package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.protocol.ErrorReason;
import dev.darkbloom.agent.protocol.Failure;
import dev.darkbloom.agent.protocol.RejectionReason;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a refusal tells a newer coordinator besides its codes: which limit refused, what there is room for, and when more (provider protocol, 4.6).
 *
 * @param self knows the models
 * @param board knows the coordinator: an older one is told nothing of it
 */
record LinkForecast(NodeSelf self, LinkBoard board) implements RequestDesk.Forecast {
    @Override
    public double leastFirstContentMs(String modelId, int promptTokens) {
        return self.leastFirstContentMs(modelId, promptTokens);
    }

    @Override
    public Failure explained(Failure failure, Optional<String> modelId, int promptTokens) {
        Optional<RejectionReason> limit = failure.limit();
        if (limit.isEmpty() || !board.isLater()) {
            return failure;
        }
        Optional<NodeSelf.Room> room = modelId.flatMap(id -> self.room(id, promptTokens));
        OptionalLong tokens = room.map(now -> OptionalLong.of(now.freeTokens())).orElse(OptionalLong.empty());
        boolean passes = passes(limit.get()) && !failure.errorReason().equals(Optional.of(ErrorReason.DRAINING));
        OptionalLong feasible = room.filter(now -> now.waitMs() > 0 && passes)
                .map(now -> OptionalLong.of((long) Math.ceil(now.waitMs()))).orElse(OptionalLong.empty());
        return failure.withCapacity(limit.get(), tokens, feasible, board.capacitySeq());
    }

    /** Returns whether waiting helps: what has no room in the machine at all will not have it later. */
    private static boolean passes(RejectionReason limit) {
        return switch (limit) {
            case TOKEN_BUDGET, KV_HEADROOM, SLOT_STATE, DEADLINE -> true;
            case MEMORY_CAP, TEMPLATE, CAPABILITY -> false;
        };
    }
}
