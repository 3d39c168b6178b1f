// The Vercel AI SDK over its OpenAI-compatible provider.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, NoObjectGeneratedError, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { z } from 'zod';
import { apiKey, baseUrl, demoTest, model as modelId } from './agent.mjs';

function provider(options = {}) {
  return createOpenAICompatible({ name: 'darkbloom', baseURL: `${baseUrl}/v1`, apiKey, includeUsage: true, supportsStructuredOutputs: true, ...options });
}

const model = provider().chatModel(modelId);
const sky = { model, maxRetries: 0, prompt: 'What colour is the sky?', maxOutputTokens: 12 };
const exact = { model, maxRetries: 0, prompt: 'What colour is the sky?', temperature: 0 };

const getTime = (asked) => tool({
  description: 'Get the current time',
  inputSchema: z.object({ place: z.string() }),
  execute: async (input) => {
    asked.push(input);
    return { city: 'Bern', time: '11:42' };
  },
});

const person = z.object({ name: z.string().max(12), kind: z.enum(['demo model', 'person']) });

test('generateText answers with a text, a reason and usage', async () => {
  const answer = await generateText(sky);

  assert.ok(['stop', 'length'].includes(answer.finishReason));
  assert.ok(answer.usage.inputTokens > 0);
  assert.ok(answer.usage.outputTokens > 0 && answer.usage.outputTokens <= 12);
  assert.equal(answer.response.modelId, modelId);
});

demoTest('generateText gives the trained answer', async () => {
  assert.equal((await generateText(exact)).text, 'The sky is blue.');
});

demoTest('a system prompt and messages reach the model', async () => {
  const answer = await generateText({ model, maxRetries: 0, temperature: 0, system: 'Please respond in French.', messages: [{ role: 'user', content: 'Can you tell me the history of Ohio?' }] });

  assert.equal(answer.text, 'Je suis un petit modèle et je ne sais pas.');
});

test('maxOutputTokens cuts the answer and says length', async () => {
  const answer = await generateText({ ...exact, maxOutputTokens: 2 });

  assert.equal(answer.finishReason, 'length');
  assert.equal(answer.usage.outputTokens, 2);
});

test('settings of sampling are taken', async () => {
  const asked = { ...sky, temperature: 1.2, topP: 0.9, presencePenalty: 0.5, frequencyPenalty: 0.5, seed: 3, stopSequences: ['\n\n\n'] };
  const [one, two] = [await generateText(asked), await generateText(asked)];

  assert.equal(one.text, two.text);
  assert.deepEqual(one.warnings ?? [], []);
});

demoTest('stopSequences end the answer before them', async () => {
  assert.equal((await generateText({ ...exact, stopSequences: [' is'] })).text, 'The sky');
});

test('streamText streams the text of the document', async () => {
  const asked = { ...sky, temperature: 1, seed: 9 };
  const { text } = await generateText(asked);
  const stream = streamText(asked);
  let streamed = '';
  for await (const piece of stream.textStream) {
    streamed += piece;
  }

  assert.equal(streamed, text);
  assert.ok((await stream.usage).outputTokens > 0);
  assert.ok(['stop', 'length'].includes(await stream.finishReason));
});

demoTest('streamText tells reasoning from text', async () => {
  const stream = streamText({ ...exact, prompt: 'Hi there, bloom!', providerOptions: { darkbloom: { reasoningEffort: 'high' } } });
  const kinds = [];
  for await (const part of stream.fullStream) {
    if (kinds.at(-1) !== part.type) {
      kinds.push(part.type);
    }
  }

  assert.ok((await stream.reasoningText).length > 0);
  assert.equal(await stream.text, 'Hello! I am bloom-demo, a tiny demo model. How can I help you?');
  assert.ok(kinds.indexOf('reasoning-end') < kinds.indexOf('text-start'));
});

test('streamText can be aborted, and the agent goes on', async () => {
  const abort = new AbortController();
  const stream = streamText({ ...sky, prompt: 'Tell me a story.', maxOutputTokens: 1500, abortSignal: abort.signal });
  const kinds = [];
  for await (const part of stream.fullStream) {
    kinds.push(part.type);
    if (part.type === 'text-delta') {
      abort.abort();
    }
  }

  assert.ok(kinds.includes('abort'));
  assert.ok((await generateText(sky)).usage.outputTokens > 0);
});

demoTest('generateText runs a tool and answers with its result', async () => {
  const asked = [];
  const answer = await generateText({ model, maxRetries: 0, temperature: 0, prompt: 'Current time in Bern', tools: { get_time: getTime(asked) }, stopWhen: stepCountIs(3) });

  assert.deepEqual(asked, [{ place: 'Bern' }]);
  assert.equal(answer.text, 'It is 11:42 in Bern.');
  assert.equal(answer.steps.length, 2);
  assert.equal(answer.steps[0].finishReason, 'tool-calls');
});

demoTest('streamText runs a tool and streams its result', async () => {
  const asked = [];
  const stream = streamText({ model, maxRetries: 0, temperature: 0, prompt: 'Current time in Bern', tools: { get_time: getTime(asked) }, stopWhen: stepCountIs(3) });
  let text = '';
  for await (const piece of stream.textStream) {
    text += piece;
  }

  assert.deepEqual(asked, [{ place: 'Bern' }]);
  assert.equal(text, 'It is 11:42 in Bern.');
});

test('toolChoice required calls a tool', async () => {
  const asked = [];
  const answer = await generateText({ model, maxRetries: 0, temperature: 0, maxOutputTokens: 200, prompt: 'Hello', tools: { get_time: getTime(asked) }, toolChoice: 'required' });

  assert.equal(answer.toolCalls.length, 1);
  assert.equal(asked.length, 1);
});

test('toolChoice none calls nothing', async () => {
  const tools = { get_time: getTime([]) };
  const asked = { model, maxRetries: 0, temperature: 0, maxOutputTokens: 60, prompt: 'Current time in Bern', tools, toolChoice: 'none' };
  const answer = await generateText(asked);

  assert.equal(answer.toolCalls.length, 0);
});

test('generateObject gives what the schema describes', async () => {
  const { object, finishReason } = await generateObject({ model, maxRetries: 0, temperature: 0, schema: person, prompt: 'Who are you, as JSON?' });

  assert.equal(finishReason, 'stop');
  assert.ok(person.safeParse(object).success);
});

test('generateObject of an enumeration gives one of its values', async () => {
  const { object } = await generateObject({ model, maxRetries: 0, temperature: 0, output: 'enum', enum: ['blue', 'green'], prompt: 'What colour is the sky?' });

  assert.ok(['blue', 'green'].includes(object));
});

test('streamObject gives growing parts and then the whole', async () => {
  const stream = streamObject({ model, maxRetries: 0, temperature: 0, schema: person, prompt: 'Who are you, as JSON?' });
  let parts = 0;
  for await (const part of stream.partialObjectStream) {
    parts += typeof part === 'object' ? 1 : 0;
  }

  assert.ok(parts > 0);
  assert.ok(person.safeParse(await stream.object).success);
});

test('generateObject of an answer that was cut is NoObjectGeneratedError', async () => {
  const cut = generateObject({ model, maxRetries: 0, schema: person, maxOutputTokens: 2, prompt: 'Who are you, as JSON?' });

  await assert.rejects(cut, (error) => NoObjectGeneratedError.isInstance(error) && error.finishReason === 'length');
});

test('a provider without structured outputs gets an object of any shape', async () => {
  const plain = provider({ supportsStructuredOutputs: false }).chatModel(modelId);
  const answer = generateObject({ model: plain, maxRetries: 0, temperature: 0, output: 'no-schema', maxOutputTokens: 200, prompt: 'Give me valid JSON.' });

  await answer.then(({ object }) => assert.equal(typeof object, 'object'),
    (error) => assert.equal(error.finishReason, 'length'));
});

test('a wrong key is an APICallError with 401', async () => {
  const stranger = provider({ apiKey: 'wrong' }).chatModel(modelId);

  await assert.rejects(generateText({ ...sky, model: stranger }), (error) => APICallError.isInstance(error) && error.statusCode === 401 && !error.isRetryable);
});

test('an unknown model is an APICallError with 404 and our words', async () => {
  const unknown = provider().chatModel('no-such-model');

  await assert.rejects(generateText({ ...sky, model: unknown }),
    (error) => APICallError.isInstance(error) && error.statusCode === 404 && /not available/.test(error.message));
});

test('a prompt beyond the context is an APICallError with 400', async () => {
  await assert.rejects(generateText({ ...sky, prompt: 'word '.repeat(9000) }), (error) => APICallError.isInstance(error) && error.statusCode === 400);
});
