// Programs of the unmodified `openai` package against a running agent: its Responses API.
// Needs DARKBLOOM_BASE_URL (http://host:port), DARKBLOOM_API_KEY and DARKBLOOM_MODEL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const model = process.env.DARKBLOOM_MODEL;
const client = new OpenAI({
  baseURL: `${process.env.DARKBLOOM_BASE_URL}/v1`,
  apiKey: process.env.DARKBLOOM_API_KEY ?? 'none',
  maxRetries: 0,
});
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'Get the weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
  strict: true,
};
const create = (params) => client.responses.create({ model, temperature: 0, max_output_tokens: 60, ...params });
const refusal = async (params) => {
  try {
    await create({ input: 'Hello', ...params });
  } catch (error) {
    return error;
  }
  return assert.fail('the request was accepted');
};
const collect = async (stream) => {
  const events = [];
  for await (const event of stream) {
    events.push(event);
  }
  return events;
};

test('a string is answered with a message', async () => {
  const response = await create({ input: 'Hello' });
  assert.equal(response.object, 'response');
  assert.match(response.id, /^resp_/);
  assert.ok(['completed', 'incomplete'].includes(response.status));
  assert.equal(response.output.at(-1).type, 'message');
  assert.ok(response.output_text.length > 0);
  assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
});

test('items and parts are read, and instructions stand before them', async () => {
  const response = await create({
    instructions: 'Be brief.',
    input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hello' }] }],
  });
  assert.equal(response.instructions, 'Be brief.');
  assert.ok(response.output_text.length > 0);
});

test('settings come back in the response', async () => {
  const response = await create({ input: 'Hello', metadata: { trip: '7' }, user: 'u1', parallel_tool_calls: false, top_p: 0.9 });
  assert.deepEqual(response.metadata, { trip: '7' });
  assert.equal(response.user, 'u1');
  assert.equal(response.temperature, 0);
  assert.equal(response.top_p, 0.9);
  assert.equal(response.parallel_tool_calls, false);
  assert.equal(response.store, true);
});

test('a token limit makes the response incomplete', async () => {
  const response = await create({ input: 'Hello', max_output_tokens: 1 });
  assert.equal(response.status, 'incomplete');
  assert.deepEqual(response.incomplete_details, { reason: 'max_output_tokens' });
  assert.equal(response.usage.output_tokens, 1);
});

test('a stream has its events in order and numbered', async () => {
  const events = await collect(await create({ input: 'Hello', stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
  const types = events.map((event) => event.type);
  assert.deepEqual(types.slice(0, 4), [
    'response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added',
  ]);
  assert.deepEqual(types.slice(-4, -1), ['response.output_text.done', 'response.content_part.done', 'response.output_item.done']);
  assert.match(types.at(-1), /^response\.(completed|incomplete)$/);
});

test('the deltas are the text, and the last event has it whole', async () => {
  const events = await collect(await create({ input: 'Hello', stream: true }));
  const text = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta).join('');
  assert.equal(events.find((event) => event.type === 'response.output_text.done').text, text);
  assert.equal(events.at(-1).response.output.at(-1).content[0].text, text);
});

test('a stream says what a document says', async () => {
  const events = await collect(await create({ input: 'Hello', stream: true }));
  const response = await create({ input: 'Hello' });
  assert.equal(events.at(-1).response.output.at(-1).content[0].text, response.output_text);
});

test('the stream helper assembles the response', async () => {
  const stream = client.responses.stream({ model, input: 'Hello', temperature: 0, max_output_tokens: 40 });
  let snapshot = '';
  stream.on('response.output_text.delta', (event) => {
    snapshot = event.snapshot;
  });
  const final = await stream.finalResponse();
  assert.ok(snapshot.length > 0);
  assert.equal(final.output_text, snapshot);
});

test('a response is kept and read again', async () => {
  const response = await create({ input: 'Hello' });
  const again = await client.responses.retrieve(response.id);
  assert.equal(again.output_text, response.output_text);
  assert.equal(again.status, response.status);
});

test('a streamed response is kept too', async () => {
  const events = await collect(await create({ input: 'Hello', stream: true }));
  const kept = await client.responses.retrieve(events[0].response.id);
  assert.deepEqual(kept.output, events.at(-1).response.output);
});

test('a response that is not to be stored is not', async () => {
  const response = await create({ input: 'Hello', store: false });
  assert.equal(response.store, false);
  await assert.rejects(client.responses.retrieve(response.id), OpenAI.NotFoundError);
});

test('a deleted response is gone', async () => {
  const response = await create({ input: 'Hello' });
  await client.responses.delete(response.id);
  await assert.rejects(client.responses.retrieve(response.id), OpenAI.NotFoundError);
  await assert.rejects(client.responses.delete(response.id), OpenAI.NotFoundError);
});

test('a conversation goes on from a previous response', async () => {
  const first = await create({ input: 'Hello' });
  const second = await create({ input: 'Thanks', previous_response_id: first.id });
  const whole = await create({
    input: [{ role: 'user', content: 'Hello' }, ...first.output, { role: 'user', content: 'Thanks' }],
  });
  assert.equal(second.previous_response_id, first.id);
  assert.equal(second.usage.input_tokens, whole.usage.input_tokens);
  assert.equal(second.output_text, whole.output_text);
});

test('an unknown previous response is refused', async () => {
  const error = await refusal({ previous_response_id: 'resp_none' });
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.code, 'previous_response_not_found');
});

test('input items are listed in pages', async () => {
  const response = await create({ input: [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hi' }, { role: 'user', content: 'Thanks' }] });
  const page = await client.responses.inputItems.list(response.id, { limit: 2, order: 'asc' });
  assert.equal(page.data.length, 2);
  assert.equal(page.has_more, true);
  const all = [];
  for await (const item of client.responses.inputItems.list(response.id, { limit: 2, order: 'asc' })) {
    all.push(item.content[0].text);
  }
  assert.deepEqual(all, ['Hello', 'Hi', 'Thanks']);
  const newest = await client.responses.inputItems.list(response.id);
  assert.equal(newest.data[0].content[0].text, 'Thanks');
});

test('an item can be referred to', async () => {
  const first = await create({ input: 'Hello' });
  const second = await create({
    input: [{ role: 'user', content: 'Hello' }, { type: 'item_reference', id: first.output.at(-1).id }, { role: 'user', content: 'Thanks' }],
  });
  const chained = await create({ input: 'Thanks', previous_response_id: first.id });
  assert.equal(second.output_text, chained.output_text);
});

test('a required tool is called and its result answered', async () => {
  const first = await create({ input: 'What is the weather in Paris?', tools: [weather], tool_choice: 'required' });
  const call = first.output.find((item) => item.type === 'function_call');
  assert.equal(call.name, 'get_weather');
  assert.equal(typeof JSON.parse(call.arguments).city, 'string');
  const second = await create({
    previous_response_id: first.id,
    tools: [weather],
    input: [{ type: 'function_call_output', call_id: call.call_id, output: '{"temperature": 20}' }],
  });
  assert.ok(second.output.length > 0);
});

test('a named tool is called, its arguments streamed', async () => {
  const stream = await create({
    input: 'What is the weather in Paris?', tools: [weather], tool_choice: { type: 'function', name: 'get_weather' }, stream: true,
  });
  const events = await collect(stream);
  const text = events.filter((event) => event.type === 'response.function_call_arguments.delta').map((event) => event.delta).join('');
  const done = events.find((event) => event.type === 'response.function_call_arguments.done');
  assert.equal(done.arguments, text);
  assert.equal(typeof JSON.parse(text).city, 'string');
  assert.equal(events.at(-1).response.output.at(-1).type, 'function_call');
});

test('a schema is kept to and parsed', async () => {
  const format = zodTextFormat(z.object({ mood: z.enum(['good', 'bad']) }), 'mood');
  const response = await client.responses.parse({ model, input: 'Hello', temperature: 0, max_output_tokens: 200, text: { format } });
  assert.ok(['good', 'bad'].includes(response.output_parsed.mood));
});

test('log-probabilities come where they are asked for', async () => {
  const response = await create({ input: 'Hello', include: ['message.output_text.logprobs'], top_logprobs: 2 });
  const { logprobs } = response.output.at(-1).content[0];
  assert.ok(logprobs.length > 0);
  assert.equal(logprobs[0].top_logprobs.length, 2);
  const plain = await create({ input: 'Hello' });
  assert.deepEqual(plain.output.at(-1).content[0].logprobs, []);
});

test('a response in the background is polled until it has ended', async () => {
  let response = await create({ input: 'Hello', background: true });
  assert.equal(response.status, 'queued');
  const until = Date.now() + 60_000;
  while (['queued', 'in_progress'].includes(response.status) && Date.now() < until) {
    response = await client.responses.retrieve(response.id);
  }
  assert.ok(['completed', 'incomplete'].includes(response.status));
  assert.ok(response.output_text.length > 0);
});

// Without an end-of-text token it goes on until its context is full, which takes far longer than to cancel it.
const endless = { input: 'Hello', background: true, max_output_tokens: 100_000, ignore_eos: true };

test('a running response is cancelled from another connection', async () => {
  const response = await create(endless);
  const cancelled = await client.responses.cancel(response.id);
  assert.equal(cancelled.status, 'cancelled');
  assert.equal((await client.responses.cancel(response.id)).status, 'cancelled');
  assert.equal((await client.responses.retrieve(response.id)).status, 'cancelled');
});

test('a cancelled stream ends with an error', async () => {
  const events = [];
  for await (const event of await create({ ...endless, stream: true })) {
    events.push(event);
    if (event.type === 'response.created') {
      await client.responses.cancel(event.response.id);
    }
  }
  assert.equal(events.at(-1).type, 'error');
  assert.equal(events.at(-1).code, 'cancelled');
  assert.equal((await client.responses.retrieve(events[0].response.id)).status, 'cancelled');
});

test('a background stream that was left is taken up again', async () => {
  const left = await create({ input: 'Hello', background: true, stream: true });
  const before = [];
  for await (const event of left) {
    before.push(event);
    if (event.type === 'response.output_text.delta') {
      break;
    }
  }
  const { id } = before[0].response;
  const after = await collect(await client.responses.retrieve(id, { stream: true, starting_after: before.at(-1).sequence_number }));
  const events = [...before, ...after];
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
  const text = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta).join('');
  assert.match(events.at(-1).type, /^response\.(completed|incomplete)$/);
  assert.equal(events.at(-1).response.output.at(-1).content[0].text, text);
  assert.deepEqual(await collect(await client.responses.retrieve(id, { stream: true })), events);
});

test('the stream helper takes a response up by its id', async () => {
  const [created] = await collect(await create({ input: 'Hello', background: true, stream: true }));
  const stream = client.responses.stream({ response_id: created.response.id, starting_after: 3 });
  const seen = [];
  stream.on('event', (event) => seen.push(event.sequence_number));
  const final = await stream.finalResponse();
  assert.equal(seen[0], 4);
  assert.equal(final.output_text, (await client.responses.retrieve(created.response.id)).output_text);
});

test('a response that was not streamed in the background has no events to send again', async () => {
  const response = await create({ input: 'Hello' });
  await assert.rejects(client.responses.retrieve(response.id, { stream: true }), OpenAI.BadRequestError);
});

test('an ended response cannot be cancelled', async () => {
  const response = await create({ input: 'Hello' });
  await assert.rejects(client.responses.cancel(response.id), OpenAI.BadRequestError);
});

test('an unknown response is not found', async () => {
  await assert.rejects(client.responses.retrieve('resp_none'), OpenAI.NotFoundError);
  await assert.rejects(client.responses.cancel('resp_none'), OpenAI.NotFoundError);
  await assert.rejects(client.responses.inputItems.list('resp_none'), OpenAI.NotFoundError);
});

test('what is not done is refused by name', async () => {
  assert.match((await refusal({ tools: [{ type: 'web_search' }] })).message, /web_search/);
  assert.match((await refusal({ conversation: 'conv_1' })).message, /conversation/);
  const image = [{ role: 'user', content: [{ type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'auto' }] }];
  assert.match((await refusal({ input: image })).message, /input_image/);
});

test('an unknown model and bad numbers are refused', async () => {
  assert.ok((await refusal({ model: 'no-such-model' })) instanceof OpenAI.NotFoundError);
  assert.ok((await refusal({ temperature: -1 })) instanceof OpenAI.BadRequestError);
  assert.ok((await refusal({ max_output_tokens: -1 })) instanceof OpenAI.BadRequestError);
  assert.ok((await refusal({ input: [] })) instanceof OpenAI.BadRequestError);
});

test('a client that leaves a stream can ask again', async () => {
  const stream = await create({ input: 'Hello', stream: true });
  for await (const event of stream) {
    if (event.type === 'response.output_text.delta') {
      break;
    }
  }
  assert.ok((await create({ input: 'Hello' })).output_text.length > 0);
});

test('input tokens are counted as the request has them', async () => {
  const params = { input: 'Hello', instructions: 'Be brief.', tools: [weather] };
  const counted = await client.responses.inputTokens.count({ model, ...params });
  const response = await create(params);
  assert.equal(counted.object, 'response.input_tokens');
  assert.equal(counted.input_tokens, response.usage.input_tokens);
  await assert.rejects(client.responses.inputTokens.count({ ...params, model: 'no-such-model' }), OpenAI.NotFoundError);
});

test('a background request that cannot be done is refused', async () => {
  const unknown = await refusal({ model: 'no-such-model', background: true });
  assert.ok(unknown instanceof OpenAI.NotFoundError);
  const long = await refusal({ input: 'word '.repeat(20_000), background: true });
  assert.ok(long instanceof OpenAI.BadRequestError);
});
