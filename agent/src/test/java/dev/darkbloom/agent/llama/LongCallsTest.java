package dev.darkbloom.agent.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class LongCallsTest {
    private static final long LONG = LongCalls.SHORT_BYTES + 1;

    @Test
    void aShortCallIsMadeByTheCallerItself() throws Exception {
        var maker = new AtomicReference<Thread>();
        Thread caller = onVirtualThread(() -> {
            LongCalls.run(LongCalls.SHORT_BYTES, () -> note(maker));
            return Thread.currentThread();
        });

        assertThat(maker.get()).isSameAs(caller);
    }

    @Test
    void aLongCallIsMadeByAPlatformThreadAndItsResultReturned() throws Exception {
        var maker = new AtomicReference<Thread>();
        int result = onVirtualThread(() -> LongCalls.run(LONG, () -> note(maker) + 7));

        assertThat(result).isEqualTo(7);
        assertThat(maker.get().isVirtual()).isFalse();
    }

    @Test
    void aLongCallThatNobodyWantsIsNotBegun() {
        var begun = new AtomicBoolean();

        assertThatThrownBy(() -> onVirtualThread(() -> ScopedValue.where(LongCalls.WANTED, () -> false).call(() -> LongCalls.run(LONG, () -> {
            begun.set(true);
            return 0;
        })))).hasCauseInstanceOf(AgentException.class).satisfies(e -> assertThat(((AgentException) e.getCause()).code()).isEqualTo(ErrorCode.CANCELLED));
        assertThat(begun).isFalse();
    }

    @Test
    void anInterruptedCallerWaitsForACallThatHasBegun() throws Exception {
        var begun = new CountDownLatch(1);
        var mayEnd = new CountDownLatch(1);
        var ended = new AtomicBoolean();
        var caller = new AtomicReference<Thread>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Boolean> done = threads.submit(() -> {
                caller.set(Thread.currentThread());
                LongCalls.run(LONG, () -> {
                    begun.countDown();
                    awaitQuietly(mayEnd);
                    ended.set(true);
                    return 0;
                });
                assertThat(ended).isTrue();
                return Thread.currentThread().isInterrupted();
            });
            begun.await();
            caller.get().interrupt();
            mayEnd.countDown();

            assertThat(done.get()).isTrue();
        }
    }

    @Test
    void onlyAFewLongCallsAreMadeAtATime() throws Exception {
        int most = Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
        var running = new AtomicInteger();
        var highest = new AtomicInteger();
        var full = new CountDownLatch(most);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var calls = new ArrayList<Future<Integer>>();
            for (int i = 0; i < 4 * most; i++) {
                calls.add(threads.submit(() -> LongCalls.run(LONG, () -> {
                    highest.accumulateAndGet(running.incrementAndGet(), Math::max);
                    full.countDown();
                    awaitQuietly(full);
                    running.decrementAndGet();
                    return 0;
                })));
            }
            for (Future<Integer> call : calls) {
                call.get();
            }
        }

        assertThat(highest).hasValue(most);
    }

    private static <T> T onVirtualThread(Callable<T> work) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return threads.submit(work).get();
        }
    }

    private static int note(AtomicReference<Thread> maker) {
        maker.set(Thread.currentThread());
        return 0;
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
