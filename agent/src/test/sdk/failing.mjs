// What clients see when the agent fails. The model is scripted: it fails after two tokens.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText } from 'ai';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { anthropic, apiKey, baseUrl, model, openai } from './agent.mjs';

const asked = { model, messages: [{ role: 'user', content: 'Hello' }] };

test('a failure before the first byte is InternalServerError with 500', async () => {
  await assert.rejects(openai().chat.completions.create(asked), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError, `${error}`);
    assert.equal(error.status, 500);
    assert.equal(error.code, 'generation_failure');
    assert.equal(error.type, 'server_error');
    return true;
  });
});

test('a failure in a stream is an APIError after what came before it', async () => {
  const stream = await openai().chat.completions.create({ ...asked, stream: true });
  let text = '';
  const reading = (async () => {
    for await (const chunk of stream) {
      text += chunk.choices[0].delta.content ?? '';
    }
  })();

  await assert.rejects(reading, (error) => error instanceof OpenAI.APIError && error.code === 'generation_failure');
  assert.equal(text, 'Hi');
});

test('the Vercel AI SDK calls it retryable', async () => {
  const failing = createOpenAICompatible({ name: 'darkbloom', baseURL: `${baseUrl}/v1`, apiKey }).chatModel(model);

  await assert.rejects(generateText({ model: failing, prompt: 'Hello', maxRetries: 0 }),
    (error) => APICallError.isInstance(error) && error.statusCode === 500 && error.isRetryable);
});

test('Anthropic\'s package reports InternalServerError with 500, and api_error', async () => {
  await assert.rejects(anthropic().messages.create({ ...asked, max_tokens: 20 }), (error) => {
    assert.ok(error instanceof Anthropic.InternalServerError, `${error}`);
    assert.equal(error.status, 500);
    assert.equal(error.error.error.type, 'api_error');
    return true;
  });
});

test('a failure in a stream of Anthropic\'s API is an error event after what came before it', async () => {
  const stream = await anthropic().messages.create({ ...asked, max_tokens: 20, stream: true });
  let text = '';
  const reading = (async () => {
    for await (const event of stream) {
      text += event.delta?.text ?? '';
    }
  })();

  await assert.rejects(reading, (error) => error instanceof Anthropic.APIError && error.error.error.type === 'api_error');
  assert.equal(text, 'Hi');
});
