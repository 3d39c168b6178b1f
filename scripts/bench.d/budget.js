// Prints the table of docs/token-budget.md from JMH's JSON. usage: budget.js RESULT.json
'use strict';
const fs = require('fs');

// In the order of a token's way. `each` divides a benchmark that does the work of several tokens.
const stages = [
  ['any call into the library', 'NativeCallBenchmark.emptyCall', {}, 1],
  ['sample: greedy, demo\'s vocabulary', 'SampleBenchmark.sample', { chain: 'greedy', model: 'demo' }, 1],
  ['sample: greedy, 49,152 tokens', 'SampleBenchmark.sample', { chain: 'greedy', model: 'vocabulary49152' }, 1],
  ['sample: default chain, demo\'s vocabulary', 'SampleBenchmark.sample', { chain: 'defaults', model: 'demo' }, 1],
  ['sample: default chain, 49,152 tokens', 'SampleBenchmark.sample', { chain: 'defaults', model: 'vocabulary49152' }, 1],
  ['the loop, 1 stream, nobody reads', 'StepBenchmark.token', { readers: 'none', streams: '1' }, 1],
  ['of it the fake decoder', 'StepBenchmark.decoderAlone', { readers: 'none', streams: '1' }, 1],
  ['the loop, 16 streams, nobody reads', 'StepBenchmark.token', { readers: 'none', streams: '16' }, 1],
  ['of it the fake decoder', 'StepBenchmark.decoderAlone', { readers: 'none', streams: '16' }, 16],
  ['the loop and its readers, 1 stream', 'StepBenchmark.token', { readers: 'await', streams: '1' }, 1],
  ['the loop and its readers, 16 streams', 'StepBenchmark.token', { readers: 'await', streams: '16' }, 1],
  ['ring: put and take', 'TokenRingBenchmark.putAndTake', {}, 1],
  ['piece and characters, no stop strings', 'DetokenizeBenchmark.piece', { stops: '0' }, 1],
  ['piece and characters, two stop strings', 'DetokenizeBenchmark.piece', { stops: '2' }, 1],
  ['parser of the chat format, at the beginning', 'AnswerParserBenchmark.feed', { before: '0' }, 1],
  ['parser of the chat format, 1,800 tokens on', 'AnswerParserBenchmark.feed', { before: '1800' }, 1],
  ['JSON of one event', 'ChunkBenchmark.event', {}, 1],
  ['all of `chat` but the parser, an event for each token', 'AnswerBenchmark.token', { together: '1' }, 1],
  ['all of `chat` but the parser, an event for four tokens', 'AnswerBenchmark.token', { together: '4' }, 1],
  ['outbox and HTTP encoder, a flush for each event', 'OutboxBenchmark.flush', { together: '1' }, 1],
  ['outbox and HTTP encoder, a flush for eight events', 'OutboxBenchmark.flush', { together: '8' }, 8],
  ['write to a loopback socket, one for each event', 'SocketBenchmark.write', {}, 1],
  ['for a coordinator: seal, base64 and frame, 300 bytes (median)', 'SealedChunkBenchmark.sealedFrame', { bytes: '300' }, 1],
  ['of it sealing (median)', 'SealedChunkBenchmark.seal', { bytes: '300' }, 1],
  ['of it base64 and frame (median)', 'SealedChunkBenchmark.frame', { bytes: '300' }, 1],
];

const results = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

function find(name, params) {
  return results.find((result) => result.benchmark.endsWith(`.${name}`) && Object.entries(params).every(([key, value]) => (result.params || {})[key] === value));
}

console.log('| stage | ns per token | ± | heap bytes per token | benchmark |\n|---|---|---|---|---|');
for (const [stage, name, params, each] of stages) {
  const result = find(name, params);
  if (!result) continue;
  const sampled = result.mode === 'sample';
  const score = sampled ? result.primaryMetric.scorePercentiles['50.0'] : result.primaryMetric.score;
  const scoreError = sampled ? undefined : result.primaryMetric.scoreError;
  const allocated = Object.entries(result.secondaryMetrics).find(([key]) => key.endsWith('gc.alloc.rate.norm'));
  const cell = (value) => (typeof value === 'number' ? (value / each).toFixed(value / each < 100 ? 1 : 0) : '–');
  const how = Object.entries(params).map(([key, value]) => `${key}=${value}`).join(', ');
  console.log(`| ${stage} | ${cell(score)} | ${cell(scoreError)} | ${allocated ? cell(allocated[1].score) : '–'} | \`${name}\`${how ? ` (${how})` : ''} |`);
}
