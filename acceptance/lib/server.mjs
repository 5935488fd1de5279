// The service under test, in one of its shapes: starts, stops, kills and restarts it, each time in a folder of its own and
// on ports that the system chose. To a story it is one address, whatever stands behind it.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ofStory } from './children.mjs';
import { Ingress } from './ingress.mjs';
import { Nats } from './nats.mjs';
import { dumped, sharedPostgres } from './postgres.mjs';
import { binary, guild as runGuild, guildBeside, Process, START_MS } from './process.mjs';
import { postgresSays, postgresSaysBeside, sqliteSays } from './sql.mjs';
import { eventually } from './wait.mjs';

export { binary } from './process.mjs';

/** The forms that the program can take. The same stories run over all of them. */
const SHAPES = {
  /** One process over SQLite. */
  near: {},
  /** The same, and every call between services passes through its bytes and back, as it would over a network. */
  bytes: { settings: { GUILD_BUS_ENCODE: 'true' } },
  /** One process over PostgreSQL. */
  postgres: { postgres: true },
  /** Each service in processes of its own, over PostgreSQL and NATS, behind an ingress. Chat is first to be ended: it tells clients. */
  apart: { postgres: true, processes: ['chat', 'chat', 'messages', 'messages', 'users', 'users'] },
};

export const shapes = Object.keys(SHAPES);

export const shape = process.env.ACCEPTANCE_SHAPE ?? 'near';
if (!(shape in SHAPES)) throw new Error(`ACCEPTANCE_SHAPE=${shape} is unknown; allowed: ${shapes.join(', ')}`);

/** Whether the log is one sequence over all rooms; PostgreSQL's has partitions, whose live events keep no order among each other. */
export const oneSequence = !SHAPES[shape].postgres;

/** Limits that would only get in the way of stories that are not about limits. */
const ROOMY = {
  GUILD_LIMITS_LOGINS_PER_MINUTE: '0',
  GUILD_LIMITS_ROOMS_PER_MINUTE: '0',
  GUILD_LIMITS_CHANGES_PER_SECOND: '0',
  GUILD_LIMITS_READS_PER_SECOND: '0',
  GUILD_LIMITS_UNAUTHENTICATED_PER_MINUTE: '0',
  GUILD_LIMITS_SENDS_PER_SECOND: '0',
  GUILD_LIMITS_SENDS_BURST: '0',
};

/** A folder that is gone when the story is. */
export const freshFolder = () => ofStory.folder();

/** Leaves nothing running and no folder. */
export const tidy = () => ofStory.end();

/** Runs `guild ...args` to its end; answers {code, signal, stdout, stderr, text}. */
export function guild(args, options = {}) {
  return runGuild(args, { ...options, settings: { ...SHAPES[shape].settings, ...options.settings } });
}

/** On PostgreSQL a folder stands for a database, as it does on SQLite: who starts in the same one finds the same data. */
const databases = new Map();

export class Server {
  #nats;
  #ingress;

  /**
   * @param {object} options
   * @param {object} [options.settings] GUILD_… variables on top of the roomy ones
   * @param {object} [options.bare]     GUILD_… variables instead of the roomy ones (to meet the defaults)
   * @param {string[]} [options.args]   arguments of the program
   * @param {string} [options.folder]   the working folder; a fresh one when absent
   * @param {string} [options.toml]     the text of guild.toml in the working folder
   * @param {string} [options.as]       another shape than the stories'
   * @param {Postgres} [options.postgres] a PostgreSQL server of the story's own, where the shape needs one
   * @param {number} [options.stderr]   a file descriptor that it logs to, in a shape of one process
   * @param {string} [options.program]  another program than the one under test; each of `processes` may then get another one
   * @param {boolean} [options.checked] false: nothing is held against its documents, because it is of two programs, with two of each
   */
  constructor({ settings = {}, bare, args = [], folder = freshFolder(), toml, as = shape, postgres, stderr, program = binary, checked = true } = {}) {
    this.folder = folder;
    this.args = args;
    this.shape = SHAPES[as];
    this.postgres = postgres;
    this.checked = checked;
    this.settings = {
      GUILD_LISTEN: '127.0.0.1:0',
      ...(this.shape.postgres ? {} : { GUILD_DATABASE_URL: 'sqlite:guild.db' }),
      ...(bare ?? ROOMY),
      ...settings,
    };
    if (toml !== undefined) writeFileSync(join(folder, 'guild.toml'), toml);
    this.log = '';
    const say = (text) => { this.log += text; };
    const common = () => ({ ...this.shape.settings, ...this.settings });
    const services = this.shape.processes;
    this.processes = services
      ? services.map((service, n) => new Process({
        folder, args, say, service, program,
        name: `${service}${services.slice(0, n).filter((one) => one === service).length + 1}`,
        settings: () => ({ ...common(), GUILD_RUN: service, GUILD_NATS_URL: this.nats.url }),
      }))
      : [new Process({ folder, args, say, stderr, program, settings: common })];
  }

  /** The file of the database, on SQLite. */
  get database() {
    return join(this.folder, 'guild.db');
  }

  /** The paths of the OpenAPI documents that together describe all calls. */
  get documents() {
    return ['/openapi.json', ...(this.shape.processes ? ['/users/openapi.json', '/messages/openapi.json'] : [])];
  }

  /** What connects the processes, in shape `apart`. */
  get nats() {
    return this.#nats;
  }

  /** The processes of one service. */
  of(service) {
    return this.processes.filter((one) => one.service === service);
  }

  /** Starts the program and waits for its address. Started again, it has the same address as before. */
  async start() {
    if (this.settings.GUILD_DATABASE_URL === undefined) {
      if (!databases.has(this.folder)) databases.set(this.folder, (this.postgres ?? await sharedPostgres()).database());
      this.settings.GUILD_DATABASE_URL = await databases.get(this.folder);
    }
    if (this.shape.processes) this.#nats ??= await new Nats().start();
    this.failed = undefined;
    const starts = await Promise.allSettled(this.processes.filter((one) => !one.alive).map(async (one) => {
      try {
        await one.start();
        if (this.shape.processes) await untilReady(one);
      } catch (error) {
        this.failed ??= one;
        throw error;
      }
    }));
    const reason = starts.find((one) => one.status === 'rejected')?.reason;
    if (reason) {
      // the others end as after a crash
      if (this.shape.processes) await this.kill();
      throw reason;
    }
    if (this.shape.processes) {
      this.#ingress ??= await new Ingress(Object.fromEntries(['users', 'messages', 'chat'].map((service) => [service, this.of(service)]))).listen();
    }
    ({ url: this.url, port: this.port } = this.#ingress ?? this.processes[0]);
    return this;
  }

  /** Whether every process of it lives. */
  get alive() {
    return this.processes.every((one) => one.alive);
  }

  /** The process, where there is only one. */
  get child() {
    return this.processes[0].child;
  }

  get pid() {
    return this.child.pid;
  }

  /** The end of the program, {code, signal}: of the process that failed to start, or the worst of all. */
  get exit() {
    if (this.failed) return this.failed.exit;
    return Promise.all(this.processes.map((one) => one.exit)).then((ends) => ends.find((end) => end?.code !== 0) ?? ends[0]);
  }

  /** SIGTERM, then waits for the end; answers {code, signal, ms}. Services apart end one after the other, those that are asked last. */
  async stop(ms = 15_000) {
    if (!this.child) return undefined;
    const began = performance.now();
    for (const service of new Set(this.processes.map((one) => one.service))) await Promise.all(this.of(service).map((one) => one.stop(ms)));
    return { ...await this.exit, ms: performance.now() - began };
  }

  /** kill -9: no goodbye, no flush. NATS and PostgreSQL stay. */
  async kill() {
    await Promise.all(this.processes.map((one) => one.kill()));
    return this.exit;
  }

  /** As `kill`, and for good. */
  async end() {
    await this.kill();
    this.#ingress?.close();
    await this.#nats?.kill();
  }

  async restart() {
    if (this.alive) await this.stop();
    return this.start();
  }

  /** Runs `guild ...args` beside this server, in its folder and with its settings. */
  run(args, options = {}) {
    return guild(args, { cwd: this.folder, ...options, settings: { ...this.settings, ...options.settings } });
  }

  /** The same, while the clients and the ingress, which are in this process, go on. */
  runBeside(args, options = {}) {
    return guildBeside(args, { cwd: this.folder, ...options, settings: { ...this.shape.settings, ...this.settings, ...options.settings } });
  }

  /** Runs statements on its database, past the program; answers the rows, with | between the columns. */
  sql(...statements) {
    return this.shape.postgres ? postgresSays(this.settings.GUILD_DATABASE_URL, ...statements) : sqliteSays(this.database, ...statements);
  }

  /** The same on PostgreSQL, while this process goes on. */
  sqlBeside(...statements) {
    return postgresSaysBeside(this.settings.GUILD_DATABASE_URL, ...statements);
  }

  /** Everything that it keeps, as {name, bytes}: the files of the database, or what PostgreSQL gives away of it. */
  stored() {
    if (this.shape.postgres) return [{ name: 'the database', bytes: dumped(this.settings.GUILD_DATABASE_URL) }];
    const names = readdirSync(this.folder).filter((name) => name.startsWith('guild.db'));
    return names.map((name) => ({ name, bytes: readFileSync(join(this.folder, name)) }));
  }

  /** Waits for a line of the log. A line is written after the answer that it is about: the log has a thread of its own. */
  async logs(pattern) {
    await eventually(`the log says ${pattern}`, () => pattern.test(this.log));
  }

  /** The log's end, for a test that failed. */
  tail(lines = 40) {
    return this.log.trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/** It reaches its database and the other processes. */
async function untilReady(one) {
  await eventually(`${one.name} is ready`, async () => {
    if (!one.alive) throw new Error(`${one.name} ended: ${JSON.stringify(await one.exit)}`);
    return (await fetch(`${one.url}/readyz`)).ok;
  }, START_MS);
}

/** A start that must fail: answers what it said. */
export async function failsToStart(options) {
  const server = new Server(options);
  try {
    await server.start();
  } catch {
    const end = await server.exit;
    assert.notEqual(end.code, 0, 'a failed start has an exit code that is not 0');
    assert.equal(end.signal, null, server.log);
    return server.log;
  }
  await server.kill();
  throw new Error(`the server should not have started:\n${server.log}`);
}
