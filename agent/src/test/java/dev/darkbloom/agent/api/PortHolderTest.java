package dev.darkbloom.agent.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PortHolderTest {
    @Test
    void lsofNamesTheFirstProcess() {
        // Recorded from lsof -nP -iTCP:18080 -sTCP:LISTEN -Fpc; a second process shares the listening socket.
        var lsof = new LsofPortHolder(port -> port == 18080 ? "p2134\ncpython3\np2140\ncworker\n" : "");

        assertThat(lsof.find(18080)).contains(new PortHolder.Holder(2134, "python3"));
        assertThat(lsof.find(1)).isEmpty();
    }

    @Test
    void namesWithSpacesStayWhole() {
        var lsof = new LsofPortHolder(_ -> "p501\ncLM Studio Helper\nf22\n");
        assertThat(lsof.find(1)).contains(new PortHolder.Holder(501, "LM Studio Helper"));
    }

    @Test
    void outputThatIsNoneOfThisFindsNobody() {
        for (String output : new String[] {"", "\n\n", "p\nc\n", "lsof: unknown option\n", "cpython\n", "pabc\ncpython\n"}) {
            assertThat(new LsofPortHolder(_ -> output).find(1)).as(output).isEmpty();
        }
    }

    @Test
    void procIsSearchedForTheListeningSocketOnly(@TempDir Path proc) throws Exception {
        Files.createDirectories(proc.resolve("net"));
        Files.writeString(proc.resolve("net/tcp"), """
                  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
                   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
                   1: 0100007F:1F40 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
                   2: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
                """);
        addProcess(proc, 10, "client", 4712);
        addProcess(proc, 11, "other", 4713);
        addProcess(proc, 12, "llama-server", 4711);

        assertThat(new ProcPortHolder(proc).find(8000)).contains(new PortHolder.Holder(12, "llama-server"));
        assertThat(new ProcPortHolder(proc).find(8002)).isEqualTo(Optional.empty());
        assertThat(new ProcPortHolder(proc).find(8000).orElseThrow()).hasToString("llama-server, pid 12");
    }

    private static void addProcess(Path proc, int pid, String name, int inode) throws Exception {
        Path descriptors = Files.createDirectories(proc.resolve(Integer.toString(pid)).resolve("fd"));
        Files.writeString(descriptors.resolveSibling("comm"), name + "\n");
        Files.createSymbolicLink(descriptors.resolve("0"), Path.of("pipe:[1]"));
        Files.createSymbolicLink(descriptors.resolve("3"), Path.of("socket:[" + inode + "]"));
    }
}
