package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.RankFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Answers {@code /v1/rerank}: how well each document fits a query, the best first. The shape is Jina's, as llama-server has it; a score is
 * what the model computes, of any sign.
 */
final class RerankEndpoint {
    private static final int MAX_DOCUMENTS = 2048;

    private final RequestContext context;

    RerankEndpoint(RequestContext context) {
        this.context = context;
    }

    void rank(RequestBody body) throws InterruptedException {
        JsonScanner json = body.json();
        Slice query = body.value("query", Kind.STRING);
        if (query.isEmpty()) {
            throw RequestBody.invalid("query", "query is missing");
        }
        Slice documents = documents(body);
        int count = json.count(documents);
        int shown = Math.min(count, body.integer("top_n", 1, Integer.MAX_VALUE, count));
        String model = context.modelName(body);
        try (Closer closer = new Closer()) {
            ModelLease lease = closer.add(context.acquire(model));
            RankFormat format = lease.facts().rank().filter(_ -> lease.spec().embedding()).orElseThrow(() ->
                    new AgentException(ErrorCode.RERANK_NOT_CONFIGURED, "model '" + model + "' does not rank: its pooling type is not rank"));
            RankInputs inputs = closer.add(new RankInputs(format, lease.tokenizer(), text(json, query)));
            PooledInputs pooled = closer.add(new PooledInputs(lease, context.sink(), count));
            float[] relevance = new float[count];
            long tokens = 0;
            JsonScanner.Cursor each = json.elements(documents);
            for (int first = 0; first < count; first += PooledInputs.GROUP) {
                try (Closer group = new Closer()) {
                    List<PromptTokens> pairs = new ArrayList<>();
                    while (pairs.size() < Math.min(count - first, PooledInputs.GROUP)) {
                        each.next();
                        pairs.add(group.add(pair(inputs, json, each.value(), first + pairs.size())));
                        tokens += pairs.getLast().count();
                    }
                    List<MemorySegment> scores = pooled.of(pairs);
                    for (int i = 0; i < scores.size(); i++) {
                        relevance[first + i] = scores.get(i).get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
                    }
                }
            }
            write(closer.add(SseWriter.allocate(shown * 64L + 256)), model, relevance, shown, tokens);
        }
    }

    private static PromptTokens pair(RankInputs inputs, JsonScanner json, Slice document, int index) {
        try (Content text = text(json, document)) {
            PromptTokens pair = inputs.with(text);
            if (pair.count() == 0) {
                pair.close();
                throw RequestBody.invalid("documents", "query and documents[" + index + "] have no tokens");
            }
            return pair;
        }
    }

    private static Slice documents(RequestBody body) {
        JsonScanner json = body.json();
        Slice documents = body.value("documents", Kind.ARRAY);
        int count = documents.isEmpty() ? 0 : json.count(documents);
        if (count == 0) {
            throw RequestBody.invalid("documents", "documents must be an array of strings, at least one");
        }
        if (count > MAX_DOCUMENTS) {
            throw RequestBody.invalid("documents", "documents has " + count + " elements; at most " + MAX_DOCUMENTS + " are allowed");
        }
        int index = 0;
        for (JsonScanner.Cursor each = json.elements(documents); each.next(); index++) {
            if (json.kind(each.value()) != Kind.STRING) {
                throw RequestBody.invalid("documents", "documents[" + index + "] is not a string");
            }
        }
        return documents;
    }

    private static Content text(JsonScanner json, Slice value) {
        Content text = Content.confined(value.length());
        try {
            json.decode(value, text);
            return text;
        } catch (Throwable t) {
            text.close();
            throw t;
        }
    }

    private void write(SseWriter json, String model, float[] relevance, int shown, long tokens) {
        List<Integer> best = IntStream.range(0, relevance.length).boxed()
                .sorted(Comparator.comparingDouble((Integer index) -> relevance[index]).reversed()).limit(shown).toList();
        json.raw("{\"model\":").setting(model);
        json.raw(",\"object\":\"list\",\"usage\":{\"prompt_tokens\":").number(tokens).raw(",\"total_tokens\":").number(tokens).raw("},\"results\":[");
        for (int i = 0; i < best.size(); i++) {
            json.raw(i == 0 ? "" : ",").raw("{\"index\":").number(best.get(i)).raw(",\"relevance_score\":").number(relevance[best.get(i)]).raw("}");
        }
        json.raw("]}");
        context.sink().document(json.segment());
    }
}
