package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.Grammar;
import dev.darkbloom.agent.testing.LoadedModels;
import dev.darkbloom.agent.testing.TestModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Grammars whose alternatives multiply: a matcher that keeps each way apart takes minutes over one token of them, and nothing can be cancelled meanwhile. */
@Tag("model")
@Timeout(60)
class DearGrammarTest {
    private static final int ANSWER = 64;

    @ParameterizedTest
    @ValueSource(strings = {"root ::= (\"a\"? \"b\"?){300}", "root ::= (\"a\"?){500}", "root ::= (\"a\"? \"b\"? \"ab\"?){100}"})
    void itsAnswerEndsAndStreamsBesideItGoOn(String gbnf) throws Exception {
        try (Engine engine = Engine.open(Rig.settings(), LoadedModels.backend(), new MemoryLedger(Long.MAX_VALUE), NanoClock.SYSTEM)) {
            engine.register(LoadedModels.spec("demo", TestModels.demo(), 512, 2), false);
            try (ModelLease lease = engine.acquire("demo"); var arena = Arena.ofConfined()) {
                int[] prompt = IntStream.range(0, 20).map(i -> 300 + i).toArray();
                MemorySegment text = arena.allocateFrom(gbnf);
                Grammar grammar = lease.tokenizer().compileGrammar(text.asSlice(0, text.byteSize() - 1));
                try (Caller beside = Caller.of(prompt).max(ANSWER).submit(lease); Caller dear = Caller.of(prompt).max(ANSWER).grammar(grammar).submit(lease)) {
                    var pieces = lease.tokenizer().pieces();
                    for (int token : dear.readAll()) {
                        byte[] piece = pieces.bytes().asSlice(pieces.offset(token), pieces.length(token)).toArray(ValueLayout.JAVA_BYTE);
                        assertThat(new String(piece, StandardCharsets.UTF_8)).matches("[ab]+");
                    }
                    assertThat(dear.ending()).isNotNull();
                    assertThat(beside.readAll().length).isPositive();
                }
            }
        }
    }
}
