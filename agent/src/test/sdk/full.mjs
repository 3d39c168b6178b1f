// What clients see when the one slot is taken and one request waits already. The agent is started for this program.
import assert from 'node:assert/strict';
import test from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { anthropic, model, openai } from './agent.mjs';

// Without an end-of-text token it goes on to its limit, so the slot is taken for long.
const long = { model, messages: [{ role: 'user', content: 'Tell me a story.' }], max_completion_tokens: 1500, ignore_eos: true };

test('what the queue does not take is InternalServerError with 503 and Retry-After', async () => {
  const client = openai();
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => client.chat.completions.create(long)));
  const refused = results.filter((result) => result.status === 'rejected').map((result) => result.reason);

  assert.ok(refused.length >= 1 && refused.length <= 7, `${refused.length} were refused`);
  for (const error of refused) {
    assert.ok(error instanceof OpenAI.InternalServerError, `${error}`);
    assert.equal(error.status, 503);
    assert.equal(error.code, 'capacity');
    assert.equal(error.type, 'server_error');
    assert.ok(Number(error.headers.get('retry-after')) >= 1);
  }
  for (const result of results.filter((each) => each.status === 'fulfilled')) {
    assert.equal(result.value.usage.completion_tokens, 1500);
  }
});

test('Anthropic\'s package reports InternalServerError with 503, and overloaded_error', async () => {
  const { max_completion_tokens: maxTokens, ...asked } = long;
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => anthropic().messages.create({ ...asked, max_tokens: maxTokens })));
  const refused = results.filter((result) => result.status === 'rejected').map((result) => result.reason);

  assert.ok(refused.length >= 1 && refused.length <= 7, `${refused.length} were refused`);
  for (const error of refused) {
    assert.ok(error instanceof Anthropic.InternalServerError, `${error}`);
    assert.equal(error.status, 503);
    assert.equal(error.error.error.type, 'overloaded_error');
    assert.ok(Number(error.headers.get('retry-after')) >= 1);
  }
});

test('the package\'s own retries get through', async () => {
  const client = openai({ maxRetries: 20 });
  const answers = await Promise.all(Array.from({ length: 4 }, () => client.chat.completions.create({ ...long, max_completion_tokens: 600 })));

  assert.equal(answers.length, 4);
});
