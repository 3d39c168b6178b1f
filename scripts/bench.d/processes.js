// Programs that a benchmark starts, and their end: whatever ends the benchmark ends them, too.
'use strict';
const { spawn, spawnSync, execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const readline = require('readline');

const children = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM');
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

/** Returns a new folder that is removed at the end. */
function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'darkbloom-bench-'));
  folders.add(folder);
  return folder;
}

function temporaryFile(name, text) {
  const file = path.join(temporaryFolder(), name);
  fs.writeFileSync(file, text);
  return file;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
  });
}

/** Runs a program to its end and returns what it printed; its commentary goes to ours. */
function run(command, args, env = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${path.basename(command)} ended with ${done.status}`);
  return done.stdout;
}

function lastLine(text) {
  return JSON.parse(text.trim().split('\n').pop());
}

function runJson(command, args) {
  return lastLine(run(command, args));
}

/** As runJson, without waiting for it: resolves with the result. */
function startJson(command, args) {
  const child = track(spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let printed = '';
  child.stdout.on('data', (bytes) => { printed += bytes; });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(lastLine(printed)) : reject(new Error(`${path.basename(command)} ended with ${code}`))));
  });
}

function track(child) {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

function ended(child) {
  return new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.on('exit', resolve)));
}

/** Starts a program that answers each line it is given with one line. */
function converse(command, args, env = {}) {
  const child = track(spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] }));
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ask: async (line) => {
      child.stdin.write(`${line}\n`);
      const answer = await lines.next();
      if (answer.done) throw new Error(`${path.basename(command)} ended without an answer`);
      return JSON.parse(answer.value);
    },
    stop: async () => { child.stdin.end(); await ended(child); },
  };
}

/** Starts an HTTP server and waits until /health answers. */
async function serve(command, args, env, port) {
  const log = temporaryFile('log', '');
  const out = fs.openSync(log, 'w');
  const child = track(spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', out, out] }));
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${fs.readFileSync(log, 'utf8').slice(-2000)}`);
    if (tries === 1200) throw new Error('the server did not open its port within two minutes');
    try {
      if ((await fetch(`http://127.0.0.1:${port}/health`)).ok) break;
    } catch { /* not yet */ }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { port, pid: child.pid, stop: async () => { child.kill('SIGTERM'); await ended(child); } };
}

function residentMegabytes(pid) {
  try {
    const kilobytes = process.platform === 'linux'
      ? fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
    return Number(kilobytes) / 1024;
  } catch {
    return NaN;
  }
}

module.exports = { temporaryFolder, temporaryFile, freePort, run, runJson, startJson, converse, serve, residentMegabytes };
