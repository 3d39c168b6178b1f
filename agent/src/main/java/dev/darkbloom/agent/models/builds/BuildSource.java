package dev.darkbloom.agent.models.builds;

import dev.darkbloom.agent.base.AgentException;
import java.io.IOException;
import java.io.InputStream;

/** Where the files of builds come from. */
public interface BuildSource {
    /**
     * Begins to read a file.
     *
     * @param path prefix and path of a manifest, joined by a slash
     * @param offset byte to begin at
     * @return the rest of the file; the caller closes it. A read that gets nothing for too long ends by an {@link IOException}
     * @throws IOException when another attempt may do better
     * @throws AgentException {@code DOWNLOAD_FAILED} when none would: there is no such file, or it is not ours to read
     * @throws InterruptedException when the calling thread is interrupted
     */
    Opened open(String path, long offset) throws IOException, InterruptedException;

    /**
     * A file that is being read.
     *
     * @param offset byte that {@code body} begins at: the one asked for, or 0 where the source reads only from the beginning
     */
    record Opened(InputStream body, long offset) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            body.close();
        }
    }
}
