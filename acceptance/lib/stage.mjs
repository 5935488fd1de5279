// Who is on the stage: people with accounts and sockets of their own, and the servers besides a story's; all of it is closed at the end.

import assert from 'node:assert/strict';
import { Api } from './http.mjs';
import { Server } from './server.mjs';
import { Wire } from './sockets.mjs';

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
export class Stage {
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

/** What the log says of panics, as something that went wrong. */
export function panics(server) {
  return server.log.includes('panicked at') ? [new Error(`the server panicked:\n${server.log.split('\n').filter((line) => line.includes('panicked')).join('\n')}`)] : [];
}
