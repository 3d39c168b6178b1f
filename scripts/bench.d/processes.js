// Programs that a benchmark starts, and their end: whatever ends the benchmark ends them, too.
'use strict';
const { spawn, execFileSync } = require('child_process');
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

function track(child) {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

/** Runs a program to its end and returns what it printed; its commentary goes to ours. */
async function run(command, args, env = {}) {
  const child = track(spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] }));
  const failed = new Promise((_, reject) => child.on('error', reject));
  const printed = [];
  child.stdout.on('data', (part) => printed.push(part));
  await Promise.race([new Promise((resolve) => child.on('close', resolve)), failed]);
  if (child.exitCode !== 0) throw new Error(`${path.basename(command)} ended with ${child.exitCode ?? child.signalCode}`);
  return Buffer.concat(printed).toString();
}

async function runJson(command, args) {
  return JSON.parse((await run(command, args)).trim().split('\n').pop());
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

module.exports = { temporaryFolder, temporaryFile, freePort, run, runJson, converse, serve, residentMegabytes };
