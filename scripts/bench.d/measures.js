// The measures, one function each. A run of both sides stands next to each other in time, and which side goes first changes from run to run.
'use strict';
const path = require('path');
const { row, header, pair, record } = require('./figures');
const { temporaryFile, residentMegabytes } = require('./processes');
const { startAgent, startPeer, ask, askLong, promptTokens, startEngine, linkBenchmark, bareDecode, sweep } = require('./sides');

// Over these questions, asked of the demo past the end of its answers, both servers write valid UTF-8. A question whose answer does not is
// useless: llama-server's parser gives such an answer up with an error (docs/benchmarks.md).
const questions = [
  'Tell me a story.', 'What is the capital of France?', 'Say the alphabet.', 'Count from 1 to 20.', 'Write a haiku about autumn.',
  'Who are you?', 'What is self-route?', 'How do I start the agent?', 'What colour is the sky?', 'Tell me a story about a cat.',
  'What is prefill?', 'What is unified memory?', 'How do you say cat in French?', 'Thank you', 'Tell me a story about a robot.', 'Hello!',
];

/** Some 8,000 tokens in most vocabularies. */
const LONG_PROMPT_WORDS = 3000;

/** Enough to find good settings, not to tell the ceiling. */
const SWEEP_REPETITIONS = 3;

function promptsFile() {
  return temporaryFile('prompts', questions.join('\n') + '\n');
}

/** Calls each of some functions once a run, in turn from the front and from the back; returns their results by function. */
async function alternate(runs, sides) {
  const results = sides.map(() => []);
  for (let i = 0; i < runs; i++) {
    const order = sides.map((_, at) => (i % 2 ? sides.length - 1 - at : at));
    for (const at of order) results[at].push(await sides[at]());
  }
  return results;
}

/** The best that the bare loop can do here: every setting that matters. */
async function ceiling(model, options) {
  console.log(`\n### ${path.basename(model)}: the bare loop under every setting, ${options.maxTokens} tokens for each stream`);
  const { text, entries } = await sweep(model, promptsFile(), options.maxTokens, options.runs, options.ceilingArgs, options);
  console.log(text.trimEnd());
  record.push({ measure: 'ceiling', model: path.basename(model), entries });
}

/** The engine without HTTP against the bare loop at the same settings: those that a short sweep finds best. */
async function engine(model, options) {
  const prompts = promptsFile();
  const entries = options.tuning ? [] : (await sweep(model, prompts, options.maxTokens, SWEEP_REPETITIONS, [], options)).entries;
  header(`${path.basename(model)}: decode without HTTP against the bare loop, tokens per second`, ['readers', 'streams', 'engine', 'bare loop', 'ratio']);
  for (const streams of options.streams) {
    // The engine always has a pool; a ceiling without one is told by `ceiling`.
    const tuning = options.tuning || entries.find((entry) => entry.streams === streams && (entry.threadpool || entry.threads === 1));
    const running = await startEngine(model, prompts, options.maxTokens, tuning, options);
    const first = await bareDecode(model, prompts, options.maxTokens, streams, 1, tuning, options);
    const rounds = Math.max(1, Math.ceil(options.engineMs / 1000 * first.decode_tokens_per_second / first.decode_tokens));
    await running.ask(`${streams} 1 none`); // warm-up
    await running.ask(`${streams} 1 await`);
    const [alone, read, bare] = await alternate(options.runs, [
      () => running.ask(`${streams} ${options.engineMs} none`),
      () => running.ask(`${streams} ${options.engineMs} await`),
      () => bareDecode(model, prompts, options.maxTokens, streams, rounds, tuning, options),
    ]);
    const what = { model: path.basename(model), streams, figure: 'decode_tokens_per_second', digits: 1 };
    const settings = `${tuning.threads} threads, poll ${tuning.poll}, flash attention ${tuning.flash_attn}, ${tuning.kv}`;
    pair({ ...what, measure: `nobody reads (${settings})` }, alone, bare);
    pair({ ...what, measure: 'a thread waits for each stream' }, read, bare);
    await running.stop();
  }
}

/** Chat over HTTP, streamed, and the memory that is in use afterwards. */
async function http(model, options) {
  const servers = [await startAgent(model, options)];
  if (options.server) servers.push(await startPeer(model, options));
  const prompts = promptsFile();
  const asking = (streams) => servers.map((server) => () => ask(server, streams, options.maxTokens, ['--prompts', prompts, '--requests', String(Math.max(4, 2 * streams))], options));
  await alternate(1, asking(Math.max(...options.streams))); // code is compiled, pages are touched
  header(`${path.basename(model)}: chat over HTTP, streamed`, ['measure', 'streams', 'agent', options.server ? 'llama-server' : '–', 'ratio']);
  for (const streams of options.streams) {
    const [ours, theirs = []] = await alternate(options.runs, asking(streams));
    const what = { model: path.basename(model), streams, digits: 1 };
    pair({ ...what, measure: 'tok/s', figure: 'tokens_per_second' }, ours, theirs);
    const sum = (runs, figure) => runs.reduce((all, run) => all + run[figure], 0);
    if (sum(ours, 'failed') + sum(theirs, 'failed') > 0) row(['answers that failed', streams, sum(ours, 'failed'), theirs.length ? sum(theirs, 'failed') : '–', '']);
    pair({ ...what, measure: 'TTFT p50 ms', figure: 'ttft_ms_p50', lowerIsBetter: true }, ours, theirs);
    pair({ ...what, measure: 'ITL p50 ms', figure: 'itl_ms_p50', digits: 2, lowerIsBetter: true }, ours, theirs);
    pair({ ...what, measure: 'ITL p99 ms', figure: 'itl_ms_p99', digits: 2, lowerIsBetter: true }, ours, theirs);
    pair({ ...what, measure: 'the client\'s share of a core', figure: 'client_cpu_share', digits: 3 }, ours, theirs);
  }
  const resident = servers.map((server) => [{ v: residentMegabytes(server.pid) }]);
  pair({ measure: 'resident MB', model: path.basename(model), streams: '–', figure: 'v', digits: 0, lowerIsBetter: true }, resident[0], resident[1] || []);
  for (const server of servers) await server.stop();
}

/** Eight requests that begin with the same text of about 500 tokens: at first nothing is cached, then that text is. */
async function prefix(model, options) {
  const shared = temporaryFile('prefix', 'The following notes were taken on a long walk through the old town, and they are all that is left of it. '.repeat(22));
  const cold = [[], []];
  const warm = [[], []];
  for (let run = 0; run < options.runs; run++) {
    const starts = options.server ? [startAgent, startPeer] : [startAgent];
    for (const i of starts.map((_, at) => (run % 2 ? starts.length - 1 - at : at))) {
      const server = await starts[i](model, options);
      const eight = (first) => ask(server, 8, 8, ['--prefix', shared, '--requests', '8', '--warmup', '0', '--unique', '--first', String(first)], options);
      cold[i].push(await eight(0));
      warm[i].push(await eight(8));
      await server.stop();
    }
  }
  header(`${path.basename(model)}: eight requests that share about 500 tokens`, ['measure', 'streams', 'agent', options.server ? 'llama-server' : '–', 'ratio']);
  const what = { model: path.basename(model), streams: 8, figure: 'ttft_ms_p50', digits: 1, lowerIsBetter: true };
  pair({ ...what, measure: 'TTFT p50 ms, nothing cached' }, cold[0], cold[1]);
  pair({ ...what, measure: 'TTFT p50 ms, warm' }, warm[0], warm[1]);
}

/** What one long prompt does to four streams that are being answered: their gaps without it and while it is read. */
async function fairness(model, options) {
  const room = { ...options, context: 16384, slots: 5 };
  const server = await startAgent(model, room);
  const prompts = promptsFile();
  const four = (requests) => ['--prompts', prompts, '--requests', String(requests)];
  await ask(server, 4, options.maxTokens, four(8), options); // warm
  const usual = [];
  const beside = [];
  const long = [];
  for (let run = 0; run < options.runs; run++) {
    usual.push(await ask(server, 4, options.maxTokens, four(12), options));
    const asked = ask(server, 4, options.maxTokens, four(24), options);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const end = new AbortController();
    const reading = askLong(server, LONG_PROMPT_WORDS, end.signal);
    beside.push(await asked);
    end.abort();
    long.push(await reading);
  }
  const answered = long.filter((one) => one.status === 200);
  header(`${path.basename(model)}: four streams, and a long prompt beside them`, ['measure', 'streams', 'beside a long prompt', 'usual', 'ratio']);
  const what = { model: path.basename(model), streams: 4, digits: 1, lowerIsBetter: true };
  pair({ ...what, measure: 'ITL p50 ms', figure: 'itl_ms_p50' }, beside, usual);
  pair({ ...what, measure: 'ITL p99 ms', figure: 'itl_ms_p99' }, beside, usual);
  row(['long prompts read to their end', '', `${answered.length} of ${long.length}`, answered.length ? `${answered[0].tokens} tokens` : '', answered.map((one) => `${one.seconds.toFixed(0)} s`).join(', ')]);
  await server.stop();
}

const TOOL = { type: 'function', function: { name: 'get_weather', description: 'Tells the weather of a place.',
  parameters: { type: 'object', properties: { place: { type: 'string' }, days: { type: 'integer' } }, required: ['place'] } } };

/** A text that makes a question's prompt as long, in tokens, as declaring the tool does; templates say more about a tool than its JSON. */
async function asLongAsDeclared(server) {
  const wanted = await promptTokens(server, questions[0], { tools: [TOOL] });
  let text = '';
  let tokens = await promptTokens(server, questions[0], {});
  while (tokens < wanted) {
    const longer = text + 'I like the sea and the wind. '.slice(0, wanted - tokens > 16 ? undefined : 2);
    tokens = await promptTokens(server, longer + questions[0], {});
    text = longer;
  }
  return { text, tokens, wanted };
}

/** What tools that are declared and not used cost per token; the other side's prompt is as long, since attention costs by the prompt's length. */
async function tools(model, options) {
  const server = await startAgent(model, options);
  const filling = await asLongAsDeclared(server);
  const described = temporaryFile('filling', filling.text);
  const declared = temporaryFile('members', `"tools":${JSON.stringify([TOOL])}`);
  const prompts = promptsFile();
  header(`${path.basename(model)}: chat with a tool declared and not used`, ['measure', 'streams', 'declared', 'not declared', 'ratio']);
  row(['tokens of the first prompt', '', filling.wanted, filling.tokens, '']);
  for (const streams of options.streams) {
    const sides = [['--members', declared], ['--prefix', described]];
    const runs = [[], []];
    for (const side of sides) await ask(server, streams, options.maxTokens, [...side, '--prompts', prompts], options); // warm
    for (let run = 0; run < options.runs; run++) {
      for (const i of run % 2 ? [1, 0] : [0, 1]) runs[i].push(await ask(server, streams, options.maxTokens, [...sides[i], '--prompts', prompts], options));
    }
    const what = { model: path.basename(model), streams, lowerIsBetter: true };
    pair({ ...what, measure: 'ms per token behind the first', figure: 'token_ms', digits: 3 }, runs[0], runs[1]);
    const failed = runs.map((all) => all.reduce((sum, run) => sum + run.failed, 0));
    if (failed[0] + failed[1] > 0) row(['answers that failed', streams, failed[0], failed[1], '']);
  }
  await server.stop();
}

/** The way from and to a coordinator: what a chunk costs, how soon a request is computed, how soon a lost coordinator is found again. */
async function coordinator(model, options) {
  const [chunks] = await linkBenchmark('chunks', options);
  const three = (figures, name, digits = 1) => ['p10', 'p50', 'p90', 'p99'].map((at) => figures[`${name}_${at}`].toFixed(digits));
  header('a token that goes out alone, microseconds of its request\'s thread', ['what', 'p10', 'p50', 'p90', 'p99']);
  row(['JSON, sealed, base64, frame', ...three(chunks, 'made_us')]);
  row(['the same and handed to the socket', ...three(chunks, 'us')]);
  row(['the same, asleep for 5 ms before', ...three(chunks, 'slept_us')]);
  row(['of the handing on: waking a thread', ...three(chunks, 'wake_us')]);
  console.log(`\np50 of each thousand: ${chunks.by_thousand_us_p50.join(', ')}; ${chunks.heap_bytes} heap bytes a chunk; ${chunks.io_us} us of the socket's thread (${chunks.slept_io_us} after sleeping)`);
  const [first] = await linkBenchmark('first-decode', options);
  header(`from a request's frame to the first llama_decode, ${first.prompt_tokens} tokens, ${first.requests} requests, milliseconds`, ['what', 'p10', 'p50', 'p90', 'p99']);
  row(['all', ...three(first, 'ms', 2)]);
  row(['of it tokenizing', ...three(first, 'tokenize_ms', 2)]);
  row(['all but tokenizing', ...three(first, 'beyond_ms', 2)]);
  row(['of it the template', ...three(first, 'template_ms', 2)]);
  row(['from the frame to the template', ...three(first, 'to_template_ms', 2)]);
  row(['from the sampler to the decode', ...three(first, 'to_decode_ms', 2)]);
  const restarts = await linkBenchmark('reconnect', options);
  header(`a coordinator dies and listens again at once, ${restarts[0].restarts} times, milliseconds to register`, ['what', 'p10', 'p50', 'p90', 'p99']);
  for (const figures of restarts) {
    const tools = figures.tool_ms > 0 ? `, the system's tools take ${figures.tool_ms} ms` : '';
    row([`from its death${tools}`, ...three(figures, 'from_death_ms', 0)]);
    row([`from its listening${tools}`, ...three(figures, 'from_listening_ms', 0)]);
  }
  record.push({ measure: 'coordinator', model: path.basename(model), chunks, first, restarts });
}

module.exports = { ceiling, engine, http, prefix, fairness, tools, coordinator };
