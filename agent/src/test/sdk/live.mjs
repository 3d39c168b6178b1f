// A real coordinator and agents, both started here, asked through the official SDKs. Run by LiveCoordinatorTest, in a network of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const binary = process.env.COORDINATOR_BIN;
const agentCommand = JSON.parse(process.env.DARKBLOOM_AGENT_COMMAND);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'live-'));
// One of the ids that the coordinator's catalogue begins with; the demo model answers under it.
const model = 'qwen3.5-27b-claude-opus-8bit';
const adminKey = 'admin-key';
const privy = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let port;
let coordinator;
let agent;
const children = new Set();

function start(command, args, env, log) {
  const out = fs.openSync(path.join(folder, log), 'a');
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', out, out] });
  children.add(child);
  child.ended = new Promise(resolve => child.on('exit', code => {
    children.delete(child);
    resolve(code);
  }));
  return child;
}

async function freePort() {
  const server = net.createServer();
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port: found } = server.address();
  await new Promise(resolve => server.close(resolve));
  return found;
}

async function until(what, check, limitMs = 60_000) {
  const deadline = Date.now() + limitMs;
  let last;
  while (Date.now() < deadline) {
    try {
      const found = await check();
      if (found) {
        return found;
      }
    } catch (error) {
      last = error;
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not come true within ${limitMs} ms${last ? `: ${last}` : ''}`);
}

async function startCoordinator(environment = {}) {
  coordinator = start(binary, [], {
    EIGENINFERENCE_PORT: String(port),
    EIGENINFERENCE_ADMIN_KEY: adminKey,
    EIGENINFERENCE_ALLOW_MEMORY_STORE: 'true',
    EIGENINFERENCE_MIN_TRUST: 'self_signed',
    EIGENINFERENCE_KNOWN_RUNTIME_HASHES: ',',
    EIGENINFERENCE_RATE_LIMIT_RPS: '0',
    EIGENINFERENCE_FINANCIAL_RATE_LIMIT_RPS: '0',
    EIGENINFERENCE_PRIVY_APP_ID: 'app',
    EIGENINFERENCE_PRIVY_VERIFICATION_KEY: privy.publicKey.export({ type: 'spki', format: 'pem' }),
    EIGENINFERENCE_CONSOLE_URL: 'http://console.example',
    ...environment,
  }, 'coordinator.log');
  await until('the coordinator', async () => (await get('/health')).status === 200);
  await post('/v1/admin/invite-codes', { amount_usd: 50, max_uses: 5, code: 'LIVE1' });
  assert.equal((await post('/v1/invite/redeem', { code: 'LIVE1' })).status, 200);
}

async function stopCoordinator() {
  coordinator.kill('SIGKILL');
  await coordinator.ended;
}

function session(user) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({ iss: 'privy.io', aud: 'app', sub: `did:privy:${user}`, iat: now, exp: now + 3600 })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: privy.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

async function get(at, key = adminKey) {
  return fetch(`http://127.0.0.1:${port}${at}`, { headers: { authorization: `Bearer ${key}` } });
}

async function post(at, body, key = adminKey, signal = undefined) {
  return fetch(`http://127.0.0.1:${port}${at}`, {
    method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(body), signal,
  });
}

function home(name) {
  return path.join(folder, name);
}

function environment(name) {
  return { DARKBLOOM_AGENT_HOME: home(name), DARKBLOOM_AGENT_CACHE: path.join(folder, 'cache'), GGML_NO_BACKTRACE: '1' };
}

/** Runs a verb of the command line; returns its exit code and what it printed. */
async function verb(name, ...args) {
  const child = spawn(agentCommand[0], [...agentCommand.slice(1), ...args], { env: { ...process.env, ...environment(name) } });
  let out = '';
  child.stdout.on('data', data => { out += data; });
  child.stderr.on('data', data => { out += data; });
  const code = await new Promise(resolve => child.on('exit', resolve));
  return { code, out };
}

async function startAgent(name, settings = '') {
  fs.mkdirSync(home(name), { recursive: true });
  fs.writeFileSync(path.join(home(name), 'agent.toml'), `
[backend]
calibration = "off"
threads = 1
[coordinator]
url = "ws://127.0.0.1:${port}"
heartbeat_seconds = 1
${settings.includes('backend_name') ? '' : 'backend_name = "inprocess-mlx"'}
${settings.includes('test_posture') ? '' : 'test_posture = true'}
${settings}
`);
  const bound = await verb(name, 'models', 'add', 'demo', '--id', model);
  assert.equal(bound.code, 0, bound.out);
  return start(agentCommand[0], [...agentCommand.slice(1), 'start', '--model', model], environment(name), `${name}.log`);
}

async function status(name) {
  const answer = await verb(name, 'status', '--json');
  return answer.code === 0 ? JSON.parse(answer.out) : undefined;
}

async function connected(name) {
  return until(`${name} to be connected`, async () => (await status(name))?.coordinator?.state === 'connected');
}

async function stopAgent(child) {
  child.kill('SIGTERM');
  return child.ended;
}

function openai() {
  return new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: adminKey, maxRetries: 0, timeout: 30_000 });
}

function anthropic() {
  return new Anthropic({ baseURL: `http://127.0.0.1:${port}`, authToken: adminKey, apiKey: null, maxRetries: 0, timeout: 30_000 });
}

const hello = [{ role: 'user', content: 'Hello' }];

before(async () => {
  port = await freePort();
  await startCoordinator();
  agent = await startAgent('one');
  await connected('one');
});

after(async () => {
  for (const child of [...children]) {
    child.kill('SIGKILL');
    await child.ended;
  }
  fs.rmSync(folder, { recursive: true, force: true });
});

test('status says that work can come, and the coordinator lists the node', async () => {
  const report = await until('the list', async () => {
    const now = await status('one');
    return now.coordinator.eligible === 'yes' && now;
  });
  assert.ok(report.coordinator.gates.every(gate => gate.verdict === 'pass' || !gate.is_required));
  assert.equal((await verb('one', 'doctor')).code, 0);
  const listed = await (await get('/v1/providers/attestation')).json();
  assert.deepEqual(listed.providers.map(one => one.models), [[model]]);
});

test("the quickstart's loop", async () => {
  const stream = await openai().chat.completions.create({ model, messages: hello, temperature: 0, stream: true });
  let text = '';
  let finish;
  for await (const chunk of stream) {
    text += chunk.choices[0].delta.content ?? '';
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.match(text, /bloom-demo/);
  assert.equal(finish, 'stop');
});

test('a whole answer, with its usage', async () => {
  const answer = await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
  assert.match(answer.choices[0].message.content, /bloom-demo/);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.ok(answer.usage.completion_tokens > 5);
});

test('usage by itself goes to who asks for it', async () => {
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

test('a tool call streams', async () => {
  const stream = await openai().chat.completions.create({
    model, temperature: 0, stream: true, tool_choice: 'required',
    messages: [{ role: 'user', content: 'What is the weather in Zurich?' }],
    tools: [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } }],
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

test('text completions, whole and streamed', async () => {
  const whole = await openai().completions.create({ model, prompt: 'Hello', max_tokens: 5, temperature: 0 });
  assert.ok(whole.choices[0].text.length > 0);
  const stream = await openai().completions.create({ model, prompt: 'Hello', max_tokens: 5, temperature: 0, stream: true });
  let text = '';
  for await (const chunk of stream) {
    text += chunk.choices[0].text;
  }
  assert.equal(text, whole.choices[0].text);
});

test("Anthropic's messages, whole and streamed", async () => {
  const whole = await anthropic().messages.create({ model, max_tokens: 60, messages: hello, temperature: 0 });
  assert.equal(whole.type, 'message');
  assert.equal(whole.stop_reason, 'end_turn');
  assert.match(whole.content[0].text, /bloom-demo/);
  const streamed = await anthropic().messages.stream({ model, max_tokens: 60, messages: hello, temperature: 0 }).finalMessage();
  assert.equal(streamed.content[0].text, whole.content[0].text);
});

test('the Responses API, with instructions', async () => {
  const answer = await openai().responses.create({ model, input: 'Hello', instructions: 'Be kind.', temperature: 0 });
  assert.ok(answer.output[0].content[0].text.length > 0);
});

test('a prompt longer than the context is the caller\'s mistake', async () => {
  await assert.rejects(openai().chat.completions.create({ model, messages: [{ role: 'user', content: 'word '.repeat(20_000) }] }),
    error => error.status === 400 && /context/.test(error.message));
});

test('a cancel frees the slot and nothing is charged as served', async () => {
  const before = (await status('one')).coordinator;
  const stream = await openai().chat.completions.create({ model, messages: hello, stream: true, ignore_eos: true, max_tokens: 1800 });
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content) {
      break; // ends the request
    }
  }
  const now = await until('the slot to be free', async () => {
    const report = await status('one');
    return report.models[0].busy_slots === 0 && report.coordinator.cancelled_requests > before.cancelled_requests && report;
  });
  assert.equal(now.coordinator.requests_in_flight, 0);
  assert.equal(now.coordinator.served_requests, before.served_requests);
});

test('a reader that stalls for five seconds still gets the whole text', async () => {
  const body = JSON.stringify({ model, messages: hello, stream: true, ignore_eos: true, max_tokens: 1200, temperature: 0 });
  const text = await new Promise((resolve, reject) => {
    const request = http.request({ port, path: '/v1/chat/completions', method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' } }, response => {
      let read = '';
      response.once('data', first => {
        read += first;
        response.pause();
        setTimeout(() => response.resume(), 5_000);
      });
      response.on('data', data => { read += data; });
      response.on('end', () => resolve(read));
      response.on('error', reject);
    });
    request.end(body);
  });
  const events = text.split('\n\n').filter(line => line.startsWith('data: {')).map(line => JSON.parse(line.slice(6)));
  assert.equal(events.at(-1).choices[0].finish_reason, 'length');
  assert.equal(events.at(-1).usage.completion_tokens, 1200);
  assert.ok(text.trimEnd().endsWith('data: [DONE]'));
});

test('six requests at a time', async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => openai().chat.completions.create({ model, messages: hello, temperature: 0 })));
  assert.equal(new Set(answers.map(answer => answer.choices[0].message.content)).size, 1);
});

test('a coordinator that is killed and comes back is found again', async () => {
  await stopCoordinator();
  await until('the loss to be seen', async () => (await status('one')).coordinator.state !== 'connected');
  await startCoordinator();
  await connected('one');
  const answer = await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
  assert.match(answer.choices[0].message.content, /bloom-demo/);
});

test('self-route check says that this machine answered', async () => {
  const child = spawn(agentCommand[0], [...agentCommand.slice(1), 'self-route', 'check'],
    { env: { ...process.env, ...environment('one'), DARKBLOOM_API_KEY: adminKey } });
  let out = '';
  child.stdout.on('data', data => { out += data; });
  child.stderr.on('data', data => { out += data; });
  assert.equal(await new Promise(resolve => child.on('exit', resolve)), 0, out);
  assert.match(out, /charges 100 micro-USD/);
  assert.match(out, /this machine answered it/);
});

test('login binds the machine to its account, and logout unbinds it', async () => {
  const login = spawn(agentCommand[0], [...agentCommand.slice(1), 'login'], { env: { ...process.env, ...environment('one') } });
  let out = '';
  login.stdout.on('data', data => { out += data; });
  const ended = new Promise(resolve => login.on('exit', resolve));
  const code = await until('the code', async () => /confirm\s+(\S+)/.exec(out)?.[1]);
  assert.equal((await post('/v1/device/approve', { user_code: code }, session('owner'))).status, 200);
  assert.equal(await ended, 0);
  assert.match(out, /belongs to account/);
  await stopAgent(agent);
  agent = await startAgent('one');
  await connected('one');
  const mine = await (await get('/v1/me/providers', session('owner'))).json();
  assert.equal((mine.providers ?? mine).length, 1);
  assert.equal((await verb('one', 'logout')).code, 0);
});

test('two agents with two homes serve side by side', async () => {
  const second = await startAgent('two');
  await connected('two');
  const listed = await (await get('/v1/providers/attestation')).json();
  assert.equal(listed.providers.length, 2);
  assert.notEqual(listed.providers[0].serial_number, listed.providers[1].serial_number);
  await Promise.all(Array.from({ length: 8 }, () => openai().chat.completions.create({ model, messages: hello, temperature: 0 })));
  assert.equal(await stopAgent(second), 0);
  await openai().chat.completions.create({ model, messages: hello, temperature: 0 });
});

/** One deviation from an eligible node, and whether the coordinator still routes. */
const deviations = [
  ...['sip_enabled', 'secure_boot_enabled', 'rdma_disabled', 'anti_debug_enabled', 'core_dumps_disabled', 'env_scrubbed', 'text_backend_inprocess',
    'text_proxy_disabled', 'python_runtime_locked', 'dangerous_modules_blocked', 'secure_enclave_available']
    .map(flag => [`${flag} = false`, `test_posture = { ${flag} = false }`, false]),
  ['RDMA on under a hypervisor', 'test_posture = { rdma_disabled = false, hypervisor_active = true }', true],
  ['thermal critical', 'test_posture = { thermal_state = "critical" }', false],
  ['thermal serious', 'test_posture = { thermal_state = "serious" }', true],
  ['backend llama.cpp', 'backend_name = "llama.cpp"', false],
  ['backend mlx-swift', 'backend_name = "mlx-swift"', false],
];

for (const [name, settings, routed] of deviations) {
  test(`gate: ${name}: ${routed ? 'routed' : 'not routed'}`, async () => {
    await stopAgent(agent);
    agent = await startAgent('one', settings);
    await connected('one');
    const limit = AbortSignal.timeout(routed ? 20_000 : 4_000);
    const asked = post('/v1/chat/completions', { model, messages: hello }, adminKey, limit).then(response => response.status, error => error.name);
    assert.equal(await asked, routed ? 200 : 'TimeoutError');
    const { coordinator: report } = await status('one');
    if (routed) {
      assert.notEqual(report.eligible, 'no');
    } else {
      assert.notEqual(report.eligible, 'yes', `status: ${JSON.stringify(report.gates)}`);
    }
  });
}

test('a coordinator without a manifest routes to nobody, and status says so', async () => {
  await stopAgent(agent);
  await stopCoordinator();
  await startCoordinator({ EIGENINFERENCE_KNOWN_RUNTIME_HASHES: '' });
  agent = await startAgent('one');
  await connected('one');
  const asked = post('/v1/chat/completions', { model, messages: hello }, adminKey, AbortSignal.timeout(4_000)).then(r => r.status, e => e.name);
  assert.equal(await asked, 'TimeoutError');
  await until('the gate', async () => (await status('one')).coordinator.gates.find(gate => gate.name === 'runtime').verdict === 'fail');
});

test('a manifest is met by the hash that its owner sets', async () => {
  const hash = 'ab'.repeat(32);
  await stopAgent(agent);
  await stopCoordinator();
  await startCoordinator({ EIGENINFERENCE_KNOWN_RUNTIME_HASHES: hash });
  agent = await startAgent('one');
  await connected('one');
  await until('the mismatch', async () => (await status('one')).coordinator.gates.find(gate => gate.name === 'runtime').verdict === 'fail');
  await stopAgent(agent);
  agent = await startAgent('one', `runtime_hash = "${hash}"`);
  await connected('one');
  assert.equal((await post('/v1/chat/completions', { model, messages: hello }, adminKey, AbortSignal.timeout(20_000))).status, 200);
});

test('stop finishes what runs and ends with 0', async () => {
  const stream = await openai().chat.completions.create({ model, messages: hello, stream: true, ignore_eos: true, max_tokens: 600 });
  let stopping;
  let tokens = 0;
  for await (const chunk of stream) {
    stopping ??= verb('one', 'stop');
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  assert.equal(tokens, 600);
  assert.equal((await stopping).code, 0);
  assert.equal(await agent.ended, 0);
});
