// How a story is told: one server for the file, people with names of their own for each test, and at the end of each test
// all lines closed and all disagreements with the documents said.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { tellSeen } from './contract.mjs';
import { Api } from './http.mjs';
import { Server, shape, tidy } from './server.mjs';
import { Wire } from './sockets.mjs';
import { within } from './wait.mjs';

const PASSWORD = 'correct horse battery';

/** Somebody with an account on a server. */
export class Person {
  constructor(stage, server, { user, token }, password) {
    this.stage = stage;
    this.server = server;
    this.user = user;
    this.username = user.username;
    this.token = token;
    this.password = password;
    this.api = new Api(server, token);
  }

  /** A socket of this person's, authenticated and ready. `cursor` resumes. */
  async connect({ cursor, ...options } = {}) {
    const wire = this.wire({ auth: { token: this.token, ...(cursor === undefined ? {} : { cursor }) }, ...options });
    await wire.ready(options.ms);
    return wire;
  }

  /** A socket that is not waited for. */
  wire(options) {
    return this.stage.wire(this.server, options);
  }

  /** A room with these people, through REST. */
  room(others = [], more = {}) {
    return this.stage.createRoom(this, others, more);
  }

  says(room, body, nonce) {
    return this.api.ok(201, 'POST', `/rooms/${room.id ?? room}/messages`, { body, ...(nonce ? { nonce } : {}) });
  }

  /** The room as this person sees it now. */
  sees(room) {
    return this.api.ok(200, 'GET', `/rooms/${room.id ?? room}`);
  }
}

/** Everything that a test opened and that must be closed after it. */
class Stage {
  #wires = new Set();
  #servers = new Set();
  #count = 0;

  constructor(options) {
    this.options = options;
  }

  /** A server besides the file's own; it is stopped at the end of the test. */
  async server(options = {}) {
    const server = new Server(options);
    this.#servers.add(server);
    return server.start();
  }

  wire(server, options) {
    const wire = new Wire(server, options);
    this.#wires.add(wire);
    return wire;
  }

  /** People who exist nowhere else in the story: `alice` becomes `alice-7`. */
  async peopleOn(server, ...names) {
    const everybody = [];
    for (const name of names) {
      this.#count += 1;
      everybody.push(await this.login(server, `${name}-${this.#count}`));
    }
    return everybody;
  }

  async login(server, username, password = PASSWORD) {
    const answer = await new Api(server).post('/users/login', { username, password });
    assert.ok(answer.status === 201 || answer.status === 200, `login of ${username}: ${answer.status} ${answer.text}`);
    return new Person(this, server, answer.body, password);
  }

  async createRoom(owner, others, { ms, ...more }) {
    const usernames = others.map((one) => one.username ?? one);
    const answer = await owner.api.post('/rooms', { usernames, ...more });
    assert.ok(answer.status === 201 || answer.status === 200, `POST /rooms: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** Closes what the test opened; answers what went wrong unseen. */
  async clear() {
    const wrong = [];
    for (const wire of this.#wires) {
      await wire.checks;
      wrong.push(...wire.disagreements);
      wire.close();
    }
    this.#wires.clear();
    for (const server of this.#servers) {
      wrong.push(...panics(server));
      await server.end();
    }
    this.#servers.clear();
    return wrong;
  }
}

/** What the server logged during a test that failed. */
function tellLog(server, from, sentence) {
  const lines = server.log.slice(from).trimEnd().split('\n').filter(Boolean);
  if (lines.length) console.error(`--- the server's log of "${sentence}"${lines.length > 25 ? ' (its end)' : ''} ---\n${lines.slice(-25).join('\n')}`);
}

function panics(server) {
  return server.log.includes('panicked at') ? [new Error(`the server panicked:\n${server.log.split('\n').filter((line) => line.includes('panicked')).join('\n')}`)] : [];
}

/**
 * Opens a story: `tell` gets `it(sentence, async (world) => …)`; the world has the file's `server`, `people(...names)`,
 * `nobody` (a client without a token) and `stage` for all else. `server: false` is for stories whose tests start their own.
 * A test's `not` says in which shapes it cannot be told, and why: `{ apart: 'reason' }`.
 */
export function story(title, options, tell) {
  const stage = new Stage();
  let server;
  describe(title, { timeout: options.timeout ?? 120_000 }, () => {
    if (options.server !== false) {
      before(async () => {
        server = await new Server(options).start();
      });
      after(async () => {
        const wrong = panics(server);
        const end = await server.stop();
        await server.end();
        assert.deepEqual(wrong, []);
        if (options.endsCleanly !== false) assert.equal(end.code, 0, `the server should end cleanly on SIGTERM: ${JSON.stringify(end)}\n${server.tail()}`);
      });
    }
    const it = (sentence, body, more = {}) => test(sentence, { timeout: (more.timeout ?? 60_000) + 30_000, skip: more.not?.[shape] }, async (t) => {
      let failed = true;
      const servers = [];
      const said = server?.log.length ?? 0;
      const world = {
        t,
        stage,
        server,
        get nobody() { return new Api(server); },
        people: (...names) => stage.peopleOn(server, ...names),
        login: (username, password) => stage.login(server, username, password),
        wire: (wireOptions) => stage.wire(server, wireOptions),
        start: async (serverOptions) => {
          const one = await stage.server(serverOptions);
          servers.push(one);
          return one;
        },
      };
      try {
        // an end of its own, before node's, so that a test that hangs still shows the server's log
        await within(more.timeout ?? 60_000, body(world), 'the end of the test');
        failed = false;
      } finally {
        if (failed) for (const one of [server, ...servers]) if (one) tellLog(one, one === server ? said : 0, sentence);
        const wrong = await stage.clear();
        if (!failed && wrong.length) throw wrong.length === 1 ? wrong[0] : new AggregateError(wrong, wrong.map((one) => one.message).slice(0, 5).join('\n'));
      }
    });
    after(() => {
      tellSeen();
      tidy();
    });
    tell(it);
  });
}
