// What clients see when the one slot is taken and one request waits already. The agent is started for this program.
import assert from 'node:assert/strict';
import test from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { anthropic, model, openai } from './agent.mjs';

// Without an end-of-text token it goes on to its limit, so the slot is taken for long.
const tokens = 800;
const long = { model, messages: [{ role: 'user', content: 'Tell me a story.' }], max_completion_tokens: tokens, ignore_eos: true };

/** Asks eight times at once, which is more than the agent takes; returns answers and refusals, these checked for what all have in common. */
async function askEight(ask, type) {
  const results = await Promise.allSettled(Array.from({ length: 8 }, ask));
  const refused = results.filter((result) => result.status === 'rejected').map((result) => result.reason);

  assert.ok(refused.length >= 1 && refused.length <= 7, `${refused.length} were refused`);
  for (const error of refused) {
    assert.ok(error instanceof type, `${error}`);
    assert.equal(error.status, 503);
    assert.ok(Number(error.headers.get('retry-after')) >= 1);
  }
  return { refused, answers: results.filter((result) => result.status === 'fulfilled').map((result) => result.value) };
}

test('what the queue does not take is InternalServerError with 503 and Retry-After', async () => {
  const client = openai();
  const { refused, answers } = await askEight(() => client.chat.completions.create(long), OpenAI.InternalServerError);

  for (const error of refused) {
    assert.equal(error.code, 'capacity');
    assert.equal(error.type, 'server_error');
  }
  for (const answer of answers) {
    assert.equal(answer.usage.completion_tokens, tokens);
  }
});

test('Anthropic\'s package reports InternalServerError with 503, and overloaded_error', async () => {
  const client = anthropic();
  const { max_completion_tokens: _, ...rest } = long;
  const asked = { ...rest, max_tokens: tokens };
  const { refused, answers } = await askEight(() => client.messages.create(asked), Anthropic.InternalServerError);

  for (const error of refused) {
    assert.equal(error.error.error.type, 'overloaded_error');
  }
  for (const answer of answers) {
    assert.equal(answer.usage.output_tokens, tokens);
  }
});

test('the Responses API refuses as chat does', async () => {
  const client = openai();
  const asked = { model, input: 'Tell me a story.', max_output_tokens: tokens, ignore_eos: true };
  const { refused, answers } = await askEight(() => client.responses.create(asked), OpenAI.InternalServerError);

  for (const error of refused) {
    assert.equal(error.code, 'capacity');
  }
  for (const answer of answers) {
    assert.equal(answer.usage.output_tokens, tokens);
  }
});

test('the package\'s own retries get through', async () => {
  const client = openai({ maxRetries: 20 });
  const answers = await Promise.all(Array.from({ length: 4 }, () => client.chat.completions.create({ ...long, max_completion_tokens: 600 })));

  assert.equal(answers.length, 4);
});
