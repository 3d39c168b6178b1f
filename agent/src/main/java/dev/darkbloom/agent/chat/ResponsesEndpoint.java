package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.ContentArena;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;

/** Answers OpenAI's Responses API: a chat request in other words, and an answer in other words that may be kept. */
final class ResponsesEndpoint {
    static final String ID_PREFIX = "resp_";

    private final RequestContext context;
    private final LongAdder unknownParameters;
    private final Optional<StoredResponses> stored;

    /**
     * Borrows its parts.
     *
     * @param unknownParameters counts members that nobody documents
     * @param stored where responses are kept; empty where none are
     */
    ResponsesEndpoint(RequestContext context, LongAdder unknownParameters, Optional<StoredResponses> stored) {
        this.context = context;
        this.unknownParameters = unknownParameters;
        this.stored = stored;
    }

    /** Answers {@code POST /v1/responses}. */
    void create(RequestBody body) throws InterruptedException {
        boolean keeps = body.flag("store", true);
        try (var request = new ResponsesBody(body, context.id().value(), stored)) {
            RequestBody chat = RequestBody.read(request.chat(), Parameters.CHAT, unknownParameters);
            AnswerSettings form = AnswerSettings.read(chat, context.settings(), true);
            new ChatEndpoint(context).complete(chat, form, ID_PREFIX, new Shapes(request, form.stream(), keeps ? stored : Optional.empty()));
        }
    }

    private final class Shapes implements ChatEndpoint.Shapes {
        private final ResponsesBody request;
        private final boolean stream;
        private final Optional<StoredResponses> keeper;
        private ResponsesShape shape;

        private Shapes(ResponsesBody request, boolean stream, Optional<StoredResponses> keeper) {
            this.request = request;
            this.stream = stream;
            this.keeper = keeper;
        }

        @Override
        public AnswerShape open(ContentArena memory, ResponseHead head, int promptTokens, int stopStrings) {
            shape = stream
                    ? new ResponsesEvents(memory, head, context.sink(), request, keeper)
                    : new ResponsesDocument(memory, head, context.sink(), request, keeper);
            return shape;
        }

        @Override
        public void submitted(Runnable cancel) {
            shape.keep(cancel);
        }
    }
}
