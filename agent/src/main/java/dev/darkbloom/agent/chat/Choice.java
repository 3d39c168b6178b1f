package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.Closer;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.SseWriter;
import dev.darkbloom.agent.content.StopMatcher;
import dev.darkbloom.agent.content.TokenRing;
import dev.darkbloom.agent.content.Utf8Assembler;
import dev.darkbloom.agent.engine.Generation;
import dev.darkbloom.agent.engine.Generation.Outcome;
import dev.darkbloom.agent.engine.GenerationRequest;
import dev.darkbloom.agent.engine.ModelLease;
import dev.darkbloom.agent.llama.ChatFormat;
import dev.darkbloom.agent.llama.ChatParser;
import dev.darkbloom.agent.llama.Tokenizer.PieceTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * One answer on its way from tokens to a shape: pieces become whole characters, the chat format's parser tells reasoning, content and tool
 * calls apart, stop strings in the content end it.
 *
 * <p>A request's stop strings are looked for in what its client sees as content: not in thoughts, not in calls, nor in the format's marks
 * around them. The format's own stop strings are such marks, and are looked for in the text as the model writes it.
 *
 * <p>Owns its generation's ring and everything in between; belongs to the request's thread. A token costs no allocation here; a piece of
 * text that is handed on costs the views it is handed on in.
 */
final class Choice implements AutoCloseable, ChatParser.Sink {
    /** What clients are told of an answer that its format's parser does not accept. */
    private static final String UNPARSED = "the answer does not follow the model's own format; what could not be read is content as it came";

    private final int index;
    private final boolean firstOfPrompt;
    private final TokenRing ring;
    private final PieceTable pieces;
    private final MemorySegment pieceBytes;
    private final Optional<ChatFormat> format;
    private final Optional<ChatParser> parser;
    private final Optional<LogprobBuffer> logprobs;
    private final StopMatcher stops; // the request's
    private final StopMatcher ends;  // of the text before it is parsed: the format's own, or the request's where nothing is parsed
    private final AnswerShape shape;
    private final Utf8Assembler assembler = new Utf8Assembler();
    private final Content characters;
    private final Content released;
    private final Content visible;   // content that no stop string can begin in any more
    private final boolean byToken;   // the parser is fed token by token to the end, so that it is known where content ends
    private final Closer closer = new Closer();

    private Generation generation; // set once, by submit
    private long textBytes;      // whole characters seen
    private long contentBytes;   // of content, seen
    private long releasedBytes;  // of content, not held for a stop string
    private int completionTokens;
    private int reasoningTokens;
    private int toolCalls;
    private boolean ended;       // by a stop string of the text
    private boolean stopped;     // by a stop string of the content: nothing more is handed on
    private boolean reasoned;    // the parser's last word was reasoning
    private boolean hasReasoning;
    private boolean hasContent;  // content or a tool call has begun
    private boolean parsed = true;
    private FinishReason finishReason;

    /**
     * Takes {@code ring}, {@code stops} (the request's stop strings) and the parser that it opens, borrows the rest.
     *
     * @param memory where what it needs lies
     * @param format the chat format, or empty for text that is passed on as it comes
     * @param parseToolCalls whether tool calls are looked for
     * @param topLogprobs -1 for none
     */
    Choice(ContentArena memory, int index, boolean firstOfPrompt, TokenRing ring, PieceTable pieces, Optional<ChatFormat> format, boolean parseToolCalls,
            int topLogprobs, StopMatcher stops, AnswerShape shape) {
        this.index = index;
        this.firstOfPrompt = firstOfPrompt;
        this.ring = ring;
        this.pieces = pieces;
        this.pieceBytes = pieces.bytes();
        this.format = format;
        this.shape = shape;
        this.stops = stops;
        this.characters = memory.content(256);
        this.released = memory.content(256);
        this.visible = memory.content(16);
        closer.add(ring);
        closer.add(stops);
        closer.add(characters);
        closer.add(released);
        closer.add(visible);
        this.logprobs = topLogprobs < 0 ? Optional.empty() : Optional.of(closer.add(new LogprobBuffer(memory, topLogprobs, format.isPresent())));
        this.byToken = format.isPresent() && (topLogprobs >= 0 || stops.count() > 0);
        try {
            this.ends = format.isPresent() ? closer.add(StopStrings.matcher(format.get().stops(), memory)) : stops;
            this.parser = format.map(chat -> closer.add(chat.openParser(parseToolCalls)));
        } catch (Throwable t) {
            closer.close();
            throw t;
        }
    }

    /** Puts the request for this answer, whose ring is this choice's, in the model's queue. */
    void submit(ModelLease lease, GenerationRequest request) {
        generation = lease.submit(request);
    }

    int index() {
        return index;
    }

    TokenRing ring() {
        return ring;
    }

    /** Returns the generation; null until {@link #submit} has succeeded. */
    Generation generation() {
        return generation;
    }

    /** Has {@code text} stand before the answer: an echoed prompt. It is not looked at for stop strings. */
    void echoFirst(Content text) {
        released.append(text.buffer(), 0, text.length());
    }

    /** Returns whether this is the first of the answers to its prompt. */
    boolean isFirstOfPrompt() {
        return firstOfPrompt;
    }

    /** Throws waiting tokens away. */
    void discard() {
        while (ring.size() > 0) {
            ring.advance();
        }
    }

    /** Returns whether tokens wait. */
    boolean hasTokens() {
        return ring.size() > 0;
    }

    /** Returns whether the answer is complete and has been handed on. */
    boolean isFinished() {
        return finishReason != null;
    }

    /** Returns why it ended; set once {@link #isFinished}. */
    FinishReason finishReason() {
        return finishReason;
    }

    /** Returns which of the request's stop strings ended it, by its place in the matcher's list; -1 for none. */
    int foundStop() {
        return stops.found();
    }

    /** Returns a stop string by its place in the matcher's list; a view. */
    MemorySegment stopString(int stop) {
        return stops.string(stop);
    }

    /** Returns tokens produced up to the end or the stop string, the end-of-generation token not counted. */
    int completionTokens() {
        return completionTokens;
    }

    int reasoningTokens() {
        return reasoningTokens;
    }

    int toolCalls() {
        return toolCalls;
    }

    /** Returns whether the answer, once finished, was not cut off for its length. */
    boolean isComplete() {
        return finishReason != FinishReason.LENGTH;
    }

    /**
     * Writes a further member {@code ,"warning":"…"} where the answer did not follow its format, so that its rest was handed on as content;
     * otherwise nothing. One that was cut off is not meant: that it breaks off in the middle is what its finish reason says.
     */
    void writeWarning(SseWriter json) {
        if (!parsed && isComplete()) {
            json.raw(",\"warning\":\"").raw(UNPARSED).raw("\"");
        }
    }

    Optional<LogprobBuffer> logprobs() {
        return logprobs;
    }

    PieceTable pieces() {
        return pieces;
    }

    /**
     * Hands on what has come since the last call, and the end if it has come.
     *
     * @return whether anything was there
     * @throws AgentException the generation's own failure, or {@code CANCELLED} when somebody else cancelled it
     */
    boolean drain() {
        boolean over = generation.isFinished(); // before the ring is read: what is in it then is all there is
        boolean any = ring.size() > 0;
        while (ring.size() > 0) {
            if (!ended && !stopped) {
                take(ring.firstEntry());
            }
            ring.advance();
        }
        if (ended || stopped) {
            generation.cancel();
            finish(FinishReason.STOP);
            return true;
        }
        emit(false);
        handOn();
        if (over && !isFinished()) {
            finishAs(generation.outcome().orElseThrow());
            return true;
        }
        return any;
    }

    private void take(long entry) {
        int token = ring.token(entry);
        if (pieces.isEndOfGeneration(token)) {
            return;
        }
        completionTokens++;
        if (!pieces.isControl(token) || format.isPresent() && format.get().preserves(token)) {
            if (logprobs.isPresent()) {
                logprobs.get().add(ring, entry, textBytes);
            }
            assembler.add(pieceBytes, pieces.offset(token), pieces.length(token), characters);
            match();
        }
        if (parser.isPresent() && (byToken || !hasContent) && !ended) {
            emit(false); // token by token until content begins, so that reasoning tokens are counted exactly
            if (reasoned && !hasContent) {
                reasoningTokens++;
            }
        }
    }

    private void match() {
        textBytes += characters.length();
        if (parser.isPresent() && logprobs.isPresent()) {
            logprobs.get().addText(characters);
        }
        long before = released.length();
        ended = ends.add(characters.buffer(), 0, characters.length(), released);
        characters.clear();
        if (parser.isEmpty()) {
            release(released.length() - before);
        }
    }

    /** Counts further bytes of content that may be handed on, and the tokens that they belong to. */
    private void release(long bytes) {
        releasedBytes += bytes;
        if (logprobs.isPresent()) {
            logprobs.get().release(releasedBytes);
        }
    }

    /** Hands released text to the parser, or straight on. */
    private void emit(boolean last) {
        if (released.length() == 0 && !last) {
            return;
        }
        if (parser.isPresent()) {
            parsed &= parser.get().feed(released.segment(), last, this) || !last;
        } else if (released.length() > 0) {
            shape.content(this, released.segment());
        }
        released.clear();
    }

    /** Hands on the content that is held no longer. */
    private void handOn() {
        if (visible.length() > 0) {
            shape.content(this, visible.segment());
            visible.clear();
        }
    }

    /** Hands on what of the content is left: behind it comes something else, or nothing. */
    private void endContent() {
        if (byToken && !stopped) {
            long before = visible.length();
            stops.flush(visible);
            release(visible.length() - before);
        }
        handOn();
    }

    private void finishAs(Outcome outcome) {
        switch (outcome) {
            case Outcome.Failed(AgentException error) -> throw error;
            case Outcome.Finished(Generation.FinishReason reason) -> {
                FinishReason mapped = switch (reason) {
                    case STOP -> FinishReason.STOP;
                    case LENGTH -> FinishReason.LENGTH;
                    case CANCELLED -> throw new AgentException(ErrorCode.CANCELLED, "the request was cancelled");
                };
                assembler.flush(characters);
                match();
                if (!ended) {
                    ends.flush(released);
                    if (parser.isEmpty() && logprobs.isPresent()) {
                        logprobs.get().releaseAll();
                    }
                }
                finish(ended ? FinishReason.STOP : mapped);
            }
        }
    }

    private void finish(FinishReason reason) {
        if (isFinished()) {
            return;
        }
        if (!stopped) {
            emit(true);
        }
        endContent();
        FinishReason last = stopped ? FinishReason.STOP : reason; // the very last piece may have brought the stop string
        finishReason = last == FinishReason.STOP && toolCalls > 0 ? FinishReason.TOOL_CALLS : last;
    }

    @Override
    public void reasoning(MemorySegment text) {
        if (text.byteSize() > 0 && !stopped) {
            endContent();
            if (logprobs.isPresent()) {
                logprobs.get().skip(text);
            }
            reasoned = true;
            hasReasoning = true;
            shape.reasoning(this, text);
        }
    }

    @Override
    public void content(MemorySegment text) {
        long from = 0;
        if (hasReasoning && !hasContent) { // models leave a blank line between a thought and the answer
            while (from < text.byteSize() && isSpace(text.get(ValueLayout.JAVA_BYTE, from))) {
                from++;
            }
        }
        if (from < text.byteSize() && !stopped) {
            reasoned = false;
            hasContent = true;
            see(from == 0 ? text : text.asSlice(from));
        }
    }

    /** Looks at content for stop strings and hands it on, at once where nobody looks at it. */
    private void see(MemorySegment text) {
        if (!byToken) {
            shape.content(this, text);
            return;
        }
        if (logprobs.isPresent()) {
            logprobs.get().claim(text, contentBytes);
        }
        contentBytes += text.byteSize();
        long before = visible.length();
        stopped = stops.add(text, 0, text.byteSize(), visible);
        release(visible.length() - before);
    }

    @Override
    public void toolCall(int call, MemorySegment id, MemorySegment name) {
        if (stopped) {
            return;
        }
        endContent();
        if (logprobs.isPresent()) {
            logprobs.get().skipAll();
        }
        reasoned = false;
        hasContent = true;
        toolCalls++;
        shape.toolCall(this, call, id, name);
    }

    @Override
    public void toolArguments(int call, MemorySegment text) {
        if (text.byteSize() > 0 && !stopped) {
            if (logprobs.isPresent()) {
                logprobs.get().skipAll();
            }
            shape.toolArguments(this, call, text);
        }
    }

    private static boolean isSpace(byte b) {
        return b == '\n' || b == '\r' || b == ' ' || b == '\t';
    }

    /** Frees everything; the generation has finished. */
    @Override
    public void close() {
        closer.close();
    }

    @Override
    public String toString() {
        return "Choice[index=" + index + ", completionTokens=" + completionTokens + "]";
    }
}
