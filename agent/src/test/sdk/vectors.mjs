// Embeddings and ranking by the openai package and the Vercel AI SDK. The agent serves a random encoder, a random ranker and the demo model.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { cosineSimilarity, embed, embedMany } from 'ai';
import OpenAI from 'openai';
import { apiKey, baseUrl, openai } from './agent.mjs';

const client = openai();
const encoder = 'tiny-encoder';
const ranker = 'tiny-ranker';

function length(vector) {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}

test('embeddings.create takes base64, which the package asks for, and gives numbers', async () => {
  const answer = await client.embeddings.create({ model: encoder, input: 'hello' });

  assert.equal(answer.object, 'list');
  assert.equal(answer.model, encoder);
  assert.equal(answer.data[0].object, 'embedding');
  assert.ok(Math.abs(length(answer.data[0].embedding) - 1) < 1e-3);
  assert.equal(answer.usage.prompt_tokens, answer.usage.total_tokens);
});

test('float and base64 are the same vector', async () => {
  const base64 = await client.embeddings.create({ model: encoder, input: 'the world' });
  const float = await client.embeddings.create({ model: encoder, input: 'the world', encoding_format: 'float' });

  assert.equal(base64.data[0].embedding.length, float.data[0].embedding.length);
  base64.data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - float.data[0].embedding[i]) < 1e-6));
});

test('a batch gives each input\'s own vector in order', async () => {
  const inputs = Array.from({ length: 40 }, (_, i) => `hello ${'world '.repeat(i % 7)}${i}`);
  const batch = await client.embeddings.create({ model: encoder, input: inputs });
  const last = await client.embeddings.create({ model: encoder, input: inputs.at(-1) });

  assert.deepEqual(batch.data.map((each) => each.index), inputs.map((_, i) => i));
  assert.ok(cosineSimilarity(batch.data.at(-1).embedding, last.data[0].embedding) > 0.9999);
  assert.ok(cosineSimilarity(batch.data[0].embedding, last.data[0].embedding) < 0.9999);
});

test('arrays of tokens are taken', async () => {
  const answer = await client.embeddings.create({ model: encoder, input: [[2, 5, 3], [2, 6, 3]] });

  assert.equal(answer.data.length, 2);
  assert.equal(answer.usage.prompt_tokens, 6);
});

test('dimensions shorten the vector, which is of length one again', async () => {
  const whole = await client.embeddings.create({ model: encoder, input: 'hello' });
  const short = await client.embeddings.create({ model: encoder, input: 'hello', dimensions: 16 });

  assert.equal(short.data[0].embedding.length, 16);
  assert.ok(Math.abs(length(short.data[0].embedding) - 1) < 1e-3);
  assert.ok(cosineSimilarity(short.data[0].embedding, whole.data[0].embedding.slice(0, 16)) > 0.9999);
});

for (const [what, param, wrong] of [
  ['more dimensions than there are', 'dimensions', { dimensions: 100000 }],
  ['no dimensions', 'dimensions', { dimensions: 0 }],
  ['another encoding', 'encoding_format', { encoding_format: 'hex' }],
  ['an empty batch', 'input', { input: [] }],
  ['a token beyond the vocabulary', 'input', { input: [[99999999]] }],
]) {
  test(`${what} is BadRequestError that names ${param}`, async () => {
    await assert.rejects(client.embeddings.create({ model: encoder, input: 'hello', ...wrong }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === param);
  });
}

test('an encoder writes no text', async () => {
  await assert.rejects(client.chat.completions.create({ model: encoder, messages: [{ role: 'user', content: 'hello' }] }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'model');
});

test('embed and embedMany of the Vercel AI SDK', async () => {
  const model = createOpenAICompatible({ name: 'darkbloom', baseURL: `${baseUrl}/v1`, apiKey }).textEmbeddingModel(encoder);
  const one = await embed({ model, value: 'hello', maxRetries: 0 });
  const many = await embedMany({ model, values: ['hello', 'a river'], maxRetries: 0 });

  assert.ok(cosineSimilarity(one.embedding, many.embeddings[0]) > 0.9999);
  assert.equal(many.embeddings.length, 2);
  assert.ok(many.usage.tokens > 0);
});

test('rerank puts the best first', async () => {
  const answer = await client.post('/rerank', { body: { model: ranker, query: 'hello', documents: ['hello world', 'a river', 'the fog'], top_n: 2 } });

  assert.equal(answer.results.length, 2);
  assert.ok(answer.results[0].relevance_score >= answer.results[1].relevance_score);
  assert.ok(answer.results.every((each) => [0, 1, 2].includes(each.index)));
});

for (const model of [encoder, 'demo']) {
  test(`${model} does not rank`, async () => {
    await assert.rejects(client.post('/rerank', { body: { model, query: 'hello', documents: ['hello world'] } }),
      (error) => error instanceof OpenAI.BadRequestError && error.code === 'rerank_not_configured');
  });
}

test('a ranker makes no embeddings', async () => {
  await assert.rejects(client.embeddings.create({ model: ranker, input: 'hello' }),
    (error) => error instanceof OpenAI.BadRequestError && error.code === 'embeddings_not_configured');
});
