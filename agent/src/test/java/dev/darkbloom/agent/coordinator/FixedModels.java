package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.protocol.CoordinatorMessage.DesiredModel;
import java.util.List;
import java.util.Optional;

/** Models that neither come nor go. {@code loadFailure} is what a load ends with, if with anything. */
record FixedModels(List<Offer> offers, Optional<AgentException> loadFailure) implements NodeModels {
    FixedModels(Offer offer) {
        this(List.of(offer), Optional.empty());
    }

    @Override
    public void load(String modelId) {
        loadFailure.ifPresent(failure -> {
            throw failure;
        });
    }

    @Override
    public void prefetch(String modelId, long priority, PrefetchNews news) {
        news.failed("nothing comes here");
    }

    @Override
    public void desired(List<DesiredModel> models) {
        throw new AssertionError("nobody desires anything here");
    }
}
