// The gates of a real coordinator, as far as the agent can be made to say something else of itself by its settings. Run by LiveCoordinatorTest.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { privacyFlags } from './live-node.mjs';
import { Agent, Coordinator, NOT_ROUTED_MS, ROUTED_MS, endAll, isOwn, lanes, needsOwn, until } from './live-world.mjs';

const runtimeHash = 'ab'.repeat(32);
const settings = {
  usual: {},
  'floor hardware': { EIGENINFERENCE_MIN_TRUST: '' },
  'no manifest': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: '' },
  'a manifest': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: runtimeHash },
  'a minimum version': { EIGENINFERENCE_MIN_PROVIDER_VERSION: '0.5.0' },
};

/**
 * What deviates, lines of `[coordinator]` for it, whether work comes, the coordinator's settings, and the gate that `status` must not
 * show as passed. Where it is one of which no coordinator tells, `status` must not say that work can come, nor that it cannot.
 */
const untold = ['backend', 'trust', 'version'];
const deviations = [
  ['nothing', '', true],
  ...[...privacyFlags, 'sip_enabled', 'secure_boot_enabled', 'rdma_disabled', 'secure_enclave_available']
    .map(flag => [`${flag} = false`, `test_posture = { ${flag} = false }`, false, 'usual', 'posture']),
  ['RDMA on under a hypervisor', 'test_posture = { rdma_disabled = false, hypervisor_active = true }', true],
  ['thermal critical', 'test_posture = { thermal_state = "critical" }', false, 'usual', 'thermal'],
  ['thermal serious', 'test_posture = { thermal_state = "serious" }', true],
  ['backend llama.cpp', 'backend_name = "llama.cpp"', false, 'usual', 'backend'],
  ['backend mlx-swift', 'backend_name = "mlx-swift"', false, 'usual', 'backend'],
  ['floor hardware', '', false, 'floor hardware', 'trust'],
  ['no manifest configured', '', false, 'no manifest', 'runtime'],
  ['a manifest, no hash sent', '', false, 'a manifest', 'runtime'],
  ['a manifest, the hash that its owner sets', `runtime_hash = "${runtimeHash}"`, true, 'a manifest'],
  ['version below the minimum', 'reported_version = "0.4.9"', false, 'a minimum version', 'version'],
  ['version 0.10.0, minimum 0.5.0', 'reported_version = "0.10.0"', true, 'a minimum version'],
];

const usual = await Coordinator.ofThisRun();
const coordinators = new Map(Object.keys(settings).map(on => [on, on === 'usual' ? usual : isOwn ? Coordinator.start(settings[on]) : undefined]));

/** Two at a time, each with a home and a model of its own: while one waits for what does not come, the other starts. */
const ids = Object.keys(await usual.freeModels()).slice(0, 2);
assert.ok(ids.length > 0, 'a model of the coordinator\'s catalogue must be without a node');
const homes = new Map();

async function walk(lane, lines, isRouted, on, gate) {
  const coordinator = await coordinators.get(on);
  if (!homes.has(lane)) {
    homes.set(lane, new Agent(`gates-${lane}`, coordinator, ids[lane]));
  }
  const agent = homes.get(lane);
  agent.coordinator = coordinator;
  await agent.start(lines);
  try {
    await until('the challenge', async () => (await agent.status()).coordinator.last_challenge_at);
    const answer = await coordinator.ask(ids[lane], { limitMs: isRouted ? ROUTED_MS : NOT_ROUTED_MS });
    const expected = isRouted ? 'yes' : untold.includes(gate) ? 'unknown' : 'no';
    const report = await until(`status to say ${expected}`, async () => {
      const now = (await agent.status()).coordinator;
      const isKnown = /level \w/.test(now.gates.find(one => one.name === 'trust').detail);
      return isKnown && now.eligible === expected && now.served_requests === (answer === 200 ? 1 : 0) && now;
    });
    return { answer, report, code: await agent.stop() };
  } finally {
    await agent.kill();
  }
}

/** Returns what keeps a deviation from being walked; false where nothing does. */
function why(on) {
  return usual.whyNoGates() || (on === 'usual' ? false : needsOwn(`a coordinator with ${on}`));
}

const results = new Map();
const walked = deviations.filter(([, , , on = 'usual']) => !why(on));
lanes(ids.length, walked.map(([, lines, isRouted, on = 'usual', gate]) => lane => walk(lane, lines, isRouted, on, gate))).forEach((result, i) => {
  result.catch(() => {}); // its test says so
  results.set(walked[i], result);
});

after(endAll);

for (const deviation of deviations) {
  const [name, , isRouted, on = 'usual', gate] = deviation;
  test(`gate of the agent: ${name}: ${isRouted ? 'routed' : 'not routed'}`, { skip: why(on) }, async t => {
    if (!isOwn && (await results.get(deviations[0])).answer !== 200) {
      t.skip('this coordinator does not route to an eligible self-signed node, so no deviation can be told from it');
      return;
    }
    const { answer, report, code } = await results.get(deviation);
    assert.equal(answer, isRouted ? 200 : 'not routed');
    if (gate !== undefined) {
      assert.notEqual(report.gates.find(one => one.name === gate).verdict, 'pass');
    }
    assert.equal(code, 0);
  });
}
