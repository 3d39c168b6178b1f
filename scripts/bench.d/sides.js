// What is compared: the agent, its engine without HTTP, llama-server, the bare loop. All with the same room.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { temporaryFolder, freePort, run, runJson, converse, serve } = require('./processes');

const root = path.resolve(__dirname, '../..');
const image = path.join(root, 'packaging/target/darkbloom-agent');
const launcher = path.join(root, 'scripts/darkbloom-agent');

function platform() {
  return `${process.platform === 'darwin' ? 'mac' : 'linux'}-${process.arch}`;
}

/** Returns the folder of native libraries and the one of the C++ programs that use them. */
function nativeFolders(agentLibs) {
  if (!agentLibs) return { lib: path.join(root, 'native/target/lib'), bench: path.join(root, 'native/target/bench') };
  const lib = path.basename(agentLibs) === platform() ? path.dirname(agentLibs) : agentLibs;
  return { lib, bench: path.resolve(lib, '../bench') };
}

/**
 * Returns the command that starts the agent. With libraries of another build it is the built image with a link in place of its own: the
 * launcher looks for everything beside itself.
 */
function agentCommand(options) {
  if (!options.agentLibs) return launcher;
  if (!options.linkedImage) {
    options.linkedImage = temporaryFolder();
    for (const name of fs.readdirSync(image).filter((entry) => entry !== 'bin' && entry !== 'native')) {
      fs.symlinkSync(path.join(image, name), path.join(options.linkedImage, name));
    }
    fs.cpSync(path.join(image, 'bin'), path.join(options.linkedImage, 'bin'), { recursive: true });
    fs.symlinkSync(nativeFolders(options.agentLibs).lib, path.join(options.linkedImage, 'native'));
  }
  return path.join(options.linkedImage, 'bin/darkbloom-agent');
}

async function startAgent(model, options) {
  const home = temporaryFolder();
  const port = await freePort();
  const server = await serve(agentCommand(options), ['start', '--local', '--foreground', '--model', model, '--port', String(port), '--parallel', String(options.slots),
    '--ctx-size', String(options.context), '--threads', String(options.threads), ...options.agentArgs], { DARKBLOOM_AGENT_HOME: home, ...options.agentEnv }, port);
  return { ...server, name: 'agent', key: fs.readFileSync(path.join(home, 'local_token'), 'utf8').trim(), model: path.basename(model).replace(/\.gguf$/, '') };
}

async function startPeer(model, options) {
  const port = await freePort();
  const server = await serve(options.server, ['-m', model, '--jinja', '--port', String(port), '-np', String(options.slots), '-t', String(options.threads),
    '-c', String(options.context * options.slots), '--no-webui'], {}, port);
  return { ...server, name: 'llama-server', key: '', model: 'model' };
}

/** Has llama-load ask a server; resolves with its figures. */
function ask(server, streams, maxTokens, extra, options) {
  return runJson(path.join(nativeFolders(options.agentLibs).bench, 'llama-load'), ['--port', String(server.port), '--model', server.model, '--streams', String(streams),
    '--max-tokens', String(maxTokens), ...(server.key ? ['--key', server.key] : []), ...extra]);
}

/** Sends one prompt of about so many tokens; resolves with what came of it once it is answered, or given up by `signal`. */
async function askLong(server, words, signal) {
  const begun = Date.now();
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}/v1/completions`, {
      method: 'POST',
      signal,
      headers: { 'content-type': 'application/json', ...(server.key ? { authorization: `Bearer ${server.key}` } : {}) },
      body: JSON.stringify({ model: server.model, prompt: Array.from({ length: words }, (_, i) => `word${i % 97}`).join(' '), max_tokens: 1, temperature: 0 }),
    });
    const body = await answer.json();
    return { status: answer.status, tokens: body.usage ? body.usage.prompt_tokens : 0, seconds: (Date.now() - begun) / 1000 };
  } catch (error) {
    if (error.name === 'AbortError') return { status: 0, tokens: 0, seconds: (Date.now() - begun) / 1000 };
    throw error;
  }
}

/** How many tokens the prompt of one question has; `members` are further members of the request. */
async function promptTokens(server, question, members) {
  const answer = await fetch(`http://127.0.0.1:${server.port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(server.key ? { authorization: `Bearer ${server.key}` } : {}) },
    body: JSON.stringify({ model: server.model, messages: [{ role: 'user', content: question }], max_tokens: 1, temperature: 0, ...members }),
  });
  if (!answer.ok) throw new Error(`${server.name} answered ${answer.status}`);
  return (await answer.json()).usage.prompt_tokens;
}

/** How a context computes, in the words that the bare loop and the engine's program share. */
function tuningArgs(tuning, options) {
  return ['--threads', String(tuning.threads), '--poll', String(tuning.poll), '--flash-attn', tuning.flash_attn, '--kv', tuning.kv, '--slots', String(options.slots),
    '--ctx', String(options.context)];
}

/** The launcher's own flags, so that both run the same machine code; `what` is one of the programs in the test code. */
async function javaProgram(what, options) {
  const javaHome = (await run(path.join(root, 'scripts/find-jdk'), [])).trim();
  return [path.join(javaHome, 'bin/java'), ['--enable-native-access=ALL-UNNAMED', '-XX:+UseSerialGC', '-Xms16m', '-Xmx512m',
    `-Ddarkbloom.native.lib=${nativeFolders(options.agentLibs).lib}`, `-Ddarkbloom.project.root=${root}`,
    '-cp', [path.join(root, 'agent/target/test-classes'), path.join(image, 'lib/*')].join(':'), what]];
}

/** Runs a part of the coordinator's benchmark to its end; resolves with the figures that it prints, a line each. */
async function linkBenchmark(part, options) {
  const [java, args] = await javaProgram('dev.darkbloom.agent.coordinator.LinkBenchmark', options);
  return (await run(java, [...args, part], { GGML_NO_BACKTRACE: '1' })).trim().split('\n').map((line) => JSON.parse(line));
}

/** Starts the engine without HTTP; asked with lines STREAMS MILLISECONDS none|await. */
async function startEngine(model, prompts, predict, tuning, options) {
  const [java, args] = await javaProgram('dev.darkbloom.agent.bench.EngineDecode', options);
  return converse(java, [...args, '--model', model, '--text', prompts, '--predict', String(predict), ...tuningArgs(tuning, options)],
  { GGML_NO_BACKTRACE: '1' });
}

/** Runs the bare loop for about so many milliseconds of decode. */
function bareDecode(model, prompts, predict, streams, rounds, tuning, options) {
  return runJson(path.join(nativeFolders(options.agentLibs).bench, 'llama-bare'), ['--model', model, '--text', prompts, '--predict', String(predict), '--ignore-eos',
    '--parallel', String(streams), '--prompts', String(streams * rounds), ...tuningArgs(tuning, options)]);
}

/** Sweeps the bare loop's settings; returns { text, entries }, the entries of each number of streams ordered from the fastest. */
async function sweep(model, prompts, predict, repetitions, extra, options) {
  const json = path.join(temporaryFolder(), 'ceiling.json');
  const text = await run(path.join(nativeFolders(options.agentLibs).bench, 'llama-ceiling'), ['--model', model, '--text', prompts, '--predict', String(predict),
    '--streams', options.streams.join(','), '--repetitions', String(repetitions), '--ctx', String(options.context), '--json', json, ...extra]);
  return { text, entries: JSON.parse(fs.readFileSync(json, 'utf8')) };
}

function machine() {
  return `${os.cpus()[0].model}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB; ${os.type()} ${os.release()}`;
}

module.exports = { root, launcher, nativeFolders, startAgent, startPeer, ask, askLong, promptTokens, startEngine, linkBenchmark, bareDecode, sweep, machine };
