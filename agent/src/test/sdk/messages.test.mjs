// The @anthropic-ai/sdk package's everyday programs against /v1/messages.
import assert from 'node:assert/strict';
import test from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { anthropic, apiKey, baseUrl, demoTest, model } from './agent.mjs';

const client = anthropic();
const messages = client.messages;
const sky = [{ role: 'user', content: 'What colour is the sky?' }];
const short = { model, messages: sky, max_tokens: 12 };

/** The demo model knows this one by heart, so that a request with temperature 0 has one right answer. */
const exact = { model, messages: sky, max_tokens: 60, temperature: 0 };

const weather = {
  name: 'get_weather',
  description: 'Get the weather for a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const zurich = { model, max_tokens: 100, temperature: 0, messages: [{ role: 'user', content: 'I need the weather in Zurich.' }], tools: [weather] };

function textOf(message) {
  return message.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
}

/** Asserts that a call fails with one of the package's error classes, in the API's own envelope, and returns the error. */
async function failure(promise, type, status, kind) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof type, `${error}`);
    assert.equal(error.status, status);
    assert.equal(error.error.type, 'error');
    assert.equal(error.error.error.type, kind);
    assert.equal(error.error.request_id, error.requestID);
    assert.ok(error.requestID);
    return error;
  }
  return assert.fail('there was no error');
}

// Documents

test('create answers with a message and its usage', async () => {
  const message = await messages.create(short);

  assert.match(message.id, /^msg_/);
  assert.equal(message.type, 'message');
  assert.equal(message.role, 'assistant');
  assert.equal(message.model, model);
  assert.ok(message._request_id);
  assert.ok(message.usage.input_tokens + message.usage.cache_read_input_tokens > 0);
  assert.equal(message.usage.cache_creation_input_tokens, 0);
  assert.ok(message.usage.output_tokens <= 12);
});

demoTest('create gives the trained answer', async () => {
  const message = await messages.create(exact);

  assert.deepEqual(message.content, [{ type: 'text', text: 'The sky is blue.' }]);
  assert.equal(message.stop_reason, 'end_turn');
  assert.equal(message.stop_sequence, null);
});

demoTest('a system prompt counts, as text and as blocks', async () => {
  for (const system of ['You are a pirate captain.', [{ type: 'text', text: 'You are a pirate captain.', cache_control: { type: 'ephemeral' } }]]) {
    const message = await messages.create({ ...exact, system, messages: [{ role: 'user', content: 'What is 0 * 6?' }] });

    assert.equal(textOf(message), 'Arr, matey! 0 * 6 = 0.');
  }
});

demoTest('earlier turns count', async () => {
  const message = await messages.create({
    ...exact,
    messages: [
      { role: 'user', content: "I'm Zurkusbul." },
      { role: 'assistant', content: [{ type: 'text', text: 'Nice to meet you, Zurkusbul!' }] },
      { role: 'user', content: [{ type: 'text', text: 'What am I called?' }] },
    ],
  });

  assert.equal(textOf(message), 'Your name is Zurkusbul.');
});

demoTest('a last turn of the assistant is continued', async () => {
  const message = await messages.create({ ...exact, messages: [...sky, { role: 'assistant', content: 'The sky' }] });

  assert.equal(textOf(message), ' is blue.');
});

test('max_tokens cuts the answer and says so', async () => {
  const message = await messages.create({ ...short, max_tokens: 3, temperature: 0 });

  assert.equal(message.usage.output_tokens, 3);
  assert.equal(message.stop_reason, 'max_tokens');
});

test('a stop sequence ends the answer and is named', async () => {
  const whole = textOf(await messages.create({ ...short, temperature: 0 }));
  const stop = whole.slice(4, 7);
  const message = await messages.create({ ...short, temperature: 0, stop_sequences: ['@@never@@', stop] });

  assert.equal(message.stop_reason, 'stop_sequence');
  assert.equal(message.stop_sequence, stop);
  assert.equal(textOf(message), whole.slice(0, whole.indexOf(stop)));
});

test('parameters that change nothing here are taken', async () => {
  const message = await messages.create({ ...short, metadata: { user_id: 'u' }, service_tier: 'auto', cache_control: { type: 'ephemeral' } });

  assert.equal(message.type, 'message');
});

test('a base URL that ends in /v1 works', async () => {
  const message = await anthropic({ baseURL: `${baseUrl}/v1` }).messages.create(short);
  const counted = await anthropic({ baseURL: `${baseUrl}/v1` }).messages.countTokens({ model, messages: sky });

  assert.equal(message.type, 'message');
  assert.ok(counted.input_tokens > 0);
});

test('a bearer token opens the door as the API key does', async () => {
  const message = await anthropic({ apiKey: null, authToken: apiKey }).messages.create(short);

  assert.equal(message.type, 'message');
});

test('the beta resource works', async () => {
  const message = await client.beta.messages.create({ ...short, betas: ['interleaved-thinking-2025-05-14'] });

  assert.equal(message.type, 'message');
});

test('withResponse shows the headers', async () => {
  const { data, response, request_id: id } = await messages.create(short).withResponse();

  assert.equal(data.id, `msg_${id}`);
  assert.equal(response.headers.get('content-type'), 'application/json');
});

// Streams

test('a stream has its events in order', async () => {
  const types = [];
  let deltas = '';
  for await (const event of await messages.create({ ...short, stream: true })) {
    types.push(event.type);
    deltas += event.delta?.text ?? '';
  }

  assert.equal(types[0], 'message_start');
  assert.equal(types[1], 'content_block_start');
  assert.ok(types.slice(2, -3).every((type) => type === 'content_block_delta'), `${types}`);
  assert.deepEqual(types.slice(-3), ['content_block_stop', 'message_delta', 'message_stop']);
  assert.ok(deltas.length > 0);
});

test('the stream helper tells text and gathers the message', async () => {
  const whole = await messages.create({ ...short, temperature: 0 });
  const stream = messages.stream({ ...short, temperature: 0 });
  let told = '';
  const blocks = [];
  stream.on('text', (delta, snapshot) => {
    told += delta;
    assert.equal(snapshot, told);
  });
  stream.on('contentBlock', (block) => blocks.push(block));
  const message = await stream.finalMessage();

  assert.equal(told, textOf(whole));
  assert.equal(await stream.finalText(), told);
  assert.deepEqual(message.content, whole.content);
  assert.equal(blocks.length, message.content.length);
  assert.equal(message.stop_reason, whole.stop_reason);
  assert.equal(message.usage.output_tokens, whole.usage.output_tokens);
  assert.equal(message.usage.input_tokens + message.usage.cache_read_input_tokens,
    whole.usage.input_tokens + whole.usage.cache_read_input_tokens);
});

demoTest('a streamed stop sequence is named', async () => {
  const message = await messages.stream({ ...exact, stop_sequences: [' blue'] }).finalMessage();

  assert.equal(textOf(message), 'The sky is');
  assert.equal(message.stop_reason, 'stop_sequence');
  assert.equal(message.stop_sequence, ' blue');
});

test('abort ends a stream, and the agent goes on', async () => {
  const stream = messages.stream({ ...short, max_tokens: 1500, ignore_eos: true });
  stream.once('text', () => stream.abort());

  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
  assert.equal((await messages.create(short)).type, 'message');
});

test('leaving a stream early closes it', async () => {
  let seen = 0;
  for await (const event of await messages.create({ ...short, max_tokens: 1500, ignore_eos: true, stream: true })) {
    seen += event.type === 'content_block_delta' ? 1 : 0;
    if (seen === 2) {
      break;
    }
  }

  assert.equal(seen, 2);
  assert.equal((await messages.create(short)).type, 'message');
});

// Tools

demoTest('a tool is called, and its result makes the answer', async () => {
  const first = await messages.create(zurich);
  const use = first.content.at(-1);

  assert.equal(first.stop_reason, 'tool_use');
  assert.equal(use.type, 'tool_use');
  assert.equal(use.name, 'get_weather');
  assert.deepEqual(use.input, { city: 'Zurich' });

  const result = { type: 'tool_result', tool_use_id: use.id, content: '{"temperature":21,"city":"Zurich"}' };
  const second = await messages.create({
    ...zurich,
    messages: [...zurich.messages, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }],
  });

  assert.equal(second.stop_reason, 'end_turn');
  assert.match(textOf(second), /Zurich/);
});

demoTest('a streamed tool call adds up to its input', async () => {
  const stream = messages.stream(zurich);
  let json = '';
  stream.on('inputJson', (partial) => { json += partial; });
  const message = await stream.finalMessage();

  assert.equal(message.stop_reason, 'tool_use');
  assert.deepEqual(JSON.parse(json), { city: 'Zurich' });
  assert.deepEqual(message.content.at(-1).input, { city: 'Zurich' });
});

for (const choice of [{ type: 'any' }, { type: 'tool', name: 'get_weather', disable_parallel_tool_use: true }]) {
  test(`${choice.type} calls a tool even for a greeting`, async () => {
    const hello = [{ role: 'user', content: 'Hello' }];
    const message = await messages.create({ ...zurich, messages: hello, max_tokens: 200, tool_choice: choice });

    assert.equal(message.stop_reason, 'tool_use');
    assert.equal(message.content.at(-1).name, 'get_weather');
    assert.equal(typeof message.content.at(-1).input.city, 'string');
  });
}

test('none calls nothing', async () => {
  assert.ok((await messages.create({ ...zurich, tool_choice: { type: 'none' } })).content.every((block) => block.type !== 'tool_use'));
});

demoTest('the tool runner goes round until there is an answer', async () => {
  const asked = [];
  const tool = betaZodTool({
    name: 'get_weather',
    description: 'Get the weather for a city',
    inputSchema: z.object({ city: z.string() }),
    run: ({ city }) => {
      asked.push(city);
      return JSON.stringify({ temperature: 21, city });
    },
  });
  const message = await client.beta.messages.toolRunner({ ...zurich, tools: [tool], max_iterations: 4 }).runUntilDone();

  assert.deepEqual(asked, ['Zurich']);
  assert.equal(message.stop_reason, 'end_turn');
  assert.match(textOf(message), /Zurich/);
});

demoTest('the streamed tool runner does too', async () => {
  const asked = [];
  const tool = betaZodTool({
    name: 'get_weather',
    description: 'Get the weather for a city',
    inputSchema: z.object({ city: z.string() }),
    run: ({ city }) => {
      asked.push(city);
      return JSON.stringify({ temperature: 21, city });
    },
  });
  const runner = client.beta.messages.toolRunner({ ...zurich, tools: [tool], max_iterations: 4, stream: true });
  const reasons = [];
  for await (const stream of runner) {
    reasons.push((await stream.finalMessage()).stop_reason);
  }

  assert.deepEqual(asked, ['Zurich']);
  assert.deepEqual(reasons, ['tool_use', 'end_turn']);
});

// Thinking and structured output

demoTest('thinking comes as a block before the text', async () => {
  const asked = { ...exact, max_tokens: 200, messages: [{ role: 'user', content: 'What is meant by temperature?' }] };
  const thoughtful = await messages.create({ ...asked, thinking: { type: 'enabled', budget_tokens: 1024 } });

  assert.deepEqual(thoughtful.content.map((block) => block.type), ['thinking', 'text']);
  assert.ok(thoughtful.content[0].thinking.length > 0);
  assert.equal(typeof thoughtful.content[0].signature, 'string');
  assert.equal(thoughtful.content[1].text, 'Temperature sets how random the answer is; zero always picks the most likely token.');

  const silent = await messages.create({ ...asked, thinking: { type: 'disabled' } });
  assert.deepEqual(silent.content.map((block) => block.type), ['text']);
});

demoTest('streamed thinking is told as thinking', async () => {
  const stream = messages.stream({
    ...exact,
    max_tokens: 200,
    messages: [{ role: 'user', content: 'What is meant by temperature?' }],
    thinking: { type: 'adaptive' },
  });
  let thoughts = '';
  stream.on('thinking', (delta) => { thoughts += delta; });
  const message = await stream.finalMessage();

  assert.ok(thoughts.length > 0);
  assert.equal(message.content[0].thinking, thoughts);

  const again = await messages.create({ // the client hands the blocks back as they came
    ...exact,
    messages: [{ role: 'user', content: 'What is meant by temperature?' }, { role: 'assistant', content: message.content }, ...sky],
  });
  assert.equal(again.stop_reason, 'end_turn');
});

test('output follows a schema', async () => {
  const shape = z.object({ ok: z.boolean(), size: z.enum(['small', 'large']) });
  const message = await messages.parse({ ...exact, max_tokens: 120, output_config: { format: zodOutputFormat(shape) } });

  assert.equal(typeof message.parsed_output.ok, 'boolean');
  assert.ok(['small', 'large'].includes(message.parsed_output.size));
});

test('a thread kept by the server is refused so that the package says which feature', async () => {
  const thread = client.beta.messages.thread({ model, max_tokens: 12 });
  await assert.rejects(thread.send(sky[0]), (error) => error instanceof Anthropic.BadRequestError && error.errorCode === 'thread_unsupported_request');
});

// Models

test('the models can be listed and looked up', async () => {
  const ids = [];
  for await (const each of client.models.list()) {
    ids.push(each.id);
  }

  assert.ok(ids.includes(model));
  assert.equal((await client.models.retrieve(model)).id, model);
  await assert.rejects(client.models.retrieve('no-such-model'), Anthropic.NotFoundError);
});

// Counting

test('counted tokens agree with the usage of the same request', async () => {
  const bodies = [
    { messages: sky },
    { messages: sky, system: 'Be brief.' },
    { messages: sky, tools: [weather] },
    { messages: [...sky, { role: 'assistant', content: 'The sky' }] },
    { messages: sky, thinking: { type: 'enabled', budget_tokens: 1024 } },
  ];
  for (const body of bodies) {
    const counted = await messages.countTokens({ model, ...body });
    const { usage } = await messages.create({ model, max_tokens: 4, ...body });

    assert.equal(counted.input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
  }
});

// Errors

test('a request that is wrong is BadRequestError', async () => {
  const cases = [
    [{ model, messages: sky }, /max_tokens is missing/],
    [{ ...short, messages: [] }, /messages is empty/],
    [{ ...short, temperature: -1 }, /temperature/],
    [{ ...short, thinking: { type: 'enabled' } }, /budget_tokens/],
    [{ ...short, tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, /web_search_20250305/],
    [{ ...short, messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'http://localhost/x.png' } }] }] }, /unsupported media/],
  ];
  for (const [body, message] of cases) {
    const error = await failure(messages.create(body), Anthropic.BadRequestError, 400, 'invalid_request_error');
    assert.match(error.message, message);
  }
});

test('an error of a streamed request comes before the stream', async () => {
  await failure(messages.create({ ...short, messages: [], stream: true }), Anthropic.BadRequestError, 400, 'invalid_request_error');
  await failure(messages.stream({ ...short, model: 'no-such-model' }).finalMessage(), Anthropic.NotFoundError, 404, 'not_found_error');
});

test('a wrong key is AuthenticationError', async () => {
  await failure(anthropic({ apiKey: 'wrong' }).messages.create(short), Anthropic.AuthenticationError, 401, 'authentication_error');
});

test('an unknown model is NotFoundError', async () => {
  await failure(messages.create({ ...short, model: 'no-such-model' }), Anthropic.NotFoundError, 404, 'not_found_error');
  await failure(messages.countTokens({ model: 'no-such-model', messages: sky }), Anthropic.NotFoundError, 404, 'not_found_error');
});

test('a body that is too large is told with 413', async () => {
  const large = [{ role: 'user', content: 'x'.repeat(33 << 20) }];
  await failure(messages.create({ ...short, messages: large }), Anthropic.APIError, 413, 'request_too_large');
});

test('a prompt beyond the context is BadRequestError', async () => {
  const long = [{ role: 'user', content: 'word '.repeat(20_000) }];
  await failure(messages.create({ ...short, messages: long }), Anthropic.BadRequestError, 400, 'invalid_request_error');
});

test('models are listed and found', async () => {
  const listed = [];
  for await (const one of anthropic().models.list()) {
    listed.push(one);
  }
  assert.deepEqual(listed.map((one) => one.id), [model]);
  assert.equal(listed[0].type, 'model');
  assert.equal(listed[0].display_name, model);
  assert.ok(!Number.isNaN(Date.parse(listed[0].created_at)));
  assert.equal((await anthropic().models.retrieve(model)).id, model);
});
