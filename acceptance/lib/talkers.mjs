// Those who talk and listen whatever is killed meanwhile: they come back by themselves, send again by nonce, resume by cursor,
// and remember what they were told.

import assert from 'node:assert/strict';
import { eventually, sleep } from './wait.mjs';

/** Keeps one socket of a person's open, through every crash, and remembers all durable events that reached it. */
export class Receiver {
  /** `at` is asked before each connection for the {url, name} of a process to go to; without it the ingress chooses. */
  constructor(person, transport, at = () => ({})) {
    this.person = person;
    this.transport = transport;
    this.at = at;
    this.seen = [];
    this.ended = [];
    this.connections = 0;
    this.stopped = false;
  }

  async run() {
    while (!this.stopped) {
      const { url, name } = this.at();
      const wire = this.person.wire({ auth: { token: this.person.token, ...(this.cursor ? { cursor: this.cursor } : {}) }, transport: this.transport, at: url, checked: false });
      this.wire = wire;
      this.name = name;
      try {
        await Promise.race([wire.ready(20_000), wire.closed.then(() => { throw new Error('cut before ready'); })]);
        assert.equal(wire.all('ready')[0].resumed, this.cursor !== undefined, 'a cursor is taken up');
        this.connections += 1;
        this.hearFirst?.();
        await wire.closed;
      } catch (error) {
        if (error.code === 'ERR_ASSERTION') throw error;
        await sleep(30);
      }
      // also what came of a replay that a crash cut off
      const events = wire.durable();
      this.seen.push(...events);
      this.ended.push({ name, events });
      this.cursor = wire.cursor ?? this.cursor;
      wire.close();
    }
  }

  /** Everything so far. */
  get all() {
    return [...this.seen, ...(this.stopped ? [] : this.wire.durable())];
  }

  /** The same by connection: {name of its process, events}. */
  get lives() {
    return this.stopped ? this.ended : [...this.ended, { name: this.name, events: this.wire.durable() }];
  }

  /** Everything so far that belongs to this room. */
  of(room) {
    return this.all.filter(({ data }) => (data.room?.id ?? data.room) === room);
  }

  /** Waits until it has seen this seq of this room. */
  hasSeen(seq, room, ms) {
    return eventually(`${this.person.username} has seen ${seq} of ${room}`, () => this.of(room).findLast(({ data }) => Number.isInteger(data.seq))?.data.seq >= seq, ms);
  }

  stop() {
    this.stopped = true;
    this.wire.close();
  }
}

/** A line that is opened again after each crash; whoever uses it at a time uses the same one. */
class Line {
  /** How often it was told that the service cannot answer now. */
  busy = 0;

  constructor(person) {
    this.person = person;
  }

  open() {
    this.opening ??= (async () => {
      for (;;) {
        const wire = this.person.wire({ auth: { token: this.person.token }, checked: false });
        try {
          await Promise.race([wire.ready(20_000), wire.closed.then(() => { throw new Error('cut before ready'); })]);
          wire.closed.then(() => { this.opening = undefined; });
          return wire;
        } catch {
          wire.close();
          await sleep(30);
        }
      }
    })();
    return this.opening;
  }

  /** Asks until there is an answer other than `busy`, however many crashes come between; answers it and how often it was asked. */
  async ask(event, request) {
    for (let tries = 1; ; tries += 1) {
      const wire = await this.open();
      const ack = await Promise.race([new Promise((done) => wire.io.emit(event, request, done)), wire.closed.then(() => undefined)]);
      if (ack?.error?.code === 'busy') {
        this.busy += 1;
        await sleep(50);
      } else if (ack !== undefined) {
        return { ack, tries };
      }
    }
  }
}

/** Comes into a channel and leaves it again, until it is told to stop. */
export class Visitor {
  times = 0;
  over = false;

  constructor(person, channel) {
    this.person = person;
    this.channel = channel;
    this.line = new Line(person);
  }

  async run() {
    while (!this.over) {
      const joined = await this.line.ask('join room', { room: this.channel.id });
      assert.equal(joined.ack.ok, true, JSON.stringify(joined.ack));
      await sleep(15);
      const { ack, tries } = await this.line.ask('leave room', { room: this.channel.id });
      // asked again after a crash, it may have left already
      assert.ok(ack.ok || tries > 1, JSON.stringify(ack));
      await sleep(15);
      this.times += 1;
    }
  }
}

/** Sends its messages with a few outstanding, and sends again by nonce what was left without an answer. */
export class Sender {
  over = false;
  acked = [];
  retries = 0;

  constructor(person, rooms, tally) {
    this.line = new Line(person);
    this.person = person;
    this.rooms = rooms;
    this.tally = tally;
  }

  async send(n) {
    const request = { room: this.rooms[n % this.rooms.length].id, body: `${this.person.username} ${n}`, nonce: `n-${n}` };
    const { ack, tries } = await this.line.ask('message', request);
    assert.equal(ack.ok, true, `${JSON.stringify(request)}: ${JSON.stringify(ack)}`);
    assert.equal(ack.message.nonce, request.nonce);
    assert.equal(ack.message.body, request.body);
    this.retries += tries - 1;
    this.acked.push(ack.message);
    this.tally();
  }

  async run({ each = Infinity, outstanding, pause = 0 }) {
    let next = 0;
    await Promise.all(Array.from({ length: outstanding }, async () => {
      while (next < each && !this.over) {
        await this.send(next++);
        if (pause) await sleep(pause);
      }
    }));
  }
}
