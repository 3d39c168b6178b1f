package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.bindings.dbs_layout;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A wrong layout is silent corruption, so each struct we bind is compared with what the C++ compiler says. */
@Tag("native")
class StructLayoutTest {
    private static final List<String> BOUND = List.of(
            "llama_batch", "llama_model_params", "llama_context_params", "llama_logit_bias", "ggml_threadpool_params", "dbs_slice", "dbs_layout",
            "dbs_device_memory", "dbs_pieces_view", "dbs_sampling", "dbs_template_caps", "dbs_chat_inputs", "dbs_chat_info", "dbs_delta");

    @Test
    void everyBoundStructHasTheSizeAndTheOffsetsThatTheCompilerGaveIt() throws ReflectiveOperationException {
        NativeLibrary.load();
        Map<String, Long> compiled = compiledLayouts();

        var differences = new ArrayList<String>();
        for (String struct : BOUND) {
            var layout = (GroupLayout) Class.forName("dev.darkbloom.agent.bindings." + struct).getMethod("layout").invoke(null);
            compare(struct, layout.byteSize(), compiled, differences);
            for (MemoryLayout member : layout.memberLayouts()) {
                if (member.name().isPresent()) {
                    String name = member.name().get();
                    compare(struct + "." + name, layout.byteOffset(MemoryLayout.PathElement.groupElement(name)), compiled, differences);
                }
            }
        }

        assertThat(differences).isEmpty();
    }

    private static void compare(String name, long java, Map<String, Long> compiled, List<String> differences) {
        Long native_ = compiled.get(name);
        if (native_ == null) {
            differences.add(name + ": the shim does not tell");
        } else if (native_ != java) {
            differences.add(name + ": " + java + " in Java, " + native_ + " in C++");
        }
    }

    private static Map<String, Long> compiledLayouts() {
        try (var arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment rows = llama_h.dbs_layouts(count);
            long n = count.get(ValueLayout.JAVA_LONG, 0);
            MemorySegment table = rows.reinterpret(n * dbs_layout.sizeof());
            var layouts = new TreeMap<String, Long>();
            for (long i = 0; i < n; i++) {
                MemorySegment row = dbs_layout.asSlice(table, i);
                layouts.put(dbs_layout.name(row).getString(0), dbs_layout.value(row));
            }
            return layouts;
        }
    }
}
