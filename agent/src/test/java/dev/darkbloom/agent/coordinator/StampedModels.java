package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.llama.ChatFormat;
import dev.darkbloom.agent.llama.ChatTemplate;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.llama.TokenSampler;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.DoublePredicate;

/** Real models whose work is watched: when a decode begins, and how long a template and a tokenizer take. One request at a time. */
final class StampedModels implements ModelOpener {
    private final ModelOpener opener;
    volatile long decodeBegan;
    volatile long tokenizeNanos;
    /** When the template was asked, and when a sampler was there: what is between them and the ends is getting to and from them. */
    volatile long templateBegan;
    volatile long samplerMade;
    volatile long templateNanos;

    StampedModels(ModelOpener opener) {
        this.opener = opener;
    }

    /** Forgets the last request. */
    void reset() {
        tokenizeNanos = 0;
        templateNanos = 0;
        decodeBegan = 0;
    }

    @Override
    public MemoryNeed need(ModelSpec spec) {
        return opener.need(spec);
    }

    @Override
    public ModelRuntime open(ModelSpec spec, DoublePredicate progress) {
        ModelRuntime runtime = opener.open(spec, progress);
        ChatTemplate template = watchedTemplate(runtime.chatTemplate());
        return watched(ModelRuntime.class, runtime, (name, call) -> switch (name) {
            case "chatTemplate" -> template;
            case "openDecoder" -> new StampedDecoder((TokenDecoder) call.make());
            case "newSampler" -> {
                Object sampler = call.make();
                samplerMade = System.nanoTime();
                yield sampler;
            }
            default -> call.make();
        });
    }

    private ChatTemplate watchedTemplate(ChatTemplate template) {
        return watched(ChatTemplate.class, template, (name, call) -> {
            if (!name.equals("apply")) {
                return call.make();
            }
            long begun = System.nanoTime();
            templateBegan = begun;
            var format = (ChatFormat) call.make();
            templateNanos = System.nanoTime() - begun;
            return watchedFormat(format);
        });
    }

    private ChatFormat watchedFormat(ChatFormat format) {
        return watched(ChatFormat.class, format, (name, call) -> {
            long begun = System.nanoTime();
            Object result = call.make();
            if (name.equals("tokenize")) {
                tokenizeNanos += System.nanoTime() - begun;
            }
            return result;
        });
    }

    /** The call that is watched. */
    @FunctionalInterface
    private interface Call {
        Object make() throws Throwable;
    }

    /** What stands around it. */
    @FunctionalInterface
    private interface Watch {
        Object around(String method, Call call) throws Throwable;
    }

    private static <T> T watched(Class<T> type, T real, Watch watch) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (_, method, arguments) ->
                watch.around(method.getName(), () -> {
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                })));
    }

    /** Passes all on, by hand: a thousand calls by reflection would be seen in what is measured. */
    private final class StampedDecoder implements TokenDecoder {
        private final TokenDecoder decoder;

        StampedDecoder(TokenDecoder decoder) {
            this.decoder = decoder;
        }

        @Override
        public int decode() {
            if (decodeBegan == 0) {
                decodeBegan = System.nanoTime();
            }
            return decoder.decode();
        }

        @Override
        public int contextTokensPerSequence() {
            return decoder.contextTokensPerSequence();
        }

        @Override
        public int sequences() {
            return decoder.sequences();
        }

        @Override
        public int batchTokens() {
            return decoder.batchTokens();
        }

        @Override
        public int ubatchTokens() {
            return decoder.ubatchTokens();
        }

        @Override
        public ModelRuntime.MemoryKind memoryKind() {
            return decoder.memoryKind();
        }

        @Override
        public int threads() {
            return decoder.threads();
        }

        @Override
        public void computeWith(int threads) {
            decoder.computeWith(threads);
        }

        @Override
        public void replaceThreads(int count, int poll) {
            decoder.replaceThreads(count, poll);
        }

        @Override
        public long cpuNanos() {
            return decoder.cpuNanos();
        }

        @Override
        public void clearBatch() {
            decoder.clearBatch();
        }

        @Override
        public int batchSize() {
            return decoder.batchSize();
        }

        @Override
        public int add(int token, int position, int sequence, boolean wantLogits) {
            return decoder.add(token, position, sequence, wantLogits);
        }

        @Override
        public int sample(TokenSampler sampler, int row) {
            return decoder.sample(sampler, row);
        }

        @Override
        public void logprobs(int row, int token, int top, MemorySegment target, long offset) {
            decoder.logprobs(row, token, top, target, offset);
        }

        @Override
        public boolean removeFrom(int sequence, int position) {
            return decoder.removeFrom(sequence, position);
        }

        @Override
        public void copySequence(int source, int target) {
            decoder.copySequence(source, target);
        }

        @Override
        public int firstPosition(int sequence) {
            return decoder.firstPosition(sequence);
        }

        @Override
        public int lastPosition(int sequence) {
            return decoder.lastPosition(sequence);
        }

        @Override
        public void copyEmbedding(int sequence, MemorySegment target) {
            decoder.copyEmbedding(sequence, target);
        }

        @Override
        public void close() {
            decoder.close();
        }
    }
}
