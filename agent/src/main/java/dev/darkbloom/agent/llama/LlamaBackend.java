package dev.darkbloom.agent.llama;

import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.bindings.dbs_device_memory;
import dev.darkbloom.agent.bindings.ggml_log_callback;
import dev.darkbloom.agent.bindings.llama_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.DoublePredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * llama.cpp as a process-wide thing: backends registered, logging redirected, models loaded through it.
 *
 * <p>Opened once by the service. Any thread may call; loads and dry runs take turns, because upstream's dry run swaps the global log
 * callback while it runs.
 */
public final class LlamaBackend implements ModelOpener, AutoCloseable {
    private static final Logger NATIVE_LOG = LoggerFactory.getLogger("llama.cpp");
    private static final int MAX_DEVICES = 64;

    private final ReentrantLock loading = new ReentrantLock();
    private final NativeLibrary library;

    private LlamaBackend(NativeLibrary library) {
        this.library = library;
    }

    /** Registers the backends that lie beside the library, in the order that ggml prefers them. */
    public static LlamaBackend open(NativeLibrary library) {
        llama_h.dbs_silence_common_log();
        llama_h.dbs_log_set(NativeLogCallback.STUB, MemorySegment.NULL);
        try (var scratch = Arena.ofConfined()) {
            llama_h.ggml_backend_load_all_from_path(scratch.allocateFrom(library.directory().toString()));
        }
        llama_h.llama_backend_init();
        return new LlamaBackend(library);
    }

    /**
     * Native lines go to the logger {@code llama.cpp} at debug. The shim drops those of calls that handle content, since llama.cpp logs
     * grammars and model text at debug, too. An exception stays inside.
     */
    private static final class NativeLogCallback {
        static final MemorySegment STUB = ggml_log_callback.allocate(NativeLogCallback::log, Arena.global());

        private static void log(int level, MemorySegment text, MemorySegment userData) {
            try {
                if (NATIVE_LOG.isDebugEnabled()) {
                    NATIVE_LOG.debug("{}", text.reinterpret(Long.MAX_VALUE).getString(0).stripTrailing());
                }
            } catch (Throwable t) {
                // An exception that left an upcall would end the process; a log line is not worth that.
            }
        }
    }

    public NativeLibrary library() {
        return library;
    }

    /**
     * What computes.
     *
     * @param name for example {@code CPU} or {@code Metal}
     * @param description the device's own name
     * @param isGpu whether layers can be given to it
     */
    public record Device(String name, String description, boolean isGpu) {}

    /** Returns the devices that the backends offer. */
    public List<Device> devices() {
        var devices = new ArrayList<Device>();
        for (long i = 0; i < llama_h.ggml_backend_dev_count(); i++) {
            MemorySegment device = llama_h.ggml_backend_dev_get(i);
            int type = llama_h.ggml_backend_dev_type(device);
            devices.add(new Device(
                    llama_h.ggml_backend_dev_name(device).getString(0),
                    llama_h.ggml_backend_dev_description(device).getString(0),
                    type == llama_h.GGML_BACKEND_DEVICE_TYPE_GPU() || type == llama_h.GGML_BACKEND_DEVICE_TYPE_IGPU()));
        }
        return List.copyOf(devices);
    }

    @Override
    public MemoryNeed need(ModelSpec spec) {
        loading.lock();
        try (var scratch = Arena.ofConfined()) {
            MemorySegment rows = dbs_device_memory.allocateArray(MAX_DEVICES, scratch);
            MemorySegment count = scratch.allocate(ValueLayout.JAVA_INT);
            int status = llama_h.dbs_memory_need(scratch.allocateFrom(spec.files().getFirst().toString()), LlamaModel.toNative(spec, scratch),
                    LlamaContext.toNative(spec, scratch), rows, MAX_DEVICES, count);
            Shim.check(status, "memory need of " + spec.id(), ErrorCode.MODEL_INVALID);
            long weights = 0;
            long context = 0;
            long compute = 0;
            for (int i = 0; i < count.get(ValueLayout.JAVA_INT, 0); i++) {
                MemorySegment row = dbs_device_memory.asSlice(rows, i);
                weights += dbs_device_memory.model(row);
                context += dbs_device_memory.context(row);
                compute += dbs_device_memory.compute(row);
            }
            return new MemoryNeed(weights, context, compute);
        } finally {
            loading.unlock();
        }
    }

    @Override
    public ModelRuntime open(ModelSpec spec, DoublePredicate progress) {
        loading.lock();
        try {
            return LlamaModel.load(spec, progress);
        } finally {
            loading.unlock();
        }
    }

    /** Detaches the log; the libraries stay for the life of the process. Every model has been closed. */
    @Override
    public void close() {
        llama_h.dbs_log_set(llama_h.dbs_log_discard$address(), MemorySegment.NULL);
        llama_h.llama_backend_free();
    }
}
