package dev.darkbloom.agent.models.builds;

import dev.darkbloom.agent.models.ModelEntry;
import dev.darkbloom.agent.models.ModelStore;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/**
 * A build that is whole on this machine, every byte checked when it came.
 *
 * @param id the build's id, which is the model's towards clients
 * @param coordinator address of the coordinator whose catalogue it is of
 * @param isOwners whether the machine's owner had it fetched, and not the coordinator
 * @param aggregateSha256 as in {@link BuildManifest}
 * @param folder holds its files and its record
 * @param files the model's, in order; absolute
 * @param bytes of these files
 * @param fetchedAt when it was whole
 */
public record FetchedBuild(String id, String coordinator, boolean isOwners, String version, String aggregateSha256, Path folder, List<Path> files, long bytes,
        Instant fetchedAt) {
    public FetchedBuild {
        files = List.copyOf(files);
    }

    /** Returns the model as a listing shows it; reads its header. */
    public ModelEntry entry() {
        ModelEntry found = ModelStore.ofPath(files.getFirst());
        return new ModelEntry(id, found.files(), found.sizeBytes(), found.architecture(), found.quantization(), found.trainedContextTokens(),
                found.parameters(), found.problem());
    }
}
