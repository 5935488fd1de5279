// Starts, stops, kills and restarts the real guild program, each time in a folder of its own and on a port that the
// system chose. Nothing here knows what the program does; it reads its log only for the line that names its address.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** The program under test: the release build, or what GUILD_BIN names. */
export const binary = resolve(process.env.GUILD_BIN ?? join(here, '../../target/release/guild'));

/** How long a start may take on a busy machine. */
const START_MS = 20_000;

/** What each shape adds to the settings. The same stories run over all of them. */
const SHAPES = {
  near: {},
  // Every call between services passes through its bytes and back, as it would over a network.
  bytes: { GUILD_BUS_ENCODE: 'true' },
};

export const shape = process.env.ACCEPTANCE_SHAPE ?? 'near';
if (!(shape in SHAPES)) throw new Error(`ACCEPTANCE_SHAPE=${shape} is unknown; allowed: ${Object.keys(SHAPES).join(', ')}`);

/** Limits that would only get in the way of stories that are not about limits. */
const ROOMY = {
  GUILD_LIMITS_LOGINS_PER_MINUTE: '0',
  GUILD_LIMITS_ROOMS_PER_MINUTE: '0',
  GUILD_LIMITS_SENDS_PER_SECOND: '0',
  GUILD_LIMITS_SENDS_BURST: '0',
};

/** The environment of a server: settings from the caller only, never from the shell that runs the tests. */
export function environment(settings = {}) {
  const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GUILD_')));
  return { ...kept, RUST_BACKTRACE: '1', ...SHAPES[shape], ...settings };
}

function needBinary() {
  if (!existsSync(binary)) throw new Error(`${binary} is missing; build it with: cargo build --release`);
}

/** Runs `guild ...args` to its end; answers {code, signal, stdout, stderr, text}. */
export function guild(args, { cwd, settings, input, timeout = 30_000 } = {}) {
  needBinary();
  const done = spawnSync(binary, args, { cwd, env: environment(settings), input, timeout, encoding: 'utf8' });
  if (done.error) throw done.error;
  return { code: done.status, signal: done.signal, stdout: done.stdout, stderr: done.stderr, text: done.stdout + done.stderr };
}

/** A folder that is gone when the process is. */
const folders = [];
export function freshFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'guild-story-'));
  folders.push(folder);
  return folder;
}
const running = new Set();

/** Leaves nothing running and no folder. */
export function tidy() {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
process.on('exit', tidy);

export class Server {
  /**
   * @param {object} options
   * @param {object} [options.settings] GUILD_… variables on top of the roomy ones
   * @param {object} [options.bare]     GUILD_… variables instead of the roomy ones (to meet the defaults)
   * @param {string[]} [options.args]   arguments of the program
   * @param {string} [options.folder]   the working folder; a fresh one when absent
   * @param {string} [options.toml]     the text of guild.toml in the working folder
   */
  constructor({ settings = {}, bare, args = [], folder = freshFolder(), toml } = {}) {
    this.folder = folder;
    this.args = args;
    this.settings = {
      GUILD_LISTEN: '127.0.0.1:0',
      GUILD_DATABASE_URL: 'sqlite:guild.db',
      ...(bare ?? ROOMY),
      ...settings,
    };
    if (toml !== undefined) writeFileSync(join(folder, 'guild.toml'), toml);
    this.log = '';
    this.child = undefined;
    this.url = undefined;
    this.port = undefined;
    this.exit = undefined;
  }

  get database() {
    return join(this.folder, 'guild.db');
  }

  /** Starts the program and waits for its address. Started again, it listens on the same port as before. */
  async start() {
    needBinary();
    const settings = { ...this.settings };
    if (this.port) settings.GUILD_LISTEN = `127.0.0.1:${this.port}`;
    const child = spawn(binary, this.args, { cwd: this.folder, env: environment(settings), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    running.add(child);
    const from = this.log.length;
    let said = () => {};
    const hear = (chunk) => {
      this.log += chunk;
      said();
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    this.exit = new Promise((done) => {
      child.on('close', (code, signal) => {
        running.delete(child);
        done({ code, signal });
      });
    });
    const address = new Promise((found) => {
      said = () => {
        const line = this.log.slice(from).match(/listening on (http:\/\/[^\s"]*?:(\d+))/);
        if (line) found(line);
      };
    });
    let timer;
    const late = new Promise((done) => { timer = setTimeout(done, START_MS, 'late'); });
    const first = await Promise.race([address, this.exit, late]);
    clearTimeout(timer);
    said = () => {};
    if (!Array.isArray(first)) {
      child.kill('SIGKILL');
      const why = first === 'late' ? `did not say "listening on http://…" within ${START_MS} ms` : `ended at once (${JSON.stringify(first)})`;
      throw new Error(`the server ${why}; its log:\n${this.log}`);
    }
    this.url = first[1].replace('0.0.0.0', '127.0.0.1');
    this.port = Number(first[2]);
    return this;
  }

  get alive() {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  get pid() {
    return this.child.pid;
  }

  /** SIGTERM, then waits for the end; answers {code, signal, ms}. */
  async stop(ms = 15_000) {
    if (!this.child) return undefined;
    const began = performance.now();
    if (this.alive) this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ms);
    const end = await this.exit;
    clearTimeout(timer);
    return { ...end, ms: performance.now() - began };
  }

  /** kill -9: no goodbye, no flush. */
  async kill() {
    if (this.alive) this.child.kill('SIGKILL');
    return this.exit;
  }

  async restart() {
    if (this.alive) await this.stop();
    return this.start();
  }

  /** Runs `guild ...args` beside this server, in its folder and with its settings. */
  run(args, options = {}) {
    return guild(args, { cwd: this.folder, settings: { ...this.settings, ...options.settings }, ...options });
  }

  /** The log's end, for a test that failed. */
  tail(lines = 40) {
    return this.log.trimEnd().split('\n').slice(-lines).join('\n');
  }
}
