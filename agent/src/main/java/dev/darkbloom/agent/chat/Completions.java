package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.base.RequestId;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.NanoClock;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The front door: answers one request per call, for the local endpoint and for a coordinator alike.
 *
 * <p>Any number of threads may call {@link #run}, each with its own request; a request's call is made on the virtual thread {@code
 * request-<id>} and blocks until the answer has been handed to the sink.
 */
public final class Completions {
    private static final Logger log = LoggerFactory.getLogger(Completions.class);

    /** What a coordinator says of the API that a body is of. */
    private static final NameTable RELAYED = NameTable.of(List.of("/v1/chat/completions", "/v1/completions", "/v1/messages"));

    private final ModelPool pool;
    private final CompletionsSettings settings;
    private final InstantSource clock;
    private final NanoClock nanoClock;
    private final LongAdder unknownParameters = new LongAdder();
    private final Optional<ResponseStore> responses;

    /**
     * Borrows its parts.
     *
     * @param clock wall time, which answers and templates show
     * @param nanoClock monotonic time; measures silence and deadlines
     */
    public Completions(ModelPool pool, CompletionsSettings settings, InstantSource clock, NanoClock nanoClock) {
        this(pool, settings, clock, nanoClock, Optional.empty());
    }

    /**
     * As the other, with a store.
     *
     * @param responses where responses are kept; empty to keep none
     */
    public Completions(ModelPool pool, CompletionsSettings settings, InstantSource clock, NanoClock nanoClock, Optional<ResponseStore> responses) {
        this.responses = responses;
        this.pool = pool;
        this.settings = settings;
        this.clock = clock;
        this.nanoClock = nanoClock;
    }

    /**
     * Answers a request. A failure before the first byte is thrown; one after it has been told in the stream ({@link
     * ResponseSink#abortStream}), and this returns.
     *
     * @param id stands in the answer's id and in logs
     * @param body the request's JSON; borrowed until this returns, and not written to
     * @throws AgentException what is wrong with the request, the model or the engine; {@code CANCELLED} when the other side is gone or
     *     the thread was interrupted
     */
    public void run(Endpoint endpoint, RequestId id, Content body, ResponseSink sink) {
        run(endpoint, body, new RequestContext(pool, settings, clock, nanoClock, id, sink, false));
    }

    /**
     * Answers a request that a coordinator passed on (provider protocol, 7 and 8): a chat, or what its member {@code endpoint} says. A whole
     * answer has a form that coordinators let through as it is. Parameters and failures as in {@link #run}, but that a sink which takes failures
     * has them thrown at any time.
     */
    public void relay(RequestId id, Content body, ResponseSink sink) {
        run(relayedEndpoint(body), body, new RequestContext(pool, settings, clock, nanoClock, id, sink, true));
    }

    private static Endpoint relayedEndpoint(Content body) {
        JsonScanner json = JsonScanner.of(body.segment());
        Slice value = json.kind(json.root()) == JsonScanner.Kind.OBJECT ? json.member(json.root(), "endpoint") : Slice.EMPTY;
        if (value.isEmpty() || json.kind(value) == JsonScanner.Kind.NULL) {
            return Endpoint.CHAT_COMPLETIONS;
        }
        String name = json.kind(value) == JsonScanner.Kind.STRING ? RELAYED.find(json, value).orElse("") : "";
        return switch (name) {
            case "/v1/chat/completions" -> Endpoint.CHAT_COMPLETIONS;
            case "/v1/completions" -> Endpoint.COMPLETIONS;
            case "/v1/messages" -> Endpoint.MESSAGES;
            default -> throw AgentException.ofParam(ErrorCode.INVALID_REQUEST, "endpoint", "endpoint is not one that this agent answers");
        };
    }

    private void run(Endpoint endpoint, Content body, RequestContext context) {
        long begun = nanoClock.nanoTime();
        try {
            RequestBody request = RequestBody.read(body.segment(), parameters(endpoint), unknownParameters);
            context.whileWanted(() -> answer(endpoint, request, context));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AgentException(ErrorCode.CANCELLED, "the request was interrupted");
        }
        log.debug("request answered id={} endpoint={} ms={}", context.id(), endpoint, (nanoClock.nanoTime() - begun) / 1_000_000);
    }

    private void answer(Endpoint endpoint, RequestBody request, RequestContext context) throws InterruptedException {
        switch (endpoint) {
            case CHAT_COMPLETIONS -> new ChatEndpoint(context).complete(request);
            case COMPLETIONS -> new TextEndpoint(context).complete(request);
            case MESSAGES -> new MessagesEndpoint(context, unknownParameters).create(request);
            case COUNT_TOKENS -> new MessagesEndpoint(context, unknownParameters).count(request);
            case RESPONSES -> new ResponsesEndpoint(context, unknownParameters, responses).create(request);
            case RESPONSES_INPUT_TOKENS -> new ResponsesEndpoint(context, unknownParameters, responses).count(request);
            case EMBEDDINGS -> new EmbeddingsEndpoint(context).embed(request);
            case RERANK -> new RerankEndpoint(context).rank(request);
            case TOKENIZE -> new TokenEndpoints(context).tokenize(request);
            case DETOKENIZE -> new TokenEndpoints(context).detokenize(request);
            case APPLY_TEMPLATE -> new ChatEndpoint(context).render(request);
        }
    }

    private static Parameters parameters(Endpoint endpoint) {
        return switch (endpoint) {
            case CHAT_COMPLETIONS, APPLY_TEMPLATE -> Parameters.CHAT;
            case COMPLETIONS -> Parameters.TEXT;
            case MESSAGES, COUNT_TOKENS -> Parameters.MESSAGES;
            case RESPONSES, RESPONSES_INPUT_TOKENS -> Parameters.RESPONSES;
            case EMBEDDINGS -> Parameters.EMBEDDINGS;
            case RERANK -> Parameters.RERANK;
            case TOKENIZE -> Parameters.TOKENIZE;
            case DETOKENIZE -> Parameters.DETOKENIZE;
        };
    }

    /** Returns how many members nobody documents were ignored since start. */
    public long unknownParameters() {
        return unknownParameters.sum();
    }
}
