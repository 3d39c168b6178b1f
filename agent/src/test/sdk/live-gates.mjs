// The gates of a real coordinator, one deviation from an eligible node each, by a client that speaks the protocol itself: also those that no
// setting of the agent reaches. What the agent can say of itself is walked by the agent, in live-agent-gates.mjs. Run by LiveCoordinatorTest.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { Coordinator, NOT_ROUTED_MS, ROUTED_MS, endAll, isOwn, lanes, needsOwn, until } from './live-world.mjs';
import { Node, privacyFlags } from './live-node.mjs';

const runtimeHash = 'ab'.repeat(32);
const binaryHash = 'cd'.repeat(32);

/** The coordinators' settings that some gate needs, as they differ from the usual: self-signed nodes are routed to, and any runtime. */
const settings = {
  usual: {},
  'floor none': { EIGENINFERENCE_MIN_TRUST: 'none' },
  'floor hardware': { EIGENINFERENCE_MIN_TRUST: '' },
  'no manifest': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: '' },
  'a manifest': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: runtimeHash },
  'a minimum version': { EIGENINFERENCE_MIN_PROVIDER_VERSION: '0.5.0' },
  'a release': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: '' },
};

const YES = true;
const NO = false;

const usual = await Coordinator.ofThisRun();
const models = await usual.freeModels();
const ids = Object.keys(models);
/** Models whose weights fit 64 GB beside the memory of a request, and do not fit 16 GB. */
const small = ids.filter(id => models[id] > 16 && models[id] < 60);
assert.ok(small.length > 0, 'a model of 16 to 60 GB of the coordinator\'s catalogue must be without a node');

/** Reports of a machine with so much memory, whose slot of the model is in a state; without a state it has no slot. */
const capacity = (gigabytes, state) => (message, model) => {
  message.backend_capacity = {
    slots: state === undefined ? [] : [{ model, state, num_running: 0, num_waiting: 0, active_tokens: 0, max_tokens_potential: 0 }],
    gpu_memory_active_gb: 0, gpu_memory_peak_gb: 0, gpu_memory_cache_gb: 0, total_memory_gb: gigabytes,
  };
};
const memory = gigabytes => message => { message.hardware.memory_gb = gigabytes; };
const backend = name => ({ register: message => { message.backend = name; } });
const version = text => ({ register: message => { message.version = text; } });
const hashed = message => { message.runtime_hash = runtimeHash; };
const written = number => ({ text: text => text.replace('"memory_gb":512', `"memory_gb":${number}`) });

/**
 * The lines of the gate matrix: what deviates, how, and whether work comes. `on` names the coordinator's settings, `more` goes into the
 * consumer's request, `ids` limits the models, `isSilent` says that the registration is not even read, and `control` changes the node that must be
 * routed after one that was not.
 */
const matrix = [
  ['nothing', {}, YES],
  ['backend mlx-swift', backend('mlx-swift'), NO],
  ['backend llama.cpp', backend('llama.cpp'), NO],
  ['backend empty', backend(''), NO],
  ['encrypted_response_chunks false', { register: message => { message.encrypted_response_chunks = false; } }, NO],
  ['public_key empty', { register: message => { message.public_key = ''; }, answer: response => { response.public_key = ''; } }, NO],
  // The blob names the key too, and must not be what closes the gate.
  ['public_key garbage', { register: message => { message.public_key = 'garbage'; }, blob: inner => { inner.encryptionPublicKey = 'garbage'; } }, NO],
  ...privacyFlags.map(flag => [`privacy flag ${flag} false`, { register: message => { message.privacy_capabilities[flag] = false; } }, NO]),
  ['privacy flag sip_enabled false', { register: message => { message.privacy_capabilities.sip_enabled = false; } }, YES],
  ['privacy_capabilities null', { register: message => { message.privacy_capabilities = null; } }, NO],
  ['no blob, floor self_signed', { hasBlob: false }, NO],
  ['no blob, floor none', { hasBlob: false }, YES, { on: 'floor none' }],
  ['floor hardware', {}, NO, { on: 'floor hardware' }],
  ['no manifest configured', {}, NO, { on: 'no manifest' }],
  ['a manifest, no hash sent', {}, NO, { on: 'a manifest', control: { register: hashed, answer: hashed } }],
  ['a manifest, hash in the registration only', { register: hashed }, NO, { on: 'a manifest', control: { register: hashed, answer: hashed } }],
  ['a manifest, hash in both', { register: hashed, answer: hashed }, YES, { on: 'a manifest' }],
  ['a release, its hash in both', { register: hashed, answer: hashed }, YES, { on: 'a release' }],
  ['a release, its hash in both and its binary_hash',
    {
      register: hashed,
      blob: inner => { inner.binaryHash = binaryHash; },
      answer: response => { hashed(response); response.binary_hash = binaryHash; },
    },
    YES, { on: 'a release' }],
  ['a release, another binary_hash in the challenge',
    { register: hashed, answer: response => { hashed(response); response.binary_hash = 'ef'.repeat(32); } }, NO,
    { on: 'a release', control: { register: hashed, answer: hashed } }],
  ['memory_gb written 64.0', written('64.0'), NO, { isSilent: true }],
  ['memory_gb written 64.5', written('64.5'), NO, { isSilent: true }],
  ['heartbeat status draining', { heartbeat: message => { message.status = 'draining'; } }, YES],
  ['bogus auth_token', { register: message => { message.auth_token = `eigeninference-pt-${'0'.repeat(64)}`; } }, YES],
  ['challenge: SIP false', { answer: response => { response.sip_enabled = false; } }, NO],
  ['challenge: secure boot false', { answer: response => { response.secure_boot_enabled = false; } }, NO],
  ['challenge: RDMA enabled, no hypervisor', { answer: response => { response.rdma_disabled = false; } }, NO],
  ['challenge: RDMA enabled, hypervisor active',
    { answer: response => Object.assign(response, { rdma_disabled: false, hypervisor_active: true }) }, YES],
  ['no status_signature', { signed: response => { delete response.status_signature; } }, YES],
  ['a wrong status_signature', { signed: response => { response.status_signature = response.signature; } }, NO],
  ['version below the minimum', version('0.4.9'), NO, { on: 'a minimum version' }],
  ['version 0.10.0, minimum 0.5.0', version('0.10.0'), YES, { on: 'a minimum version' }],
  ['version empty, minimum set', version(''), YES, { on: 'a minimum version' }],
  ['16 GB, no capacity report', { register: memory(16) }, NO, { ids: small }],
  ['16 GB, slot running', { register: memory(16), heartbeat: capacity(16, 'running') }, YES, { ids: small }],
  ['16 GB, slot idle_shutdown', { register: memory(16), heartbeat: capacity(16, 'idle_shutdown') }, NO, { ids: small }],
  ...['idle_shutdown', 'idle', undefined]
    .map(state => [`64 GB, ${state ? `slot ${state}` : 'no slot'}`, { register: memory(64), heartbeat: capacity(64, state) }, YES, { ids: small }]),
  ...['crashed', 'reloading'].map(state => [`slot ${state}`, { heartbeat: capacity(512, state) }, NO]),
  ['thermal critical', { heartbeat: message => { message.system_metrics.thermal_state = 'critical'; } }, NO],
  ['no heartbeats yet', { hasHeartbeats: false }, YES],
  ['consumer pins another serial', {}, NO, { more: () => ({ provider_serial: 'ANOTHER' }), control: {} }],
  ['consumer pins this serial', {}, YES, { more: serial => ({ provider_serial: serial }) }],
];

const coordinators = new Map([['usual', Promise.resolve(usual)]]);

/** Returns the coordinator of such settings, which is started when it is first needed. */
function coordinator(on) {
  if (!coordinators.has(on)) {
    coordinators.set(on, Coordinator.start(settings[on]).then(async started => {
      if (on === 'a release') {
        const released = await started.post('/v1/releases', {
          version: '1.0.0', platform: 'macos-arm64', binary_hash: binaryHash, url: 'https://release.example/agent.tar.gz', runtime_hash: runtimeHash,
        }, { key: 'release-key' });
        assert.equal(released.status, 200, await released.text());
      }
      return started;
    }));
  }
  return coordinators.get(on);
}

/** Registers such a node, asks for its model, and says what came of it. Nobody else serves the model meanwhile. */
async function walk(at, model, identity, change, { isRouted, more, isSilent }) {
  const node = new Node(at, model, identity, { ...change, heartbeat: message => change.heartbeat?.(message, model) });
  await node.connect();
  try {
    if (isSilent) {
      // It is not read: no challenge comes, and nobody of this serial is listed.
      assert.ok((await at.listed()).every(one => one.serial_number !== node.serial));
    } else {
      // Until it has read the answer, the coordinator routes to nobody; the first report was sent before that.
      await until('the challenge', () => node.challenges > 0, ROUTED_MS);
    }
    const trust = (await at.listed()).find(one => one.serial_number === node.serial)?.trust_level;
    const status = await at.ask(model, { more: more?.(node.serial), limitMs: isRouted ? ROUTED_MS : NOT_ROUTED_MS });
    return { status, trust, requests: node.requests, challenges: node.challenges, isOpen: node.isOpen() };
  } finally {
    await node.close();
  }
}

/** Returns what keeps a line from being walked; false where nothing does. */
function why(on) {
  return usual.whyNoGates() || (on === 'usual' ? false : needsOwn(`a coordinator with ${on}`));
}

const routed = { status: 200, requests: 1 };
const notRouted = { status: 'not routed', requests: 0 };

/** Each line has a model to itself while it is walked, so one lane per model; the lines that ask for small models go to those. */
const results = new Map();
const waiting = new Map(ids.map(id => [id, []]));
for (const line of matrix.filter(([, , , { on = 'usual' } = {}]) => !why(on))) {
  const open = (line[3]?.ids ?? ids).toSorted((a, b) => waiting.get(a).length - waiting.get(b).length);
  waiting.get(open[0]).push(line);
}
for (const [model, lines] of waiting) {
  lanes(1, lines.map(line => async () => {
    const [, change, isRouted, { on = 'usual', more, isSilent = false, control = {} } = {}] = line;
    const at = await coordinator(on);
    const identity = Node.identity();
    const found = await walk(at, model, identity, change, { isRouted, more, isSilent });
    // The same machine without the deviation: what was not routed was not routed for that and nothing else.
    const healed = isRouted || ['floor hardware', 'no manifest'].includes(on) ? undefined
      : await walk(at, model, identity, control, { isRouted: YES });
    return { found, healed, isSilent };
  })).forEach((result, i) => {
    result.catch(() => {}); // its test says so
    results.set(lines[i], result);
  });
}

after(endAll);

for (const line of matrix) {
  const [name, , isRouted] = line;
  test(`gate matrix: ${name}: ${isRouted ? 'routed' : 'not routed'}`, { skip: why(line[3]?.on ?? 'usual') }, async t => {
    if (!isOwn && (await results.get(matrix[0])).found.status !== 200) {
      t.skip('this coordinator does not route to an eligible self-signed node, so no deviation can be told from it');
      return;
    }
    const { found, healed, isSilent } = await results.get(line);
    assert.equal(found.trust, isSilent || line[1].hasBlob === false ? undefined : 'self_signed', 'the blob is taken');
    assert.deepEqual({ status: found.status, requests: found.requests }, isRouted ? routed : notRouted);
    assert.ok(found.isOpen, 'the connection stays open');
    assert.equal(found.challenges, isSilent ? 0 : 1);
    if (healed !== undefined) {
      assert.deepEqual({ status: healed.status, requests: healed.requests }, routed, 'without the deviation it is routed');
    }
  });
}

test('gate matrix: unknown model id: 404', { skip: why('usual') }, async () => {
  const at = await coordinator('usual');
  const node = new Node(at, 'nobody/knows-this', Node.identity());
  await node.connect();
  try {
    await until('the challenge', () => node.challenges > 0, ROUTED_MS);
    assert.equal(await at.ask('nobody/knows-this'), 404);
    const [listed] = (await at.listed()).filter(one => one.serial_number === node.serial);
    assert.deepEqual(listed.models ?? [], []);
    assert.equal(node.requests, 0);
  } finally {
    await node.close();
  }
});

test('gate matrix: a bogus auth_token binds to nobody', { skip: needsOwn('a session at the coordinator\'s console') }, async () => {
  const at = await coordinator('usual');
  assert.equal((await (await at.get('/v1/me/providers', at.session('owner'))).json()).providers.length, 0);
});
