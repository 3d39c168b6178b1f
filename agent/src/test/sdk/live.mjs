// A real coordinator and agents, asked through the official SDKs, and what happens when one of them is lost. Run by LiveCoordinatorTest.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import test, { after, before } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Agent, Coordinator, ROUTED_MS, endAll, hello, isOpen, isOwn, isUntold, needsOwn, until } from './live-world.mjs';

let coordinator;
let model;
let one;
let two;
/** An agent that nobody disturbs, at a coordinator of its own where there is one: it waits for its second challenge while the rest runs. */
let steady;
let firstChallenge;
/** What `status` said of it, once a second, where that was not that work can come. */
const lapses = [];
let watch;
/** Why no request can come to this machine; only where the coordinator is not ours. */
let closed;

before(async () => {
  coordinator = await Coordinator.ofThisRun();
  const quiet = isOwn ? await Coordinator.start() : coordinator;
  const models = Object.keys(await coordinator.freeModels());
  assert.ok(models.length >= 2, 'two models of the coordinator\'s catalogue must be without a node');
  model = models[0];
  one = new Agent('one', coordinator, model);
  two = new Agent('two', coordinator, model);
  steady = new Agent('steady', quiet, models[1]);
  await Promise.all([one.start(), steady.start()]);
  if (coordinator.isLoopback()) {
    await Promise.all([one.eligible(), steady.eligible()]);
  } else {
    const said = async () => (await one.status()).coordinator;
    const report = await until('status to know', async () => {
      const now = await said();
      return now.gates.every(found => found.verdict !== 'unknown' || isUntold(found)) && now;
    }).catch(said);
    const gate = !isOpen(report) && report.gates.find(found => found.is_required && found.verdict !== 'pass'
      && !(found.verdict === 'unknown' && isUntold(found)));
    closed = gate && `no request can come to this machine: ${gate.name}: ${gate.detail}`;
  }
  if (!closed) {
    firstChallenge = await until('the first challenge', async () => (await steady.status()).coordinator.last_challenge_at);
    watch = setInterval(async () => {
      const report = (await steady.status().catch(() => undefined))?.coordinator;
      if (report?.state !== 'connected' || !isOpen(report)) {
        lapses.push({ at: new Date(), report });
      }
    }, 1_000);
  }
});

after(async () => {
  clearInterval(watch);
  await endAll();
});

/** A case in which the agent is asked through the coordinator. */
function asked(name, body) {
  test(name, async t => (closed ? t.skip(closed) : body(t)));
}

function openai() {
  return new OpenAI({ baseURL: `${coordinator.url}/v1`, apiKey: coordinator.key, maxRetries: 0, timeout: ROUTED_MS });
}

function anthropic() {
  return new Anthropic({ baseURL: coordinator.url, authToken: coordinator.key, apiKey: null, maxRetries: 0, timeout: ROUTED_MS });
}

/** Asks for a long text and returns its chunks; the first of them are there. */
async function longStream() {
  const stream = await openai().chat.completions.create({ model, messages: hello, stream: true, ignore_eos: true, max_tokens: 1800 });
  const chunks = stream[Symbol.asyncIterator]();
  for (let text = ''; text === '';) {
    const { value } = await chunks.next();
    text = value.choices[0].delta.content ?? '';
  }
  return { chunks, stream };
}

/** Reads on until the end; returns the reason of the end that the answer gives, and what broke it off. */
async function rest(chunks) {
  let finish;
  try {
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      finish = next.value.choices[0]?.finish_reason ?? finish;
    }
  } catch (error) {
    return { finish, error };
  }
  return { finish };
}

function isIdle(report) {
  return report.models[0].busy_slots === 0 && report.models[0].waiting === 0 && report.coordinator.requests_in_flight === 0;
}

asked('status says that work may come, and that it can when some has come; the coordinator lists the node', async () => {
  const answer = await one.verb('status', '--json');
  assert.equal(answer.code, 0, answer.out);
  const report = JSON.parse(answer.stdout).coordinator;
  assert.equal(report.state, 'connected');
  assert.equal(report.eligible, 'unknown');
  assert.ok(isOpen(report), answer.stdout);
  assert.equal((await one.verb('doctor')).code, 0);
  const listed = (await coordinator.listed()).filter(node => node.models?.includes(model));
  assert.deepEqual(listed.map(node => node.models), [[model]]);
  assert.equal(await coordinator.ask(model), 200);
  await until('status to know that work can come', async () => (await one.status()).coordinator.eligible === 'yes');
});

// for chunk in stream:
//     print(chunk.choices[0].delta.content or "", end="")
asked("the quickstart's loop", async () => {
  const stream = await openai().chat.completions.create({ model, messages: hello, temperature: 0, stream: true });
  let text = '';
  let finish;
  for await (const chunk of stream) {
    text += chunk.choices[0].delta.content || '';
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.match(text, /bloom-demo/);
  assert.equal(finish, 'stop');
});

asked('a whole answer, with its usage', async () => {
  const answer = await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
  assert.match(answer.choices[0].message.content, /bloom-demo/);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.ok(answer.usage.completion_tokens > 5);
});

asked('usage by itself goes to who asks for it', async () => {
  const stream = await openai().chat.completions.create({
    model, messages: hello, stream: true, stream_options: { include_usage: true },
  });
  let last;
  for await (const chunk of stream) {
    last = chunk;
  }
  assert.equal(last.choices.length, 0);
  assert.ok(last.usage.total_tokens > 0);
});

asked('a tool call streams', async () => {
  const stream = await openai().chat.completions.create({
    model, temperature: 0, stream: true, tool_choice: 'required',
    messages: [{ role: 'user', content: 'What is the weather in Zurich?' }],
    tools: [{ type: 'function', function: {
      name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    } }],
  });
  let name = '';
  let args = '';
  let finish;
  for await (const chunk of stream) {
    for (const call of chunk.choices[0].delta.tool_calls ?? []) {
      assert.equal(call.index, 0);
      name += call.function.name ?? '';
      args += call.function.arguments ?? '';
    }
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.equal(name, 'get_weather');
  assert.equal(typeof JSON.parse(args).city, 'string');
  assert.equal(finish, 'tool_calls');
});

asked('text completions, whole and streamed', async () => {
  const whole = await openai().completions.create({ model, prompt: 'Hello', max_tokens: 5, temperature: 0 });
  assert.ok(whole.choices[0].text.length > 0);
  const stream = await openai().completions.create({ model, prompt: 'Hello', max_tokens: 5, temperature: 0, stream: true });
  let text = '';
  for await (const chunk of stream) {
    text += chunk.choices[0].text;
  }
  assert.equal(text, whole.choices[0].text);
});

asked("Anthropic's messages, whole and streamed", async () => {
  const whole = await anthropic().messages.create({ model, max_tokens: 60, messages: hello, temperature: 0 });
  assert.equal(whole.type, 'message');
  assert.equal(whole.stop_reason, 'end_turn');
  assert.match(whole.content[0].text, /bloom-demo/);
  const streamed = await anthropic().messages.stream({ model, max_tokens: 60, messages: hello, temperature: 0 }).finalMessage();
  assert.equal(streamed.content[0].text, whole.content[0].text);
});

asked('the Responses API, with instructions', async () => {
  const answer = await openai().responses.create({ model, input: 'Hello', instructions: 'Be kind.', temperature: 0 });
  assert.ok(answer.output[0].content[0].text.length > 0);
});

asked('a prompt longer than the context is the caller\'s mistake', async () => {
  await assert.rejects(openai().chat.completions.create({ model, messages: [{ role: 'user', content: 'word '.repeat(20_000) }] }),
    error => error.status === 400 && /context/.test(error.message));
});

asked('a cancel frees the slot and nothing is charged as served', async () => {
  const earlier = (await one.status()).coordinator;
  const { stream } = await longStream();
  stream.controller.abort();
  const now = await until('the slot to be free', async () => {
    const report = await one.status();
    return isIdle(report) && report.coordinator.cancelled_requests > earlier.cancelled_requests && report;
  });
  assert.equal(now.coordinator.cancelled_requests, earlier.cancelled_requests + 1);
  assert.equal(now.coordinator.served_requests, earlier.served_requests);
});

/** Returns the whole answer as it came, read without a pause or with one of `stallMs` after its first bytes. */
function read(body, stallMs) {
  return new Promise((resolve, reject) => {
    const { request: send } = coordinator.url.startsWith('https') ? https : http;
    const request = send(`${coordinator.url}/v1/chat/completions`, { method: 'POST',
      headers: { authorization: `Bearer ${coordinator.key}`, 'content-type': 'application/json' } }, response => {
      let text = '';
      response.once('data', first => {
        text += first;
        response.pause();
        setTimeout(() => response.resume(), stallMs);
      });
      response.on('data', data => { text += data; });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

asked('a reader that stalls for five seconds still gets the whole text', async () => {
  const body = { model, messages: hello, stream: true, ignore_eos: true, max_tokens: 1200, temperature: 0 };
  const [prompt, stalled] = await Promise.all([read(body, 0), read(body, 5_000)].map(async text => {
    const all = await text;
    assert.ok(all.trimEnd().endsWith('data: [DONE]'), all.slice(-300));
    const events = all.split('\n\n').filter(line => line.startsWith('data: {')).map(line => JSON.parse(line.slice(6)));
    assert.equal(events.at(-1).choices[0].finish_reason, 'length');
    assert.equal(events.at(-1).usage.completion_tokens, 1200);
    return events.map(event => event.choices[0].delta.content ?? '').join('');
  }));
  assert.equal(stalled, prompt);
});

asked('six requests at a time', async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => openai().chat.completions.create({ model, messages: hello, temperature: 0 })));
  assert.equal(new Set(answers.map(answer => answer.choices[0].message.content)).size, 1);
});

test('a coordinator that is killed in the middle of an answer and comes back is found again', { skip: needsOwn('a coordinator that may be killed') },
  async () => {
    const { chunks } = await longStream();
    await coordinator.kill();
    const { finish, error } = await rest(chunks);
    assert.equal(finish, undefined);
    assert.ok(error, 'the consumer sees that the answer broke off');
    const report = await until('the loss to be seen', async () => {
      const now = await one.status();
      return now.coordinator.state !== 'connected' && isIdle(now) && now;
    });
    assert.notEqual(report.coordinator.eligible, 'yes');
    await coordinator.start();
    await one.eligible();
    const answer = await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
    assert.match(answer.choices[0].message.content, /bloom-demo/);
  });

asked('an agent that is killed in the middle of an answer and is started again serves again', async () => {
  const { chunks } = await longStream();
  await one.kill();
  // The coordinator says that the provider disconnected, or just ends the stream; it never says that the text is whole.
  assert.equal((await rest(chunks)).finish, undefined);
  await until('the node to be off the list', async () => !(await coordinator.listed()).some(node => node.models?.includes(model)));
  await one.again();
  const report = await one.eligible();
  assert.equal(report.coordinator.served_requests, 0);
  const answer = await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
  assert.match(answer.choices[0].message.content, /bloom-demo/);
  await until('it to be counted', async () => (await one.status()).coordinator.served_requests === 1);
});

asked('self-route check says first what an older coordinator does, and then that this machine answered', async () => {
  const balance = async () => (await (await coordinator.get('/v1/payments/balance')).json()).balance_micro_usd;
  const earlier = isOwn && await balance();
  const check = one.spawn({ DARKBLOOM_API_KEY: coordinator.key }, 'self-route', 'check');
  await until('the warning', () => /ignores the wish and charges 100 micro-USD/.test(check.stderr));
  assert.equal(check.stdout, '');
  const { code, out, stdout } = await check.ended;
  assert.equal(code, 0, out);
  assert.match(stdout, /this machine answered it {2}\(job [0-9a-f-]{36}\)/);
  if (isOwn) {
    // The coordinator of April ignores the header: the key is of no account that owns this machine, and pays.
    await until('the charge', async () => await balance() === earlier - 100);
  }
});

test('self-route check names a key that is not taken, and one without money', { skip: needsOwn('keys of the test\'s own') }, async () => {
  const poor = await (await coordinator.post('/v1/auth/keys', {}, { key: coordinator.session('poor') })).json();
  const [unknown, unpaid] = await Promise.all(['nobody\'s', poor.api_key]
    .map(key => one.spawn({ DARKBLOOM_API_KEY: key }, 'self-route', 'check').ended));
  assert.equal(unknown.code, 1, unknown.out);
  assert.match(unknown.stdout, /does not accept the key.*HTTP 401/);
  assert.equal(unpaid.code, 1, unpaid.out);
  assert.match(unpaid.stdout, /has no money.*HTTP 402/);
});

test('login binds two homes to one account', { skip: needsOwn('a session at the coordinator\'s console') }, async () => {
  await two.configure();
  for (const agent of [one, two]) {
    const login = agent.spawn({}, 'login');
    const code = await until('the code', () => /confirm\s+(\S+)/.exec(login.out)?.[1]);
    assert.equal((await coordinator.post('/v1/device/approve', { user_code: code }, { key: coordinator.session('owner') })).status, 200);
    const ended = await login.ended;
    assert.equal(ended.code, 0, ended.out);
    assert.match(ended.out, /belongs to account/);
  }
  assert.equal(await one.stop(), 0);
  await Promise.all([one.again(), two.again()]);
  const { providers } = await (await coordinator.get('/v1/me/providers', coordinator.session('owner'))).json();
  const online = providers.filter(node => node.online);
  assert.equal(online.length, 2);
  assert.equal(new Set(online.map(node => node.serial_number)).size, 2);
  assert.equal((await one.gate('login')).verdict, 'pass');
});

asked('two agents with two homes serve side by side', async () => {
  if (!isOwn) {
    await two.start();
  }
  await Promise.all([one.eligible(), two.eligible()]);
  const served = async () => (await Promise.all([one.status(), two.status()])).map(report => report.coordinator.served_requests);
  const earlier = await served();
  await Promise.all(Array.from({ length: 8 }, () => openai().chat.completions.create({ model, messages: hello, temperature: 0 })));
  const now = await until('all to be counted', async () => {
    const [first, second] = await served();
    return first + second === earlier[0] + earlier[1] + 8 && [first, second];
  });
  assert.ok(now[0] > earlier[0] && now[1] > earlier[1], `served before ${earlier}, now ${now}`);
  if (isOwn) {
    const { api_key: key } = await (await coordinator.post('/v1/auth/keys', {}, { key: coordinator.session('owner') })).json();
    const earned = await (await coordinator.get('/v1/provider/account-earnings', key)).json();
    assert.equal(earned.earnings.length, 8, JSON.stringify(earned));
  }
  assert.equal(await two.stop(), 0);
  await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
});

test('logout unbinds', { skip: needsOwn('a login before') }, async () => {
  assert.equal((await one.verb('logout')).code, 0);
  assert.equal(await one.stop(), 0);
  await one.again();
  assert.equal((await one.gate('login')).verdict, 'fail');
  const { providers } = await (await coordinator.get('/v1/me/providers', coordinator.session('owner'))).json();
  assert.equal(providers.filter(node => node.online).length, 0);
});

asked('stop finishes what runs and ends with 0', async () => {
  const stream = await openai().chat.completions.create({ model, messages: hello, stream: true, ignore_eos: true, max_tokens: 600 });
  let stopping;
  let tokens = 0;
  for await (const chunk of stream) {
    stopping ??= one.verb('stop');
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  assert.equal(tokens, 600);
  assert.equal((await stopping).code, 0);
  assert.equal(await one.process.ended, 0);
});

asked('the second challenge, 300 s after the first, is answered, and the node stays eligible', async () => {
  const first = Date.parse(firstChallenge);
  await until('the second challenge', async () => Date.parse((await steady.status()).coordinator.last_challenge_at) > first, 400_000);
  clearInterval(watch);
  const { stdout } = await steady.verb('status', '--json');
  const report = JSON.parse(stdout).coordinator;
  assert.ok(Date.parse(report.last_challenge_at) - first > 290_000, `${firstChallenge}, ${report.last_challenge_at}`);
  assert.equal(report.gates.find(gate => gate.name === 'challenge').verdict, 'pass');
  assert.deepEqual(lapses, []);
  assert.ok(isOpen(report));
  assert.equal(await steady.coordinator.ask(steady.model), 200);
});
