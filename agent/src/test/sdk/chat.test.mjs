// The openai package's everyday programs against /v1/chat/completions.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { baseUrl, demoTest, model, openai } from './agent.mjs';

const client = openai();
const chat = client.chat.completions;
const sky = [{ role: 'user', content: 'What colour is the sky?' }];
const short = { model, messages: sky, max_completion_tokens: 12 };

/** The demo model knows this one by heart, so that a request with temperature 0 has one right answer. */
const exact = { model, messages: sky, temperature: 0 };

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the weather for a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const add = {
  type: 'function',
  function: {
    name: 'add',
    description: 'Adds a and b',
    parameters: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'] },
  },
};
const zurich = { model, temperature: 0, messages: [{ role: 'user', content: 'I need the weather in Zurich.' }], tools: [weather, add] };

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  return chunks;
}

function textOf(chunks, index = 0) {
  return chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index)
    .map((choice) => choice.delta.content ?? '').join('');
}

/** Asserts that a call fails with one of the package's error classes and returns the error. */
async function failure(promise, type, status) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof type, `${error}`);
    assert.equal(error.status, status);
    return error;
  }
  return assert.fail('there was no error');
}

// Documents

test('create answers with a message and its usage', async () => {
  const answer = await chat.create(short);

  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, model);
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 600);
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].message.role, 'assistant');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer.usage.completion_tokens <= 12);
});

demoTest('create gives the trained answer', async () => {
  const answer = await chat.create(exact);

  assert.equal(answer.choices[0].message.content, 'The sky is blue.');
  assert.equal(answer.choices[0].finish_reason, 'stop');
});

demoTest('a system message and earlier turns count', async () => {
  const answer = await chat.create({
    model,
    temperature: 0,
    messages: [
      { role: 'user', content: "I'm Zurkusbul." },
      { role: 'assistant', content: 'Nice to meet you, Zurkusbul!' },
      { role: 'user', content: [{ type: 'text', text: 'What am I called?' }] },
    ],
  });

  assert.equal(answer.choices[0].message.content, 'Your name is Zurkusbul.');
});

test('max_completion_tokens cuts the answer and says length', async () => {
  const answer = await chat.create({ ...short, max_completion_tokens: 3, logit_bias: {}, stop: null, temperature: 0 });

  assert.equal(answer.usage.completion_tokens, 3);
  assert.equal(answer.choices[0].finish_reason, 'length');
});

test('max_tokens is the same limit', async () => {
  const answer = await chat.create({ model, messages: sky, max_tokens: 2, temperature: 0 });

  assert.equal(answer.usage.completion_tokens, 2);
  assert.equal(answer.choices[0].finish_reason, 'length');
});

test('n gives so many choices in order, and their usage together', async () => {
  const answer = await chat.create({ ...short, max_completion_tokens: 4, n: 3, seed: 7 });

  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2]);
  assert.ok(answer.usage.completion_tokens >= 3 && answer.usage.completion_tokens <= 12);
});

test('a seed makes an answer repeatable', async () => {
  const asked = { ...short, temperature: 1.5, top_p: 1, seed: 4711 };
  const [one, two] = [await chat.create(asked), await chat.create(asked)];

  assert.equal(one.choices[0].message.content, two.choices[0].message.content);
});

test('logprobs name every token and the likeliest ones', async () => {
  const answer = await chat.create({ ...short, temperature: 0, max_completion_tokens: 5, logprobs: true, top_logprobs: 3 });
  const tokens = answer.choices[0].logprobs.content;

  assert.ok(tokens.length >= 1 && tokens.length <= answer.usage.completion_tokens);
  for (const token of tokens) {
    assert.ok(token.logprob <= 0);
    assert.equal(token.top_logprobs.length, 3);
    assert.equal(token.token, token.top_logprobs[0].token);
    assert.equal(Buffer.from(token.bytes).toString(), token.token);
  }
  assert.equal(tokens.map((token) => token.token).join(''), answer.choices[0].message.content);
});

test('without logprobs there are none', async () => {
  assert.equal((await chat.create(short)).choices[0].logprobs, null);
});

demoTest('a stop string ends the answer before it', async () => {
  const answer = await chat.create({ ...exact, stop: [' is'] });

  assert.equal(answer.choices[0].message.content, 'The sky');
  assert.equal(answer.choices[0].finish_reason, 'stop');
});

demoTest('a stop string that spans tokens is found in a stream', async () => {
  const chunks = await collect(await chat.create({ ...exact, stop: 'y is b', stream: true }));

  assert.equal(textOf(chunks), 'The sk');
});

demoTest('a logit bias of -100 bans a token', async () => {
  const logprobs = (await chat.create({ ...exact, logprobs: true, top_logprobs: 1 })).choices[0].logprobs.content;
  const blue = logprobs.findIndex((token) => token.token.includes('blue'));
  const response = await fetch(`${baseUrl}/tokenize`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.apiKey}` },
    body: JSON.stringify({ model, content: logprobs[blue].token }),
  });
  const { tokens } = await response.json();
  const answer = await chat.create({ ...exact, logit_bias: { [tokens.at(-1)]: -100 } });

  assert.notEqual(answer.choices[0].message.content, 'The sky is blue.');
});

demoTest('a logit bias may name a text, as llama-server has it', async () => {
  const answer = await chat.create({ ...exact, logit_bias: { ' blue': -100 } });

  assert.ok(!answer.choices[0].message.content.includes(' blue'));
});

demoTest('parallel_tool_calls false gives one call', async () => {
  const answer = await chat.create({ ...zurich, parallel_tool_calls: false });

  assert.equal(answer.choices[0].message.tool_calls.length, 1);
});

demoTest('penalties change the answer, and zero ones do not', async () => {
  const count = { model, temperature: 0, messages: [{ role: 'user', content: 'Count from 1 to 10.' }], max_completion_tokens: 60 };
  const plain = await chat.create({ ...count, frequency_penalty: 0, presence_penalty: 0 });
  const penal = await chat.create({ ...count, frequency_penalty: 2, presence_penalty: 2 });

  assert.equal(plain.choices[0].message.content, '1, 2, 3, 4, 5, 6, 7, 8, 9, 10');
  assert.notEqual(penal.choices[0].message.content, plain.choices[0].message.content);
});

demoTest('what does not concern the answer is tolerated', async () => {
  const answer = await chat.create({
    ...exact,
    user: 'someone',
    metadata: { topic: 'sky' },
    store: false,
    service_tier: 'auto',
    safety_identifier: 'abc',
    prompt_cache_key: 'key',
    prediction: { type: 'content', content: 'The sky is green.' },
    parallel_tool_calls: true,
    modalities: ['text'],
    verbosity: 'medium',
  });

  assert.equal(answer.choices[0].message.content, 'The sky is blue.');
});

demoTest('an assistant message at the end is continued', async () => {
  const answer = await chat.create({ ...exact, messages: [...sky, { role: 'assistant', content: 'The sky' }] });

  assert.equal(answer.choices[0].message.content.trim(), 'is blue.');
});

test('withResponse shows the HTTP answer', async () => {
  const { response } = await chat.create(short).withResponse();

  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^application\/json/);
});

// Streams

test('a stream begins with the role, ends with a reason, and gives usage to who asked', async () => {
  const chunks = await collect(await chat.create({ ...short, stream: true, stream_options: { include_usage: true } }));

  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.ok(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.id === chunks[0].id && chunk.model === model));
  const ends = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.finish_reason);
  assert.equal(ends.length, 1);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.total_tokens, chunks.at(-1).usage.prompt_tokens + chunks.at(-1).usage.completion_tokens);
});

test('a stream without include_usage has a choice in every chunk', async () => {
  const chunks = await collect(await chat.create({ ...short, stream: true }));

  assert.ok(chunks.every((chunk) => chunk.choices.length === 1));
});

test('a stream and a document of one seed say the same', async () => {
  const asked = { ...short, seed: 11, temperature: 1 };
  const document = await chat.create(asked);
  const chunks = await collect(await chat.create({ ...asked, stream: true }));

  assert.equal(textOf(chunks), document.choices[0].message.content);
});

test('a stream of several choices keeps them apart', async () => {
  const asked = { ...short, n: 2, seed: 5, max_completion_tokens: 6 };
  const document = await chat.create(asked);
  const chunks = await collect(await chat.create({ ...asked, stream: true }));

  for (const choice of document.choices) {
    assert.equal(textOf(chunks, choice.index), choice.message.content);
  }
});

test('a stream carries logprobs', async () => {
  const chunks = await collect(await chat.create({ ...short, stream: true, logprobs: true }));
  const tokens = chunks.flatMap((chunk) => chunk.choices).flatMap((choice) => choice.logprobs?.content ?? []);

  assert.equal(tokens.map((token) => token.token).join(''), textOf(chunks));
});

test('the stream helper fires its events and adds the deltas up', async () => {
  const stream = chat.stream({ ...short, stream_options: { include_usage: true } });
  let deltas = '';
  let snapshot = '';
  let chunks = 0;
  stream.on('content', (delta, whole) => {
    deltas += delta;
    snapshot = whole;
  });
  stream.on('chunk', () => {
    chunks += 1;
  });
  const done = await stream.finalChatCompletion();

  assert.ok(chunks >= 2);
  assert.equal(deltas, done.choices[0].message.content);
  assert.equal(snapshot, deltas);
  assert.equal((await stream.totalUsage()).completion_tokens, done.usage.completion_tokens);
});

test('a stream can be left in the middle, and the agent goes on', async () => {
  const stream = await chat.create({ ...short, messages: [{ role: 'user', content: 'Tell me a story.' }], max_completion_tokens: 1500, stream: true });
  let seen = 0;
  for await (const chunk of stream) {
    seen += chunk.choices.length;
    if (seen >= 3) {
      stream.controller.abort();
      break;
    }
  }
  assert.ok((await chat.create(short)).choices.length === 1);
});

test('an aborted call throws the package\'s own error', async () => {
  const abort = new AbortController();
  const pending = chat.create({ ...short, messages: [{ role: 'user', content: 'Tell me a story.' }], max_completion_tokens: 1500 },
    { signal: abort.signal });
  abort.abort();

  await assert.rejects(pending, OpenAI.APIUserAbortError);
});

// Reasoning

demoTest('reasoning is apart from the content', async () => {
  const answer = await chat.create({ ...exact, messages: [{ role: 'user', content: 'Hi there, bloom!' }], reasoning_effort: 'high' });
  const { message } = answer.choices[0];

  assert.equal(message.content, 'Hello! I am bloom-demo, a tiny demo model. How can I help you?');
  assert.ok(message.reasoning_content.length > 0);
  assert.ok(!message.reasoning_content.includes('think>'));
});

demoTest('reasoning streams before the content and never mixes with it', async () => {
  const chunks = await collect(await chat.create({
    ...exact,
    messages: [{ role: 'user', content: 'Hi there, bloom!' }],
    chat_template_kwargs: { enable_thinking: true },
    stream: true,
  }));
  const deltas = chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.delta);
  const lastThought = deltas.findLastIndex((delta) => delta.reasoning_content);
  const firstWord = deltas.findIndex((delta) => delta.content);

  assert.ok(lastThought >= 0 && lastThought < firstWord);
  assert.ok(deltas.every((delta) => !(delta.reasoning_content && delta.content)));
  assert.equal(textOf(chunks), 'Hello! I am bloom-demo, a tiny demo model. How can I help you?');
});

demoTest('reasoning_effort none switches thinking off', async () => {
  const answer = await chat.create({ ...exact, reasoning_effort: 'none' });

  assert.equal(answer.choices[0].message.content, 'The sky is blue.');
  assert.ok(!answer.choices[0].message.reasoning_content);
});

// Tools

demoTest('a tool is called when the question asks for it', async () => {
  const answer = await chat.create(zurich);
  const [call] = answer.choices[0].message.tool_calls;

  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.equal(call.type, 'function');
  assert.ok(call.id.length > 0);
  assert.equal(call.function.name, 'get_weather');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Zurich' });
});

demoTest('a tool is left alone when the question does not', async () => {
  const answer = await chat.create({ ...zurich, messages: [{ role: 'user', content: 'Days in a week?' }] });

  assert.equal(answer.choices[0].message.content, 'There are seven days in a week.');
  assert.equal(answer.choices[0].message.tool_calls, undefined);
});

test('tool_choice none calls nothing', async () => {
  const answer = await chat.create({ ...zurich, tool_choice: 'none', max_completion_tokens: 60 });

  assert.equal(answer.choices[0].message.tool_calls, undefined);
  assert.notEqual(answer.choices[0].finish_reason, 'tool_calls');
});

test('tool_choice required calls one even for a greeting', async () => {
  const answer = await chat.create({ ...zurich, messages: [{ role: 'user', content: 'Hello' }], tool_choice: 'required', max_completion_tokens: 200 });

  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.ok(['get_weather', 'add'].includes(answer.choices[0].message.tool_calls[0].function.name));
});

test('a named tool_choice calls that one', async () => {
  const answer = await chat.create({ ...zurich, tool_choice: { type: 'function', function: { name: 'add' } }, max_completion_tokens: 200 });
  const [call] = answer.choices[0].message.tool_calls;

  assert.equal(call.function.name, 'add');
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ['a', 'b']);
});

demoTest('a call\'s arguments stream in pieces that add up', async () => {
  const chunks = await collect(await chat.create({ ...zurich, stream: true }));
  const pieces = chunks.flatMap((chunk) => chunk.choices).flatMap((choice) => choice.delta.tool_calls ?? []);

  assert.equal(pieces[0].function.name, 'get_weather');
  assert.ok(pieces.every((piece) => piece.index === 0));
  assert.equal(pieces.filter((piece) => piece.id).length, 1);
  assert.deepEqual(JSON.parse(pieces.map((piece) => piece.function.arguments ?? '').join('')), { city: 'Zurich' });
  assert.equal(chunks.flatMap((chunk) => chunk.choices).at(-1).finish_reason, 'tool_calls');
});

demoTest('the stream helper puts a call together', async () => {
  const stream = chat.stream(zurich);
  const ended = [];
  stream.on('tool_calls.function.arguments.done', (call) => ended.push(call));
  await stream.done();

  assert.equal(ended.length, 1);
  assert.equal(ended[0].name, 'get_weather');
  assert.deepEqual(JSON.parse(ended[0].arguments), { city: 'Zurich' });
});

for (const stream of [false, true]) {
  demoTest(`runTools asks the tool and finishes with its answer${stream ? ', streamed' : ''}`, async () => {
    const asked = [];
    const runner = chat.runTools({
      model,
      temperature: 0,
      stream,
      messages: [{ role: 'user', content: 'Current time in Bern' }],
      tools: [{
        type: 'function',
        function: {
          name: 'get_time',
          description: 'Get the current time',
          parameters: { type: 'object', properties: { place: { type: 'string' } } },
          parse: JSON.parse,
          function: (place) => {
            asked.push(place);
            return { city: 'Bern', time: '11:42' };
          },
        },
      }],
    });

    assert.equal(await runner.finalContent(), 'It is 11:42 in Bern.');
    assert.deepEqual(asked, [{ place: 'Bern' }]);
    assert.equal((await runner.finalMessage()).role, 'assistant');
  });
}

test('an earlier call and its result are taken as history', async () => {
  const answer = await chat.create({
    model,
    max_completion_tokens: 8,
    messages: [
      { role: 'user', content: 'Current time in Bern' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_time', arguments: '{"place":"Bern"}' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: '{"city":"Bern","time":"11:42"}' },
    ],
  });

  assert.equal(answer.choices.length, 1);
});

// Forms of answers

const person = z.object({ name: z.string().max(12), kind: z.enum(['demo model', 'person']) });

test('parse returns what the zod schema describes', async () => {
  const answer = await chat.parse({
    model,
    temperature: 0,
    messages: [{ role: 'user', content: 'Who are you, as JSON?' }],
    response_format: zodResponseFormat(person, 'person'),
  });

  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.ok(person.safeParse(answer.choices[0].message.parsed).success);
});

test('json_object gives an object that parses', async () => {
  const answer = await chat.create({
    model,
    temperature: 0,
    max_completion_tokens: 200,
    messages: [{ role: 'user', content: 'Give me valid JSON.' }],
    response_format: { type: 'json_object' },
  });

  if (answer.choices[0].finish_reason === 'stop') {
    assert.equal(typeof JSON.parse(answer.choices[0].message.content), 'object');
  } else {
    assert.match(answer.choices[0].message.content.trimStart(), /^\{/);
  }
});

test('parse refuses an answer that was cut', async () => {
  await assert.rejects(chat.parse({
    model,
    messages: [{ role: 'user', content: 'Who are you, as JSON?' }],
    max_completion_tokens: 2,
    response_format: zodResponseFormat(person, 'person'),
  }), OpenAI.LengthFinishReasonError ?? Error);
});

test('response_format text is the default', async () => {
  const answer = await chat.create({ ...short, response_format: { type: 'text' } });

  assert.equal(answer.choices.length, 1);
});

// Models

test('models.list names the model', async () => {
  const ids = [];
  for await (const each of client.models.list()) {
    ids.push(each.id);
  }

  assert.ok(ids.includes(model));
});

test('models.retrieve describes it', async () => {
  const found = await client.models.retrieve(model);

  assert.equal(found.id, model);
  assert.equal(found.object, 'model');
});

test('models.retrieve of another is NotFoundError', async () => {
  const error = await failure(client.models.retrieve('no-such-model'), OpenAI.NotFoundError, 404);

  assert.equal(error.code, 'model_not_found');
});

// Errors

test('an unknown model is NotFoundError', async () => {
  const error = await failure(chat.create({ ...short, model: 'no-such-model' }), OpenAI.NotFoundError, 404);

  assert.equal(error.code, 'model_not_found');
  assert.equal(error.param, 'model');
  assert.equal(error.type, 'invalid_request_error');
});

test('a wrong key is AuthenticationError', async () => {
  const error = await failure(openai({ apiKey: 'wrong' }).chat.completions.create(short), OpenAI.AuthenticationError, 401);

  assert.equal(error.code, 'invalid_api_key');
});

for (const [what, param, wrong] of [
  ['no messages', 'messages', { messages: [] }],
  ['a negative temperature', 'temperature', { temperature: -1 }],
  ['a negative limit', 'max_completion_tokens', { max_completion_tokens: -5 }],
  ['too many choices', 'n', { n: 1000 }],
  ['too many alternatives', 'top_logprobs', { logprobs: true, top_logprobs: 50 }],
  ['a tool choice without tools', 'tool_choice', { tool_choice: 'required' }],
  ['a tool that is not there', 'tool_choice', { tools: [weather], tool_choice: { type: 'function', function: { name: 'add' } } }],
  ['a token beyond the vocabulary', 'logit_bias', { logit_bias: { 99999999: 1 } }],
  ['audio', 'audio', { audio: { voice: 'alloy', format: 'wav' } }],
  ['modalities with audio', 'modalities', { modalities: ['text', 'audio'] }],
  ['web search', 'web_search_options', { web_search_options: {} }],
  ['functions', 'functions', { functions: [add.function] }],
  ['a verbosity', 'verbosity', { verbosity: 'low' }],
  ['an unknown effort', 'reasoning_effort', { reasoning_effort: 'enormous' }],
]) {
  test(`${what} is BadRequestError that names ${param}`, async () => {
    const error = await failure(chat.create({ ...short, ...wrong }), OpenAI.BadRequestError, 400);

    assert.equal(error.param, param);
  });
}

test('a streamed request that is wrong fails before the stream', async () => {
  const error = await failure(chat.create({ ...short, stream: true, temperature: 9 }), OpenAI.BadRequestError, 400);

  assert.equal(error.param, 'temperature');
});

test('a prompt beyond the context is BadRequestError with the numbers', async () => {
  const error = await failure(chat.create({ ...short, messages: [{ role: 'user', content: 'word '.repeat(9000) }] }),
    OpenAI.BadRequestError, 400);

  assert.equal(error.code, 'request_exceeds_context');
  assert.match(error.message, /\d+ tokens/);
});

test('an image is BadRequestError', async () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
  const error = await failure(chat.create({ ...short, messages: [{ role: 'user', content: [image] }] }), OpenAI.BadRequestError, 400);

  assert.equal(error.code, 'unsupported_media');
});

test('a body beyond 32 MiB is 413', async () => {
  const error = await failure(chat.create({ ...short, messages: [{ role: 'user', content: 'x'.repeat(33 << 20) }] }), OpenAI.APIError, 413);

  assert.equal(error.code, 'payload_too_large');
});

test('embeddings of a text model are BadRequestError', async () => {
  const error = await failure(client.embeddings.create({ model, input: 'hello' }), OpenAI.BadRequestError, 400);

  assert.equal(error.code, 'embeddings_not_configured');
});

test('a path that does not exist is NotFoundError', async () => {
  await failure(client.images.generate({ prompt: 'a cat' }), OpenAI.NotFoundError, 404);
});

// Texts without a chat template

test('completions.create continues a text', async () => {
  const answer = await client.completions.create({ model, prompt: 'The sky is', max_tokens: 4, temperature: 0 });

  assert.equal(answer.object, 'text_completion');
  assert.equal(answer.usage.completion_tokens <= 4, true);
});
