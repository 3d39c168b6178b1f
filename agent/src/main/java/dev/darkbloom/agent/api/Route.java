package dev.darkbloom.agent.api;

import dev.darkbloom.agent.chat.Endpoint;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Every path that is answered, with its method, who may ask and how much may be sent. Any other path is a 404. */
enum Route {
    ROOT(Kind.OPEN, "/"),
    HEALTH(Kind.OPEN, "/health", "/v1/health"),
    MODELS(Kind.PAGE, "/v1/models", "/models"),
    /** One model; its id is the rest of the path and may hold dots and slashes. */
    MODEL(Kind.PAGE, "/v1/models/{id}", "/models/{id}"),
    PROPS(Kind.PAGE, "/props"),
    METRICS(Kind.PAGE, "/metrics"),
    CHAT_COMPLETIONS(Endpoint.CHAT_COMPLETIONS, Bytes.CHAT_BODY, "/v1/chat/completions", "/chat/completions"),
    /** Anthropic's SDK adds {@code /v1/messages} to a base URL that may end in {@code /v1} already. */
    MESSAGES(Endpoint.MESSAGES, Bytes.CHAT_BODY, "/v1/messages", "/messages", "/v1/v1/messages"),
    COUNT_TOKENS(Endpoint.COUNT_TOKENS, Bytes.CHAT_BODY, "/v1/messages/count_tokens", "/messages/count_tokens", "/v1/v1/messages/count_tokens"),
    RESPONSES(Endpoint.RESPONSES, Bytes.BODY, "/v1/responses", "/responses"),
    INPUT_TOKENS(Endpoint.RESPONSES_INPUT_TOKENS, Bytes.BODY, "/v1/responses/input_tokens", "/responses/input_tokens"),
    RESPONSE(Kind.KEPT, "/v1/responses/{id}", "/responses/{id}"),
    RESPONSE_CANCEL(Kind.ACTION, "/v1/responses/{id}/cancel", "/responses/{id}/cancel"),
    RESPONSE_ITEMS(Kind.PAGE, "/v1/responses/{id}/input_items", "/responses/{id}/input_items"),
    COMPLETIONS(Endpoint.COMPLETIONS, Bytes.BODY, "/v1/completions", "/completions", "/completion"),
    EMBEDDINGS(Endpoint.EMBEDDINGS, Bytes.BODY, "/v1/embeddings", "/embeddings", "/embedding"),
    RERANK(Endpoint.RERANK, Bytes.BODY, "/v1/rerank", "/rerank", "/reranking", "/v1/reranking"),
    TOKENIZE(Endpoint.TOKENIZE, Bytes.BODY, "/tokenize"),
    DETOKENIZE(Endpoint.DETOKENIZE, Bytes.BODY, "/detokenize"),
    APPLY_TEMPLATE(Endpoint.APPLY_TEMPLATE, Bytes.BODY, "/apply-template");

    private static final String ID = "/{id}";
    private static final Map<String, Route> EXACT = new HashMap<>();
    private static final Map<String, Route> PREFIXES = new HashMap<>();
    private static final Map<Around, Route> AROUND = new HashMap<>();

    static {
        for (Route route : values()) {
            for (String path : route.paths) {
                if (path.endsWith(ID)) {
                    PREFIXES.put(path.substring(0, path.length() - ID.length() + 1), route);
                } else if (path.contains(ID)) {
                    int id = path.indexOf(ID);
                    AROUND.put(new Around(path.substring(0, id + 1), path.substring(id + ID.length())), route);
                } else {
                    EXACT.put(path, route);
                }
            }
        }
    }

    private final Kind kind;
    private final Optional<Endpoint> endpoint;
    private final int bodyCap;
    private final List<String> paths;

    Route(Kind kind, String... paths) {
        this(kind, Optional.empty(), 0, paths);
    }

    Route(Endpoint endpoint, int bodyCap, String... paths) {
        this(Kind.REQUEST, Optional.of(endpoint), bodyCap, paths);
    }

    Route(Kind kind, Optional<Endpoint> endpoint, int bodyCap, String... paths) {
        this.kind = kind;
        this.endpoint = endpoint;
        this.bodyCap = bodyCap;
        this.paths = List.of(paths);
    }

    /** How a route is asked. */
    enum Kind {
        /** GET, without a key. */
        OPEN,
        /** GET, with the key. */
        PAGE,
        /** GET or DELETE, with the key. */
        KEPT,
        /** POST whose body says nothing, with the key. */
        ACTION,
        /** POST of a body to {@code chat}, with the key. */
        REQUEST
    }

    /** Caps of request bodies. A chat's may carry images; {@code spec/direct-mode-api.md}, A5. */
    private static final class Bytes {
        static final int BODY = 2 << 20;
        static final int CHAT_BODY = 32 << 20;
    }

    /** What stands around the part of a path that names a thing. */
    private record Around(String before, String after) {}

    /** A route and the part of the path that names a thing; empty where the route has none. */
    record Match(Route route, String id) {}

    /** Returns the route of a decoded path, without its query. */
    static Optional<Match> find(String path) {
        Route exact = EXACT.get(path);
        if (exact != null) {
            return Optional.of(new Match(exact, ""));
        }
        for (var around : AROUND.entrySet()) {
            String before = around.getKey().before();
            String after = around.getKey().after();
            if (path.startsWith(before) && path.endsWith(after) && path.length() > before.length() + after.length()) {
                return Optional.of(new Match(around.getValue(), path.substring(before.length(), path.length() - after.length())));
            }
        }
        for (var prefix : PREFIXES.entrySet()) {
            if (path.startsWith(prefix.getKey()) && path.length() > prefix.getKey().length()) {
                return Optional.of(new Match(prefix.getValue(), path.substring(prefix.getKey().length())));
            }
        }
        return Optional.empty();
    }

    /** Returns whether it is answered without a key and to any origin. */
    boolean isOpen() {
        return kind == Kind.OPEN;
    }

    /** Returns whether it speaks as Anthropic's Messages API does, errors and headers included. */
    boolean isMessages() {
        return this == MESSAGES || this == COUNT_TOKENS;
    }

    /** Returns whether clients of both APIs ask it. */
    boolean isOfBothApis() {
        return this == MODELS || this == MODEL;
    }

    /** Returns what {@code chat} calls it; empty for pages. */
    Optional<Endpoint> endpoint() {
        return endpoint;
    }

    /** Returns the largest body in bytes; pages take none. */
    int bodyCap() {
        return bodyCap;
    }

    /** Returns the value of {@code Allow}. */
    String allow() {
        return switch (kind) {
            case REQUEST, ACTION -> "POST, OPTIONS";
            case KEPT -> "GET, HEAD, DELETE, OPTIONS";
            case OPEN, PAGE -> "GET, HEAD, OPTIONS";
        };
    }

    boolean takes(String method) {
        return switch (kind) {
            case REQUEST, ACTION -> method.equals("POST");
            case KEPT -> method.equals("GET") || method.equals("HEAD") || method.equals("DELETE");
            case OPEN, PAGE -> method.equals("GET") || method.equals("HEAD");
        };
    }

    /** Returns the path that stands for it in metrics and logs. */
    String label() {
        return paths.getFirst();
    }
}
