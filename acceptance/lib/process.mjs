// One process of the real guild program. Nothing here knows what the program does; its log is read only for the line that
// names its address, and not even for that where a story takes the log elsewhere.

import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ofStory } from './children.mjs';
import { freePort } from './ports.mjs';
import { eventually } from './wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** The program under test: the release build, or what GUILD_BIN names. */
export const binary = resolve(process.env.GUILD_BIN ?? join(here, '../../target/release/guild'));

/** How long a start may take on a busy machine. */
export const START_MS = 20_000;

/** The environment of the program: settings from the caller only, never from the shell that runs the tests. */
function environment(settings) {
  const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GUILD_')));
  return { ...kept, RUST_BACKTRACE: '1', ...settings };
}

function need(program) {
  if (!existsSync(program)) throw new Error(`${program} is missing; build it with: cargo build --release`);
}

/** Runs `guild ...args` to its end; answers {code, signal, stdout, stderr, text}. */
export function guild(args, { program = binary, cwd, settings = {}, input, timeout = 30_000 } = {}) {
  need(program);
  const done = spawnSync(program, args, { cwd, env: environment(settings), input, timeout, encoding: 'utf8' });
  if (done.error) throw done.error;
  return { code: done.status, signal: done.signal, stdout: done.stdout, stderr: done.stderr, text: done.stdout + done.stderr };
}

/** The same, while the clients and the ingress, which are in this process, go on. */
export function guildBeside(args, { program = binary, cwd, settings = {}, timeout = 30_000 } = {}) {
  need(program);
  return new Promise((done, fail) => {
    ofStory.add(execFile(program, args, { cwd, env: environment(settings), timeout }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number' && !error.signal) fail(error);
      else done({ code: error ? error.code : 0, signal: error?.signal ?? null, stdout, stderr, text: stdout + stderr });
    }));
  });
}

export class Process {
  /**
   * @param {object} options
   * @param {string} options.folder     the working folder
   * @param {string[]} options.args     arguments of the program
   * @param {() => object} options.settings GUILD_… variables, asked for at each start
   * @param {string} [options.service]  which service it runs, where it does not run all
   * @param {string} [options.name]     what its lines in the common log begin with
   * @param {(text: string) => void} options.say takes what it logs
   * @param {number} [options.stderr]   a file descriptor that it logs to instead
   * @param {string} [options.program]  another program than the one under test; may be exchanged between two starts
   */
  constructor({ folder, args, settings, service, name, say, stderr, program = binary }) {
    Object.assign(this, { folder, args, settings, service, name, stderr, program });
    this.say = name ? inLines(name, say) : say;
    this.child = undefined;
    this.url = undefined;
    this.port = undefined;
    this.exit = undefined;
  }

  /** Starts the program and waits for its address. Started again, it listens on the same port as before. */
  async start() {
    need(this.program);
    const settings = { ...this.settings() };
    if (this.stderr !== undefined) this.port ??= await freePort();
    if (this.port) settings.GUILD_LISTEN = `127.0.0.1:${this.port}`;
    const child = ofStory.add(spawn(this.program, this.args, { cwd: this.folder, env: environment(settings), stdio: ['ignore', 'pipe', this.stderr ?? 'pipe'] }));
    this.child = child;
    let log = '';
    let said = () => {};
    const hear = (chunk) => {
      this.say(chunk);
      if (said) {
        log += chunk;
        said();
      }
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr?.setEncoding('utf8').on('data', hear);
    this.exit = new Promise((done) => {
      child.on('close', (code, signal) => done({ code, signal }));
    });
    const heard = new Promise((found) => {
      said = () => {
        const line = log.match(/listening on (http:\/\/[^\s"]*?:(\d+))/);
        if (line) found(line);
      };
    });
    const address = this.stderr === undefined ? heard : this.#answers();
    let timer;
    const late = new Promise((done) => { timer = setTimeout(done, START_MS, 'late'); });
    const first = await Promise.race([address, this.exit, late]);
    clearTimeout(timer);
    said = undefined;
    if (!Array.isArray(first)) {
      child.kill('SIGKILL');
      const why = first === 'late' ? `did not say "listening on http://…" within ${START_MS} ms` : `ended at once (${JSON.stringify(first)})`;
      throw new Error(`the server ${why}; its log:\n${log}`);
    }
    this.url = first[1].replace('0.0.0.0', '127.0.0.1');
    this.port = Number(first[2]);
    return this;
  }

  /** Waits until it answers where it was told to listen. */
  async #answers() {
    const url = `http://127.0.0.1:${this.port}`;
    await eventually('it answers', async () => !this.alive || (await fetch(`${url}/healthz`)).ok, START_MS);
    return [url, url, this.port];
  }

  get alive() {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** SIGTERM, then waits for the end; answers {code, signal}. */
  async stop(ms = 15_000) {
    if (this.alive) this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child?.kill('SIGKILL'), ms);
    const end = await this.exit;
    clearTimeout(timer);
    return end;
  }

  /** kill -9: no goodbye, no flush. */
  async kill() {
    if (this.alive) this.child.kill('SIGKILL');
    return this.exit;
  }
}

/** Passes text on in whole lines, each under this name: several processes share one log. */
function inLines(name, say) {
  let begun = '';
  return (chunk) => {
    const lines = (begun + chunk).split('\n');
    begun = lines.pop();
    for (const line of lines) say(`${name} | ${line}\n`);
  };
}
