// The gates of a real coordinator, as far as the agent can be made to say something else of itself by its settings. Run by LiveCoordinatorTest.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { privacyFlags } from './live-node.mjs';
import { Agent, Coordinator, NOT_ROUTED_MS, ROUTED_MS, catalogue, endAll, lanes, until } from './live-world.mjs';

const runtimeHash = 'ab'.repeat(32);
const settings = {
  usual: {},
  'no manifest': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: '' },
  'a manifest': { EIGENINFERENCE_KNOWN_RUNTIME_HASHES: runtimeHash },
  'a minimum version': { EIGENINFERENCE_MIN_PROVIDER_VERSION: '0.5.0' },
};

/**
 * What deviates, lines of `[coordinator]` for it, whether work comes, the coordinator's settings, and the gate that `status` must not
 * show as passed; where there is none, nothing tells the agent.
 */
const deviations = [
  ['nothing', '', true],
  ...[...privacyFlags, 'sip_enabled', 'secure_boot_enabled', 'rdma_disabled', 'secure_enclave_available']
    .map(flag => [`${flag} = false`, `test_posture = { ${flag} = false }`, false, 'usual', 'posture']),
  ['RDMA on under a hypervisor', 'test_posture = { rdma_disabled = false, hypervisor_active = true }', true],
  ['thermal critical', 'test_posture = { thermal_state = "critical" }', false, 'usual', 'thermal'],
  ['thermal serious', 'test_posture = { thermal_state = "serious" }', true],
  ['backend llama.cpp', 'backend_name = "llama.cpp"', false, 'usual', 'backend'],
  ['backend mlx-swift', 'backend_name = "mlx-swift"', false, 'usual', 'backend'],
  ['no manifest configured', '', false, 'no manifest', 'runtime'],
  ['a manifest, no hash sent', '', false, 'a manifest', 'runtime'],
  ['a manifest, the hash that its owner sets', `runtime_hash = "${runtimeHash}"`, true, 'a manifest'],
  ['version below the minimum', 'reported_version = "0.4.9"', false, 'a minimum version'],
  ['version 0.10.0, minimum 0.5.0', 'reported_version = "0.10.0"', true, 'a minimum version'],
];

const coordinators = new Map(Object.keys(settings).map(on => [on, Coordinator.start(settings[on])]));

/** Two at a time, each with a home and a model of its own: while one waits for what does not come, the other starts. */
const ids = Object.keys(catalogue).slice(0, 2);
const homes = new Map();
const results = lanes(ids.length, deviations.map(([, lines, isRouted, on = 'usual', gate]) => async lane => {
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
    const report = await until('the gate', async () => {
      const now = (await agent.status()).coordinator;
      return (gate === undefined || now.gates.find(one => one.name === gate).verdict !== 'pass') && now;
    });
    return { answer, report, code: await agent.stop() };
  } finally {
    await agent.kill();
  }
}));
results.forEach(result => result.catch(() => {})); // its test says so

after(endAll);

deviations.forEach(([name, , isRouted, , gate], i) => {
  test(`gate of the agent: ${name}: ${isRouted ? 'routed' : 'not routed'}`, async () => {
    const { answer, report, code } = await results[i];
    assert.equal(answer, isRouted ? 200 : 'not routed');
    assert.equal(report.served_requests, isRouted ? 1 : 0);
    if (isRouted) {
      assert.notEqual(report.eligible, 'no', `status: ${JSON.stringify(report.gates)}`);
    } else if (gate !== undefined) {
      assert.equal(report.eligible, gate === 'backend' ? 'unknown' : 'no', `status: ${JSON.stringify(report.gates)}`);
    }
    assert.equal(code, 0);
  });
});
