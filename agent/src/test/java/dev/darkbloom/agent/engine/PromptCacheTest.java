package dev.darkbloom.agent.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.darkbloom.agent.llama.KvLayout;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.llama.SamplerSettings;
import dev.darkbloom.agent.llama.TokenDecoder;
import dev.darkbloom.agent.testing.FakeOpener;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

/** Whom a prompt waits for. */
class PromptCacheTest {
    private static final int TOKENS = 220;

    @Test
    void aPromptOfTheOtherOriginIsNeitherWaitedForNorCountedOn() {
        ModelSpec spec = Rig.spec(512, 2);
        var opener = new FakeOpener();
        try (Arena arena = Arena.ofConfined(); ModelRuntime model = opener.open(spec, _ -> true); TokenDecoder decoder = model.openDecoder(spec);
                Caller caller = Caller.of(Rig.prompt(1, TOKENS)).from(Origin.RELAYED)) {
            Slot[] slots = {new Slot(0, arena.allocate(4L * 512, 4)), new Slot(1, arena.allocate(4L * 512, 4))};
            var room = new KvRoom(slots, KvLayout.UNIFIED, 1024, 0);
            var cache = new PromptCache(slots, decoder, room, new StepPace(100_000_000, 32), 100_000_000);
            GenerationRequest reading = caller.request();
            slots[0].begin(new EngineGeneration(reading, null, 16, new Mailbox(NanoClock.SYSTEM), 0),
                    model.newSampler(SamplerSettings.greedy(), null, 512), 0, 1);

            assertThat(cache.leader(2, Origin.RELAYED, reading.prompt(), TOKENS, 0)).isSameAs(slots[0]);
            assertThat(cache.expected(Origin.RELAYED, reading.prompt(), TOKENS)).isEqualTo(TOKENS - 1);
            assertThat(cache.leader(2, Origin.LOCAL, reading.prompt(), TOKENS, 0)).isNull();
            assertThat(cache.expected(Origin.LOCAL, reading.prompt(), TOKENS)).isZero();
            slots[0].release(2);
        }
    }
}
