package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.bindings.llama_h;
import dev.darkbloom.agent.testing.ExportedSymbols;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every name that the bindings look up at run time is in the files that we ship, on every platform. */
@Tag("native")
class BoundSymbolsTest {
    private static final Path LIBRARIES = Path.of(System.getProperty("darkbloom.native.lib"));

    /** jextract makes a method {@code name$address} for each function it binds. */
    private static Set<String> boundFunctions() {
        var names = new TreeSet<String>();
        for (Method method : llama_h.class.getMethods()) {
            if (method.getName().endsWith("$address")) {
                names.add(method.getName().substring(0, method.getName().length() - "$address".length()));
            }
        }
        return names;
    }

    private static Set<String> exports(Platform platform) throws IOException {
        var exported = new HashSet<String>();
        for (String library : platform.libraries()) {
            exported.addAll(ExportedSymbols.of(LIBRARIES.resolve(platform.directory()).resolve(library)));
        }
        return exported;
    }

    @Test
    void theBindingsBindSomethingOfLlamaOfGgmlAndOfTheShim() {
        assertThat(boundFunctions()).contains("llama_model_free", "ggml_backend_dev_count", "dbs_decode");
    }

    @ParameterizedTest
    @EnumSource(Platform.class)
    void everyBoundFunctionOfLlamaIsExportedOnEveryPlatform(Platform platform) throws IOException {
        Set<String> exported = exports(platform);

        assertThat(boundFunctions().stream().filter(name -> !name.startsWith("dbs_"))).isSubsetOf(exported);
    }

    @Test
    void everyBoundFunctionOfTheShimIsExportedByTheShimBuiltHere() throws IOException {
        Platform platform = Platform.current();
        Set<String> exported = ExportedSymbols.of(LIBRARIES.resolve(platform.directory()).resolve(platform.shim()));

        assertThat(boundFunctions().stream().filter(name -> name.startsWith("dbs_"))).isSubsetOf(exported);
    }

    /** The shim cannot be linked for a Mac here, so what it needs of upstream's C++ is looked up in the Mac's own library. */
    @Test
    void everySymbolThatTheShimTakesFromLlamaCommonIsThereOnTheMacToo() throws IOException {
        Set<String> linux = exports(Platform.LINUX_X64);
        Set<String> mac = exports(Platform.MAC_ARM64);
        Path shim = LIBRARIES.resolve(Platform.current().directory()).resolve(Platform.current().shim());
        Stream<String> used = ExportedSymbols.undefinedIn(shim).stream().filter(linux::contains);

        assertThat(used.filter(name -> !mac.contains(name) && !isThereUnderAnotherSpelling(name, mac))).isEmpty();
    }

    /**
     * libstdc++ and libc++ spell the standard library's types differently inside a mangled name (and libstdc++ adds a tag to functions that
     * return a string), so such a name is compared up to its own identifiers; the parameters are the Mac compiler's business.
     */
    private static boolean isThereUnderAnotherSpelling(String mangled, Set<String> mac) {
        boolean namesStandardType = mangled.contains("St") || mangled.contains("Ss") || mangled.contains("B5cxx11");
        String identifiers = identifiers(mangled);
        return namesStandardType && mac.stream().anyMatch(name -> name.startsWith(identifiers));
    }

    /** Returns the beginning of a mangled name up to the end of its length-prefixed identifiers. */
    private static String identifiers(String mangled) {
        int at = 2; // behind _Z
        while (at < mangled.length() && "NKTIVS".indexOf(mangled.charAt(at)) >= 0) {
            at++;
        }
        while (at < mangled.length() && Character.isDigit(mangled.charAt(at))) {
            int digits = at;
            while (Character.isDigit(mangled.charAt(digits))) {
                digits++;
            }
            at = digits + Integer.parseInt(mangled.substring(at, digits));
        }
        return mangled.substring(0, Math.min(at, mangled.length()));
    }

    @Test
    void theMacLibrariesFindEachOtherInsideTheirOwnDirectory() throws IOException {
        Path directory = LIBRARIES.resolve(Platform.MAC_ARM64.directory());
        for (String library : Platform.MAC_ARM64.libraries()) {
            for (String needed : ExportedSymbols.librariesNeededBy(directory.resolve(library))) {
                if (needed.startsWith("@")) {
                    Path sibling = directory.resolve(needed.substring(needed.lastIndexOf('/') + 1));
                    assertThat(Files.exists(sibling)).as("%s needs %s", library, needed).isTrue();
                } else {
                    assertThat(needed).as("%s needs", library).matches("/usr/lib/.*|/System/Library/.*");
                }
            }
        }
    }
}
