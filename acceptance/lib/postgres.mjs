// A scratch PostgreSQL server in a temporary folder, on a port of 127.0.0.1: one for a whole run of stories, or one of a
// story's own that it may kill, with a standby where it likes. A crash is kill -9 of every process of it; what a crash of the machine
// does is not tried here.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ofProcess, ofStory } from './children.mjs';
import { freePort } from './ports.mjs';
import { eventually, sleep, within } from './wait.mjs';

const run = promisify(execFile);
const USER = 'guild';
/** How long a start may take on a busy machine. */
const START_MS = 30_000;
/** What a server says when one that was killed is not quite gone. */
const NOT_YET_GONE = /still in use|shared memory|lock file/;

/** The folder of the newest server programs; fails with what to install. */
function programs() {
  const home = '/usr/lib/postgresql';
  const versions = existsSync(home) ? readdirSync(home).filter((one) => existsSync(join(home, one, 'bin/initdb'))) : [];
  const newest = versions.sort((a, b) => Number(a) - Number(b)).at(-1);
  if (!newest) throw new Error('the PostgreSQL server programs are missing: apt-get install postgresql');
  return join(home, newest, 'bin');
}

/** A server program and its arguments, as a user that PostgreSQL accepts (it refuses root), ended with this process. */
function asItself(program, args) {
  const identity = process.getuid() === 0 ? ['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups'] : [];
  return ['setpriv', ['--pdeathsig', 'INT', ...identity, '--', join(programs(), program), ...args]];
}

export class Postgres {
  /** A server that runs already, by its port. */
  constructor(port) {
    this.port = port;
    this.count = 0;
  }

  /**
   * A server of one's own.
   * @param {object} options
   * @param {boolean} [options.synced] false: commits do not wait for the disk (for speed, where nobody pulls a plug)
   * @param {boolean} [options.lasting] true: it lives as long as this process, not as long as the story
   */
  static async start({ synced = true, lasting = false } = {}) {
    const server = await Postgres.#settled(lasting ? ofProcess : ofStory);
    server.options = ['max_connections=500', 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'lc_messages=C', ...(synced ? [] : ['fsync=off', 'full_page_writes=off'])];
    await run(...asItself('initdb', ['-D', join(server.folder, 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']), { cwd: server.folder });
    await server.#launch();
    return server;
  }

  /** One that has a port and a folder, and nothing in it. */
  static async #settled(group) {
    const server = new Postgres(await freePort());
    server.group = group;
    server.folder = group.folder();
    if (process.getuid() === 0) chownSync(server.folder, Number(execFileSync('id', ['-u', 'postgres'])), Number(execFileSync('id', ['-g', 'postgres'])));
    return server;
  }

  /** A second server, which follows this one by streaming replication and can be read. */
  async standby() {
    const server = await Postgres.#settled(this.group);
    server.options = this.options;
    const from = ['-h', '127.0.0.1', '-p', String(this.port), '-U', USER];
    await run(...asItself('pg_basebackup', [...from, '-D', join(server.folder, 'data'), '-X', 'stream', '-c', 'fast', '-R', '--no-sync']), { cwd: server.folder });
    await server.#launch();
    return server;
  }

  /** Waits until this standby holds, and shows, all that `primary` has committed so far. */
  async hasAllOf(primary) {
    const end = await primary.#asked('SELECT pg_current_wal_lsn()');
    await eventually(`the standby has replayed the log up to ${end}`, async () => await this.#asked(`SELECT pg_last_wal_replay_lsn() >= '${end}'::pg_lsn`) === 't', START_MS, 50);
  }

  /** Ends the replication to this standby for good: it never gets what is committed from now on. */
  async cutOff() {
    await this.#asked("ALTER SYSTEM SET primary_conninfo = ''");
    await this.#asked('SELECT pg_reload_conf()');
    await eventually('the standby has stopped to receive', async () => await this.#asked('SELECT COUNT(*) FROM pg_stat_wal_receiver') === '0', START_MS, 50);
  }

  /** Makes this standby a server that can be written to, with what it has. */
  async promote() {
    if (await this.#asked('SELECT pg_promote()') !== 't') throw new Error('the standby was not promoted in time');
  }

  /** The one value that this statement answers. */
  async #asked(statement) {
    const args = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--dbname', this.url('postgres'), '--command', statement];
    return (await run(join(programs(), 'psql'), args)).stdout.trim();
  }

  /** Starts the program and waits until it takes connections; rejects with what it said. */
  async #launch() {
    const args = ['-D', join(this.folder, 'data'), '-p', String(this.port), ...this.options.flatMap((one) => ['-c', one])];
    const [program, words] = asItself('postgres', args);
    const child = this.group.add(spawn(program, words, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] }));
    let said = '';
    const ready = new Promise((done, fail) => {
      child.on('error', fail);
      child.on('close', () => fail(new Error(`PostgreSQL did not start:\n${said}`)));
      child.stderr.setEncoding('utf8').on('data', (text) => {
        // Only the start is of interest; the rest is read so that the server never waits for a reader.
        if (said.length < 100_000) said += text;
        if (/ready to accept (read-only )?connections/.test(said)) done();
      });
    });
    this.exit = new Promise((done) => child.once('close', done));
    await within(START_MS, ready, () => `PostgreSQL; it said:\n${said}`);
    this.child = child;
  }

  /** The address of a database on it. */
  url(database) {
    return `postgres://${USER}@127.0.0.1:${this.port}/${database}`;
  }

  /** Makes a new database; answers its address. */
  async database() {
    this.count += 1;
    const name = `story_${process.pid}_${this.count}`;
    await run(join(programs(), 'createdb'), ['-h', '127.0.0.1', '-p', String(this.port), '-U', USER, name]);
    return this.url(name);
  }

  /** kill -9 of the server and each process that serves a connection. */
  async crash() {
    const own = this.child.pid;
    const children = readFileSync(`/proc/${own}/task/${own}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    // The server first: it starts anew what it sees end.
    for (const pid of [own, ...children]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error; // it has ended by itself
      }
    }
    await this.exit;
  }

  /** Starts it again after a crash, with the same port and data. */
  async restart() {
    const end = performance.now() + START_MS;
    for (;;) {
      try {
        return await this.#launch();
      } catch (error) {
        // a process of the crashed server may be there for a moment more
        if (!NOT_YET_GONE.test(error.message) || performance.now() > end) throw error;
        await sleep(50);
      }
    }
  }
}

/** Everything that a database keeps, as text. */
export function dumped(url) {
  return execFileSync(join(programs(), 'pg_dump'), ['--dbname', url], { maxBuffer: 1 << 30 });
}

let shared;
/** The server of this run (run.mjs starts it and says its port), or one that this process starts for itself. */
export function sharedPostgres() {
  shared ??= process.env.ACCEPTANCE_POSTGRES_PORT ? Promise.resolve(new Postgres(Number(process.env.ACCEPTANCE_POSTGRES_PORT))) : Postgres.start({ synced: false, lasting: true });
  return shared;
}
