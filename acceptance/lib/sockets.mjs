// A stock socket.io client with a memory: what it was sent, in order, and promises for what it will be sent. Every event
// and acknowledgement is held against /asyncapi.json.

import assert from 'node:assert/strict';
import { io as io4 } from 'socket.io-client';
import v3 from 'socket.io-client-v3';
import { contractOf } from './contract.mjs';
import { oneSequence } from './server.mjs';
import { SOON_MS, within } from './wait.mjs';

const CLIENTS = { 4: io4, 3: v3.io };

/** How a client gets to the server: one transport, or the upgrade from polling to websocket. */
const TRANSPORTS = {
  websocket: ['websocket'],
  polling: ['polling'],
  upgrade: ['polling', 'websocket'],
};

/** Events with a `cursor`: they are in the log, and come exactly once, in order. */
export const DURABLE = ['room created', 'new message', 'member joined', 'member left', 'room updated', 'event', 'message edited', 'message deleted', 'reactions changed', 'message pinned', 'message unpinned'];

export class Wire {
  /**
   * @param {Server} server
   * @param {object} options
   * @param {object} [options.auth] what is sent with the connection; nothing when absent
   * @param {3|4} [options.client]
   * @param {'websocket'|'polling'|'upgrade'} [options.transport]
   * @param {string} [options.at] the address of one of its processes, past the ingress
   * @param {boolean} [options.checked] false: events are not held against the document (for floods)
   */
  constructor(server, { auth, client = 4, transport = 'websocket', checked = true, at = server.url, extra = {} } = {}) {
    this.server = server;
    this.checked = checked;
    /** Everything the server sent: {name, data, args}, in order. */
    this.events = [];
    /** What the documents say against it; a story that has one fails. */
    this.disagreements = [];
    this.waiters = new Set();
    this.checks = Promise.resolve();
    this.closed = new Promise((done) => { this.hearClosed = done; });
    this.io = CLIENTS[client](at, {
      auth,
      transports: TRANSPORTS[transport],
      upgrade: transport === 'upgrade',
      reconnection: false,
      forceNew: true,
      timeout: SOON_MS,
      ...extra,
    });
    this.io.onAny((name, ...args) => this.#hear(name, args));
    this.io.on('disconnect', (reason) => {
      this.reason = reason;
      this.hearClosed(reason);
      this.#wake();
    });
    // a client that comes back has a line again, which can close
    this.io.on('connect', () => {
      if (this.reason === undefined) return;
      this.reason = undefined;
      this.closed = new Promise((done) => { this.hearClosed = done; });
    });
    this.connecting = new Promise((done, fail) => {
      this.io.on('connect', () => done(this));
      this.io.on('connect_error', (error) => fail(error));
    });
    this.connecting.catch(() => {});
  }

  #hear(name, args) {
    const event = { name, data: args[0], args, at: performance.now() };
    this.events.push(event);
    if (args[0]?.cursor !== undefined) this.cursor = args[0].cursor;
    if (this.checked) {
      this.checks = this.checks.then(async () => (await contractOf(this.server)).checkEvent(name, args)).catch((error) => this.disagreements.push(error));
    }
    this.#wake();
  }

  #wake() {
    for (const waiter of [...this.waiters]) waiter();
  }

  /** The connection is there (and, with `auth`, accepted). Rejects with the connect_error. */
  connected(ms = SOON_MS) {
    return within(ms, this.connecting, 'the connection');
  }

  /** The connection is refused; answers the connect_error. */
  async refusedToConnect(ms = SOON_MS) {
    try {
      await within(ms, this.connecting, 'a connect_error');
    } catch (error) {
      return error;
    }
    throw new Error('the connection was accepted');
  }

  /** Authenticated, and all that was missed was sent. */
  async ready(ms = SOON_MS) {
    await this.connected(ms);
    return this.until('ready', undefined, ms);
  }

  /** What was sent of this name, and fits. */
  all(name, fits = () => true) {
    return this.events.filter((one) => one.name === name && fits(one.data)).map((one) => one.data);
  }

  count(name, fits) {
    return this.all(name, fits).length;
  }

  /** The durable events, in the order in which they came. */
  durable(fits = () => true) {
    return this.events.filter((one) => DURABLE.includes(one.name) && fits(one.data, one.name));
  }

  /** The first event of this name that fits, from the beginning of the connection on; waits for it if need be. */
  until(name, fits = () => true, ms = SOON_MS) {
    return this.untilTrue(`"${name}"`, () => this.events.find((one) => one.name === name && fits(one.data))?.data, ms);
  }

  /** Waits until `look` (asked after each event) answers something. */
  async untilTrue(what, look, ms = SOON_MS) {
    let waiter;
    const found = new Promise((done, fail) => {
      waiter = () => {
        try {
          const seen = look();
          if (seen) done(seen);
        } catch (error) {
          fail(error);
        }
      };
      this.waiters.add(waiter);
      waiter();
    });
    try {
      return await within(ms, found, () => `${what}; what came: ${this.told()}${this.reason ? `; then the line was cut (${this.reason})` : ''}`);
    } finally {
      this.waiters.delete(waiter);
    }
  }

  told() {
    const last = this.events.slice(-12).map(({ name, data }) => `${name} ${JSON.stringify(data)}`.slice(0, 300));
    return `${this.events.length > 12 ? `… (${this.events.length} events) ` : ''}${last.join(', ') || 'nothing'}`;
  }

  /** Emits with an acknowledgement, and answers it. */
  async ask(name, request, ms = SOON_MS) {
    const args = await within(ms, new Promise((done) => this.io.emit(name, request, (...got) => done(got))), `the acknowledgement of "${name}"`);
    if (this.checked) (await contractOf(this.server)).checkAck(name, request, args);
    return args[0];
  }

  /** An event that must be accepted; answers the acknowledgement. */
  async must(name, request, ms) {
    const ack = await this.ask(name, request, ms);
    assert.equal(ack.ok, true, `"${name}" should be accepted: ${JSON.stringify(ack)}`);
    return ack;
  }

  /** An event that must be refused with this code; answers the error. */
  async refused(code, name, request) {
    const ack = await this.ask(name, request);
    assert.equal(ack.ok, false, `"${name}" should be refused as ${code}: ${JSON.stringify(ack)}`);
    assert.equal(ack.error.code, code, `"${name}": ${JSON.stringify(ack)}`);
    assert.equal(typeof ack.error.detail, 'string');
    return ack.error;
  }

  /** Emits without an acknowledgement. */
  emit(name, ...args) {
    this.io.emit(name, ...args);
  }

  /**
   * All that the server had to send to this connection so far has come: a message to oneself and back again, through a room
   * that only this user knows, is behind it in the log. Costs no time, unlike "wait a second and see that nothing came". Where
   * the log has partitions it says so of the room's own, and of the others only that they had the time.
   */
  async settled(room) {
    const { message } = await this.must('message', { room, body: 'settled' });
    await this.until('new message', (one) => one.id === message.id);
  }

  /** Cuts the line under the client, as a dead network would: no goodbye of Socket.IO's. */
  drop() {
    const transport = this.io.io.engine.transport;
    if (transport.ws?.terminate) transport.ws.terminate();
    else transport.close();
    return within(SOON_MS, this.closed, 'the end of the dropped line');
  }

  /** The client's end of the TCP line, to stop reading from it. */
  get tcp() {
    return this.io.io.engine.transport.ws._socket;
  }

  close() {
    this.io.disconnect();
    this.hearClosed('closed by the story');
  }
}

/**
 * Durable events in an order that can be compared with what came live: as they came where the log is one sequence; else room by
 * room, because what happens in two partitions of a log reaches each socket as it comes. (A replay is in the order of commits.)
 */
export function comparable(events) {
  if (oneSequence) return events;
  const rooms = new Map();
  for (const event of events) {
    const room = event.data.room?.id ?? event.data.room;
    rooms.set(room, [...(rooms.get(room) ?? []), event]);
  }
  return [...rooms].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, own]) => own);
}

/** Fails unless messages come in the order of their times, whatever their rooms: a replay does. */
export function assertInTimeOrder(events) {
  const times = events.filter(({ name }) => name === 'new message').map(({ data }) => data.created_at);
  times.forEach((time, n) => assert.ok(n === 0 || times[n - 1] <= time, `message ${n} of ${times[n - 1]} came before one of ${time}`));
}

/** Fails unless the seqs of each room come without a gap, a double or a step back. */
export function assertInOrder(events, starts = {}) {
  const last = { ...starts };
  for (const { name, data } of events) {
    if (data.seq === undefined) continue;
    if (last[data.room] !== undefined) assert.equal(data.seq, last[data.room] + 1, `${name} of room ${data.room} came as ${data.seq} after ${last[data.room]}`);
    last[data.room] = data.seq;
  }
  return last;
}
