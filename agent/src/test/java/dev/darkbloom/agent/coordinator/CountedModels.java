package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.llama.ChatFormat;
import dev.darkbloom.agent.llama.ChatParser;
import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.llama.TokenSampler;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.DoublePredicate;

/**
 * Real models of which every native handle is counted from when it is handed out until it is closed: models, contexts, samplers, chat formats and
 * parsers. Grammars are not counted by themselves: a sampler takes its own.
 */
final class CountedModels implements ModelOpener {
    private static final Set<Class<?>> COUNTED = Set.of(ModelRuntime.class, TokenDecoder.class, TokenSampler.class, ChatFormat.class, ChatParser.class);

    private final ModelOpener opener;
    private final Map<String, AtomicInteger> open = new ConcurrentHashMap<>();
    private final Map<String, AtomicInteger> opened = new ConcurrentHashMap<>();

    CountedModels(ModelOpener opener) {
        this.opener = opener;
    }

    @Override
    public MemoryNeed need(ModelSpec spec) {
        return opener.need(spec);
    }

    @Override
    public ModelRuntime open(ModelSpec spec, DoublePredicate progress) {
        return counted(ModelRuntime.class, opener.open(spec, progress));
    }

    /** Returns what is open, by kind; kinds of which nothing is are left out. */
    Map<String, Integer> open() {
        return positive(open);
    }

    /** Returns what was ever open, by kind. */
    Map<String, Integer> opened() {
        return positive(opened);
    }

    private static Map<String, Integer> positive(Map<String, AtomicInteger> counts) {
        var found = new TreeMap<String, Integer>();
        counts.forEach((kind, count) -> {
            if (count.get() != 0) {
                found.put(kind, count.get());
            }
        });
        return found;
    }

    private <T> T counted(Class<T> type, Object real) {
        if (COUNTED.contains(type)) {
            open.computeIfAbsent(type.getSimpleName(), _ -> new AtomicInteger()).incrementAndGet();
            opened.computeIfAbsent(type.getSimpleName(), _ -> new AtomicInteger()).incrementAndGet();
        }
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, new Counted(type, real)));
    }

    /** Passes a call on, with the real ones of what is counted, and counts what it returns. */
    private final class Counted implements InvocationHandler {
        private final Class<?> type;
        private final Object real;
        private final AtomicBoolean closed = new AtomicBoolean();

        Counted(Class<?> type, Object real) {
            this.type = type;
            this.real = real;
        }

        @Override
        public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
            for (int i = 0; arguments != null && i < arguments.length; i++) {
                if (arguments[i] != null && Proxy.isProxyClass(arguments[i].getClass())
                        && Proxy.getInvocationHandler(arguments[i]) instanceof Counted counted) {
                    arguments[i] = counted.real;
                }
            }
            Object result;
            try {
                result = method.invoke(real, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
            if (method.getName().equals("close") && COUNTED.contains(type) && closed.compareAndSet(false, true)) {
                open.get(type.getSimpleName()).decrementAndGet();
            }
            Class<?> returned = method.getReturnType();
            return result != null && (COUNTED.contains(returned) || returned == ChatTemplate.class) ? counted(returned, result) : result;
        }
    }
}
