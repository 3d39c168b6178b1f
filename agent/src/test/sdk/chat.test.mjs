// The openai package's everyday programs against /v1/chat/completions.
import assert from 'node:assert/strict';
import test from 'node:test';
import { demoTest, model, openai } from './agent.mjs';

const client = openai();
const sky = [{ role: 'user', content: 'What colour is the sky?' }];

test('create answers with a message and its usage', async () => {
  const answer = await client.chat.completions.create({ model, messages: sky, max_completion_tokens: 12 });

  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, model);
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].message.role, 'assistant');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer.usage.completion_tokens <= 12);
});

demoTest('create gives the trained answer', async () => {
  const answer = await client.chat.completions.create({ model, messages: sky, temperature: 0 });

  assert.equal(answer.choices[0].message.content, 'The sky is blue.');
  assert.equal(answer.choices[0].finish_reason, 'stop');
});
