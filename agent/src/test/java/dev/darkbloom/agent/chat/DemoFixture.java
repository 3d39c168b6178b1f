package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.engine.ModelStatus;
import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.testing.DemoEngine;
import dev.darkbloom.agent.testing.OffHeap;
import dev.darkbloom.agent.testing.RecordingSink;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A front door over the demo model and the real engine, for all tests of a class: a static field with {@code @RegisterExtension}. */
final class DemoFixture implements BeforeAllCallback, AfterAllCallback {
    private final AtomicInteger requests = new AtomicInteger();
    private DemoEngine engine;
    private ResponseStore store;
    private Completions completions;

    @Override
    public void beforeAll(ExtensionContext context) throws InterruptedException {
        engine = DemoEngine.open();
        store = new ResponseStore(new ResponseStore.Limits(64, 16 << 20, Duration.ofHours(1)), NanoClock.SYSTEM);
        completions = new Completions(engine.engine(), CompletionsSettings.defaults(), InstantSource.system(), NanoClock.SYSTEM, Optional.of(store));
    }

    @Override
    public void afterAll(ExtensionContext context) {
        store.close();
        engine.close();
    }

    RecordingSink ask(Endpoint endpoint, String body) {
        return ask(endpoint, body, new RecordingSink());
    }

    /** Asks in the calling thread; every request has an id of its own. */
    RecordingSink ask(Endpoint endpoint, String body, RecordingSink sink) {
        try (Content content = OffHeap.body(body)) {
            completions.run(endpoint, new RequestId("r" + requests.getAndIncrement()), content, sink);
        }
        return sink;
    }

    /** Asks as a coordinator does. */
    RecordingSink relay(String body) {
        var sink = new RecordingSink();
        try (Content content = OffHeap.body(body)) {
            completions.relay(new RequestId("r" + requests.getAndIncrement()), content, sink);
        }
        return sink;
    }

    StoredResponses stored() {
        return new StoredResponses(store, Duration.ZERO);
    }

    /** Returns the model's state and counters. */
    ModelStatus status() {
        return engine.status();
    }
}
