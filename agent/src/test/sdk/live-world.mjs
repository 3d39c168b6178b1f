// What the live programs share: coordinators and agents, each in a process of its own, and the way to ask them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/** Whether the coordinators are started here; otherwise one runs already, and its settings are its owner's. */
export const isOwn = !process.env.COORDINATOR_URL;

const agentCommand = JSON.parse(process.env.DARKBLOOM_AGENT_COMMAND);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'live-'));
const children = new Set();

/** Returns what keeps a case from running where the coordinator is not ours; false where it is. */
export function needsOwn(what) {
  return isOwn ? false : `needs ${what}; run it with COORDINATOR_BIN`;
}

/** How long a consumer waits before a request counts as not routed. The coordinator keeps such a request for 120 s. */
export const NOT_ROUTED_MS = 3_000;
/** How long a request may take that is routed. The machine may have much else to do. */
export const ROUTED_MS = 60_000;

export const hello = [{ role: 'user', content: 'Hello' }];

/** Ends every process that was started here and removes their files. */
export async function endAll() {
  for (const child of [...children]) {
    child.kill('SIGKILL');
    await child.ended;
  }
  fs.rmSync(folder, { recursive: true, force: true });
}

function start(command, args, environment, log) {
  const out = fs.openSync(path.join(folder, log), 'a');
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['ignore', out, out] });
  fs.closeSync(out);
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
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** Waits until `check` returns something, and returns that. */
export async function until(what, check, limitMs = 120_000) {
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
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not come true within ${limitMs} ms${last ? `: ${last}` : ''}`);
}

/** Runs one thing after another per lane, lanes side by side; returns a promise for each, in order. */
export function lanes(count, works) {
  const ends = Array.from({ length: count }, () => Promise.resolve());
  return works.map((work, i) => {
    const result = ends[i % count].then(() => work(i % count));
    ends[i % count] = result.catch(() => {});
    return result;
  });
}

/** A coordinator: one that was started here, or one that runs already and whose settings nobody here can change. */
export class Coordinator {
  #privy = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #process;
  #settings;

  constructor(url, key, settings) {
    this.url = url;
    this.key = key;
    this.#settings = settings;
  }

  /** Starts one that routes to self-signed nodes of any runtime; `settings` are variables that differ. */
  static async start(settings = {}) {
    const coordinator = new Coordinator(`http://127.0.0.1:${await freePort()}`, 'admin-key', settings);
    await coordinator.start();
    return coordinator;
  }

  /** Returns the one of `COORDINATOR_URL` where there is one, and otherwise starts one. */
  static async ofThisRun() {
    return isOwn ? Coordinator.start()
      : new Coordinator(process.env.COORDINATOR_URL.replace(/^ws/, 'http').replace(/\/?(ws\/provider)?$/, ''), process.env.COORDINATOR_KEY);
  }

  /** Returns whether it is on this machine. Towards others nothing is claimed that is not so. */
  isLoopback() {
    return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(this.url).hostname);
  }

  /** Returns why its gates cannot be walked; false where they can. */
  whyNoGates() {
    return this.isLoopback() ? false : 'towards a coordinator elsewhere nothing is claimed that is not so';
  }

  /** Returns the text models that it knows and that nobody serves, with the gigabytes of their weights. */
  async freeModels() {
    const { models } = await (await this.get('/v1/models/catalog?type=text')).json();
    const served = new Set((await this.listed()).flatMap(one => one.models ?? []));
    return Object.fromEntries(models.filter(one => !served.has(one.id)).map(one => [one.id, one.size_gb]));
  }

  /** Starts it, once more after `kill`: at the same address, with nothing remembered. */
  async start() {
    const { port } = new URL(this.url);
    this.#process = start(process.env.COORDINATOR_BIN, [], {
      EIGENINFERENCE_PORT: port,
      EIGENINFERENCE_ADMIN_KEY: this.key,
      EIGENINFERENCE_ALLOW_MEMORY_STORE: 'true',
      EIGENINFERENCE_MIN_TRUST: 'self_signed',
      EIGENINFERENCE_KNOWN_RUNTIME_HASHES: ',',
      EIGENINFERENCE_RATE_LIMIT_RPS: '0',
      EIGENINFERENCE_FINANCIAL_RATE_LIMIT_RPS: '0',
      EIGENINFERENCE_PRIVY_APP_ID: 'app',
      EIGENINFERENCE_PRIVY_VERIFICATION_KEY: this.#privy.publicKey.export({ type: 'spki', format: 'pem' }),
      EIGENINFERENCE_CONSOLE_URL: 'http://console.example',
      EIGENINFERENCE_RELEASE_KEY: 'release-key',
      ...this.#settings,
    }, `coordinator-${port}.log`);
    await until('the coordinator', async () => (await this.get('/health')).status === 200);
    await this.post('/v1/admin/invite-codes', { amount_usd: 500, max_uses: 5, code: 'LIVE1' });
    assert.equal((await this.post('/v1/invite/redeem', { code: 'LIVE1' })).status, 200);
  }

  /** Ends it as a crash would. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#process.ended;
  }

  /** Returns a token of a person's session; one account per name. */
  session(user) {
    const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'privy.io', aud: 'app', sub: `did:privy:${user}`, iat: now, exp: now + 3600 };
    const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`;
    return `${text}.${sign('sha256', Buffer.from(text), { key: this.#privy.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }

  get(at, key = this.key) {
    return fetch(this.url + at, { headers: { authorization: `Bearer ${key}` } });
  }

  post(at, body, { key = this.key, signal } = {}) {
    return fetch(this.url + at, {
      method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(body), signal,
    });
  }

  async listed() {
    return (await (await this.get('/v1/providers/attestation')).json()).providers ?? [];
  }

  /** Asks for a short chat and returns the status of the answer; 'not routed' where none comes in time. */
  async ask(model, { more = {}, limitMs = ROUTED_MS } = {}) {
    try {
      const response = await this.post('/v1/chat/completions', { model, messages: hello, ...more }, { signal: AbortSignal.timeout(limitMs) });
      await response.text();
      return response.status;
    } catch (error) {
      if (error.name === 'TimeoutError') {
        return 'not routed';
      }
      throw error;
    }
  }
}

/** Returns whether no gate is closed, and none unknown but those of which no coordinator tells before it sends a request. */
export function isOpen(report) {
  return report.gates.every(gate => !gate.is_required || gate.verdict === 'pass' || gate.verdict === 'unknown' && isUntold(gate));
}

/** Returns whether only a request that comes can tell how this gate stands. */
export function isUntold(gate) {
  return ['trust', 'version'].includes(gate.name);
}

/** An agent with a home of its own. */
export class Agent {
  #bound = new Map();

  /** `name` is its home's. */
  constructor(name, coordinator, model) {
    this.name = name;
    this.home = path.join(folder, name);
    this.coordinator = coordinator;
    this.model = model;
    this.environment = { DARKBLOOM_AGENT_HOME: this.home, DARKBLOOM_AGENT_CACHE: path.join(folder, 'cache'), GGML_NO_BACKTRACE: '1' };
    fs.mkdirSync(this.home, { recursive: true });
  }

  /** Writes its settings: an eligible Mac's, but for lines of `[coordinator]` that say otherwise. Binds the demo model to its id. */
  async configure(settings = '') {
    const file = path.join(this.home, 'agent.toml');
    const lines = [
      '[backend]', 'calibration = "off"', 'threads = 1',
      '[coordinator]', `url = "${this.coordinator.url.replace(/^http/, 'ws')}"`, 'heartbeat_seconds = 1',
      ...(settings.includes('backend_name') ? [] : ['backend_name = "inprocess-mlx"']),
      ...(settings.includes('test_posture') || !this.coordinator.isLoopback() ? [] : ['test_posture = true']),
      settings, ''].join('\n');
    fs.writeFileSync(file, lines + (this.#bound.get(this.model) ?? ''));
    if (this.model !== 'demo' && !this.#bound.has(this.model)) {
      const added = await this.verb('models', 'add', 'demo', '--id', this.model);
      assert.equal(added.code, 0, added.out);
      const written = fs.readFileSync(file, 'utf8');
      const binding = /^\[models\.[^\]]*\]\n(?:[^[\n].*\n?)*/m.exec(written);
      assert.ok(binding?.[0].includes(this.model), written);
      this.#bound.set(this.model, binding[0]);
    }
  }

  /** Starts it and waits until it is connected. */
  async start(settings = '') {
    await this.configure(settings);
    await this.again();
  }

  /** Starts it as it was configured last. */
  async again() {
    this.process = start(agentCommand[0], [...agentCommand.slice(1), 'start', '--model', this.model], this.environment, `${this.name}.log`);
    const ended = this.process.ended.then(code => {
      throw new Error(`${this.name} ended with ${code}: ${this.log().slice(-2000)}`);
    });
    ended.catch(() => {}); // it may end later, as it is told
    await Promise.race([ended, this.connected()]);
  }

  /** Stops it in order; returns its exit code. */
  async stop() {
    this.process.kill('SIGTERM');
    return this.process.ended;
  }

  /** Ends it as a crash would. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.process.ended;
  }

  log() {
    return fs.readFileSync(path.join(folder, `${this.name}.log`), 'utf8');
  }

  connected() {
    return until(`${this.name} to be connected`, async () => (await this.status())?.coordinator?.state === 'connected');
  }

  /** Waits until every gate is open of which the coordinator tells. */
  eligible() {
    return until(`${this.name} to be eligible`, async () => {
      const report = await this.status();
      return report?.coordinator && isOpen(report.coordinator) && report;
    });
  }

  /** Returns a gate of `status`. */
  async gate(name) {
    return (await this.status()).coordinator.gates.find(gate => gate.name === name);
  }

  /** Runs a verb of the command line; returns its exit code and what it printed: together, on stderr and on stdout. */
  verb(...args) {
    return this.spawn({}, ...args).ended;
  }

  /** Begins a verb; `ended` is what `verb` returns. */
  spawn(environment, ...args) {
    const child = spawn(agentCommand[0], [...agentCommand.slice(1), ...args], { env: { ...process.env, ...this.environment, ...environment } });
    const said = { out: '', stdout: '', stderr: '' };
    for (const from of ['stdout', 'stderr']) {
      child[from].on('data', data => {
        said.out += data;
        said[from] += data;
      });
    }
    children.add(child);
    child.ended = new Promise(resolve => child.on('close', code => {
      children.delete(child);
      resolve({ code, ...said });
    }));
    return Object.assign(said, { ended: child.ended });
  }

  /** Returns the report of `status --json`, straight from the agent's socket: a process of Java per look would cost seconds. */
  status() {
    return new Promise((resolve, reject) => {
      const socket = net.connect(path.join(this.home, 'agent.sock'));
      let text = '';
      socket.on('connect', () => socket.write('{"type":"status"}\n'));
      socket.on('data', data => {
        text += data;
        if (text.endsWith('\n')) {
          socket.destroy();
          resolve(JSON.parse(text).report);
        }
      });
      socket.on('error', () => resolve(undefined)); // nobody is there
      socket.on('close', () => resolve(undefined));
      socket.setTimeout(30_000, () => {
        socket.destroy();
        reject(new Error(`${this.name} did not say how it stands within 30 s`));
      });
    });
  }
}
