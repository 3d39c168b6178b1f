// What clients see while the agent stops. The agent is started for this program, which ends it.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { model, openai } from './agent.mjs';

test('while the agent drains, a new request is refused with 503 and a running stream is finished', async () => {
  const client = openai();
  // One slot and several choices, one after the other: long enough for the agent to hear the signal.
  const stream = await client.chat.completions.create({
    model, n: 8, messages: [{ role: 'user', content: 'Tell me a story.' }], max_completion_tokens: 1200, ignore_eos: true, stream: true,
  });
  let signalled = false;
  let refusal;
  const ends = [];
  for await (const chunk of stream) {
    ends.push(...chunk.choices.map((choice) => choice.finish_reason).filter((reason) => reason));
    if (!signalled) {
      signalled = true;
      process.kill(Number(process.env.DARKBLOOM_PID), 'SIGTERM');
      refusal = firstRefusal(client);
    }
  }
  const error = await refusal;

  assert.ok(error instanceof OpenAI.InternalServerError, `${error}`);
  assert.equal(error.status, 503);
  assert.equal(error.code, 'draining');
  assert.deepEqual(ends, Array(8).fill('length'));
});

/** Asks for a model that is not there until the agent, which hears the signal in its own time, refuses. */
async function firstRefusal(client) {
  for (;;) {
    try {
      await client.chat.completions.create({ model: 'no-such-model', messages: [{ role: 'user', content: 'Hello' }] });
    } catch (error) {
      if (error.status !== 404) {
        return error;
      }
    }
  }
}
