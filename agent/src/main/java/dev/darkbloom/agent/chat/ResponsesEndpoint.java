package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.llama.ModelRuntime.SamplingDefaults;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers OpenAI's Responses API: a chat request in other words, an answer in other words, and what is kept of both. */
final class ResponsesEndpoint {
    /** Stands before the request's id in a response's. */
    static final String ID_PREFIX = "resp_";

    private static final Logger log = LoggerFactory.getLogger(ResponsesEndpoint.class);

    private final RequestContext context;
    private final LongAdder unknownParameters;
    private final Optional<ResponseStore> store;

    /** Borrows all; without a store nothing is kept and nothing runs on by itself. */
    ResponsesEndpoint(RequestContext context, LongAdder unknownParameters, Optional<ResponseStore> store) {
        this.context = context;
        this.unknownParameters = unknownParameters;
        this.store = store;
    }

    /** Answers {@code POST /v1/responses}. */
    void create(RequestBody body) throws InterruptedException {
        boolean background = body.flag("background", false);
        boolean stores = body.flag("store", true);
        if (background && (store.isEmpty() || !stores)) {
            throw AgentException.ofParam(store.isEmpty() ? ErrorCode.UNSUPPORTED_PARAMETER : ErrorCode.INVALID_REQUEST, "background",
                    "a response can run in the background only where it is stored");
        }
        Run run = new Run(body, background, stores ? store : Optional.empty());
        boolean handedOver = false;
        try {
            run.check();
            if (!background) {
                var sink = new CancellableSink(context.sink());
                run.register(sink);
                run.inForeground(sink);
                return;
            }
            var sink = new CancellableSink(new DetachedSink(run.stream ? Optional.of(context.sink()) : Optional.empty()));
            if (!run.register(sink)) {
                throw new AgentException(ErrorCode.QUEUE_FULL, "there is no room to keep one more response");
            }
            if (run.stream) {
                run.inBackground(sink, refusal -> {
                    throw refusal;
                });
                return;
            }
            try (SseWriter queued = SseWriter.allocate(1024)) {
                run.object.write(queued, "queued");
                handedOver = true;
                store.orElseThrow().run("response-" + context.id(), () -> {
                    try (run) {
                        run.inBackground(sink, run.queued::completeExceptionally);
                    }
                });
                run.awaitQueued();
                context.sink().document(queued.segment());
            }
        } finally {
            if (!handedOver) {
                run.close();
            }
        }
    }

    /** Answers {@code POST /v1/responses/input_tokens}: the tokens of the prompt that {@link #create} would make of the same request, uncut. */
    void count(RequestBody body) throws InterruptedException {
        try (Run run = new Run(body, false, Optional.empty());
                SseWriter chat = run.chat(0);
                SseWriter json = SseWriter.allocate(64)) {
            int tokens = new ChatEndpoint(context).promptTokens(RequestBody.read(chat.segment(), Parameters.CHAT, unknownParameters));
            json.raw("{\"object\":\"response.input_tokens\",\"input_tokens\":").number(tokens).raw("}");
            context.sink().document(json.segment());
        }
    }

    /** One response on its way; holds copies of what it needs of the request's body, in memory that any thread may use. */
    private final class Run implements AutoCloseable {
        private final Closer closer = new Closer();
        private final Optional<ResponseStore> keeper;
        private final SseWriter items;
        private final SseWriter settings;
        private final SseWriter event;
        private final SseWriter scratch;
        private final ResponseObject object;
        private final int ownFrom;
        private final boolean stream;
        private final boolean keepsEvents;
        private final boolean truncates;
        /** Done when the engine has taken the request, or has refused it. */
        private final CompletableFuture<Void> queued = new CompletableFuture<>();
        private ResponsesEvents events; // set when a sink is, for a stream

        private Run(RequestBody body, boolean background, Optional<ResponseStore> keeper) {
            this.keeper = keeper;
            try {
                ContentArena memory = closer.add(new ContentArena());
                items = closer.add(memory.writer(1024));
                settings = closer.add(memory.writer(512));
                SseWriter head = closer.add(memory.writer(1024));
                event = closer.add(memory.writer(1024));
                scratch = closer.add(memory.writer(1024));
                stream = body.flag("stream", false);
                keepsEvents = stream && background;
                truncates = ResponsesBody.truncates(body);
                ResponsesBody.writeSettings(body, settings);
                ownFrom = ResponsesItems.write(body, store, context.id().value(), items);
                object = new ResponseObject(head, body, ID_PREFIX + context.id().value(), context.nowSeconds(), context.modelName(body));
            } catch (Throwable t) {
                closer.close();
                throw t;
            }
        }

        /** Refuses what is wrong with the request before anything is kept of it. */
        private void check() {
            try (SseWriter chat = chat(0)) {
                RequestBody body = RequestBody.read(chat.segment(), Parameters.CHAT, unknownParameters);
                AnswerSettings.read(body, context.settings(), true);
                Sampling.read(body, SamplingDefaults.NONE);
                ChatRequest.read(body).close();
            }
        }

        /** Writes the chat request without its oldest items. */
        private SseWriter chat(int skipped) {
            SseWriter chat = SseWriter.allocate(settings.length() + items.length() + 256);
            try {
                chat.raw("{").raw(settings).raw("\"messages\":");
                ResponsesTurns.write(JsonScanner.of(items.segment()), skipped, chat);
                chat.raw("}");
                return chat;
            } catch (Throwable t) {
                chat.close();
                throw t;
            }
        }

        /** Puts the response in the store, if it is to be kept; returns whether it is. */
        private boolean register(CancellableSink sink) {
            events = stream ? new ResponsesEvents(event, sink, 0, this::keepEvent) : null;
            if (keeper.isEmpty()) {
                return false;
            }
            try (SseWriter running = SseWriter.allocate(1024); SseWriter cancelled = SseWriter.allocate(1024)) {
                object.write(running, "in_progress");
                object.write(cancelled, "cancelled");
                return keeper.get().begin(object.id(), items.segment(), ownFrom, running.segment(), cancelled.segment(), sink::cancel,
                        keepsEvents);
            }
        }

        private void keep(MemorySegment ended) {
            keeper.ifPresent(kept -> kept.end(object.id(), ended));
        }

        private void keepEvent(MemorySegment buffer, long size) {
            if (keepsEvents) {
                keeper.ifPresent(kept -> kept.addEvent(object.id(), buffer, size));
            }
        }

        private void inForeground(CancellableSink sink) throws InterruptedException {
            try {
                answer(sink);
            } catch (AgentException e) {
                if (sink.isCancelled()) {
                    tellCancelled(sink);
                    return;
                }
                if (e.code() == ErrorCode.CANCELLED) {
                    keeper.ifPresent(kept -> kept.cancel(object.id()));
                } else {
                    keeper.ifPresent(kept -> kept.delete(object.id()));
                }
                throw e;
            } catch (RuntimeException | Error | InterruptedException e) {
                keeper.ifPresent(kept -> kept.delete(object.id()));
                throw e;
            }
        }

        /** Answers without caring for the client; {@code refused} hears why, where the engine has not taken the request. */
        private void inBackground(CancellableSink sink, Consumer<AgentException> refused) {
            try {
                answer(sink);
            } catch (AgentException e) {
                if (sink.isCancelled()) {
                    tellCancelled(sink);
                } else {
                    log.debug("response failed id={} code={}", object.id(), e.code());
                    tellFailed(sink, e, refused);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                keeper.ifPresent(kept -> kept.cancel(object.id()));
            } catch (RuntimeException e) {
                log.error("response failed id={} cause={}", object.id(), e.getClass().getSimpleName());
                tellFailed(sink, new AgentException(ErrorCode.INTERNAL, "the request failed inside the agent"), refused);
            } finally {
                keeper.ifPresent(kept -> kept.endEvents(object.id()));
                queued.complete(null); // no news where it is known already
            }
        }

        /** Returns when the engine has taken the request; throws what it was refused for. */
        private void awaitQueued() throws InterruptedException {
            try {
                queued.get();
            } catch (ExecutionException e) {
                throw e.getCause() instanceof AgentException refusal ? refusal : new IllegalStateException(e.getCause());
            }
        }

        private void beginStream(CancellableSink sink) {
            if (!events.hasBegun()) {
                sink.beginStream();
                ResponsesShape.begin(events, object, scratch);
            }
        }

        private void tellCancelled(CancellableSink sink) {
            if (stream) {
                beginStream(sink);
                events.abort("cancelled", "the response was cancelled");
            } else {
                object.write(scratch.reset(), "cancelled");
                sink.document(scratch.segment());
            }
        }

        private void tellFailed(CancellableSink sink, AgentException error, Consumer<AgentException> refused) {
            if (!queued.isDone()) {
                keeper.ifPresent(kept -> kept.delete(object.id()));
                refused.accept(error);
                return;
            }
            object.writeFailed(scratch.reset(), error);
            keep(scratch.segment());
            if (stream) {
                beginStream(sink);
                object.writeFailed(scratch.reset(), error);
                events.response("response.failed", scratch);
                sink.abortStream();
            }
        }

        /** Answers; where the conversation is too long and may be cut, once more without its older items, and again. */
        private void answer(CancellableSink sink) throws InterruptedException {
            JsonScanner json = JsonScanner.of(items.segment());
            int count = json.count(json.root());
            for (int skipped = 0;; skipped = Math.min(count - 1, Math.max(1, skipped * 2))) {
                try {
                    answer(sink, skipped);
                    return;
                } catch (AgentException e) {
                    if (e.code() != ErrorCode.CONTEXT_TOO_LONG || !truncates || skipped >= count - 1) {
                        throw e;
                    }
                }
            }
        }

        private void answer(CancellableSink sink, int skipped) throws InterruptedException {
            var inner = new RequestContext(context.pool(), context.settings(), context.clock(), context.nanoClock(), context.id(), sink,
                    context.isRelayed());
            try (SseWriter chat = chat(skipped)) {
                RequestBody body = RequestBody.read(chat.segment(), Parameters.CHAT, unknownParameters);
                AnswerSettings form = AnswerSettings.read(body, context.settings(), true);
                inner.whileWanted(() -> new ChatEndpoint(inner).complete(body, form, ID_PREFIX, (memory, _, _, _) -> new ResponsesShape(
                        memory, object, context.id().value(), Optional.ofNullable(events), sink, context::nowSeconds, () -> queued.complete(null),
                        this::keep)));
            }
        }

        @Override
        public void close() {
            closer.close();
        }
    }
}
