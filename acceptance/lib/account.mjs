// The account that stories about crashes and outages draw up: people talk all the time in rooms that overlap, somebody keeps
// coming and going, senders retry by nonce, receivers resume by cursor, whatever is killed meanwhile; and at the end every
// receiver is held to account for every seq that it saw.

import assert from 'node:assert/strict';
import { newerRow } from './newer.mjs';
import { Receiver, Sender, Visitor } from './talkers.mjs';
import { eventually, sleep, within } from './wait.mjs';

const PEOPLE = 8;
const SENDERS = 6;

export class Account {
  acks = 0;
  #heard = new Set();
  #starts = new Map();
  #heads = new Map();
  #members = new Map();
  #newer = [];
  #server;

  /**
   * People, their rooms, and an open socket for each; nobody talks yet.
   * @param {object} [how]
   * @param {(n: number) => (() => {url: string, name: string}) | undefined} [how.at] to which process the socket of person n goes
   */
  static async open(stage, server, { at = () => undefined } = {}) {
    const account = new Account();
    account.#server = server;
    const people = await stage.peopleOn(server, ...Array.from({ length: PEOPLE }, (_, n) => `p${n}`));
    const add = (room, members) => {
      account.rooms.push(room);
      account.#members.set(room.id, members);
    };
    account.rooms = [];
    add(await people[0].room(people.slice(1), { name: 'everybody' }), people);
    for (const [from, to] of [[0, 4], [2, 6], [4, 8]]) {
      const some = people.slice(from, to);
      add(await some[0].room(some.slice(1), { name: `${from}-${to}` }), some);
    }
    // a channel that two steady members talk in, and that somebody else keeps coming to and leaving
    const steady = people.slice(0, 2);
    account.channel = await steady[0].room([], { kind: 'channel', name: 'in and out' });
    await steady[1].api.ok(204, 'PUT', `/rooms/${account.channel.id}/members/${steady[1].username}`);
    add(account.channel, steady);
    account.visitor = new Visitor(people.at(-1), account.channel);

    account.receivers = people.map((person, n) => new Receiver(person, n % 4 === 3 ? 'polling' : 'websocket', at(n)));
    const listening = account.receivers.map((one) => {
      const first = new Promise((done) => { one.hearFirst = done; });
      one.done = one.run();
      one.done.catch(() => {}); // it is awaited at the end
      return first;
    });
    await within(20_000, Promise.all(listening), 'all receivers to listen');
    for (const room of account.rooms) account.#starts.set(room.id, await account.#headOf(room));
    account.senders = people.slice(0, SENDERS).map((person) => new Sender(person, account.#roomsOf(person), () => {
      account.acks += 1;
      for (const look of account.#heard) look();
    }));
    return account;
  }

  #roomsOf(person) {
    return this.rooms.filter(({ id }) => this.#members.get(id).includes(person));
  }

  async #headOf(room) {
    return (await this.#members.get(room.id)[0].sees(room)).head;
  }

  /**
   * Everybody begins to talk.
   * @param {object} how
   * @param {number} [how.each]      messages of each sender; without end when absent, until `finish`
   * @param {number} how.outstanding sends that a sender does not wait for
   * @param {number} [how.pause]     milliseconds between an acknowledgement and the next send
   */
  talk(how) {
    this.sending = Promise.all(this.senders.map((one) => one.run(how)));
    this.sending.catch(() => {});
    this.visiting = this.visitor.run();
    this.visiting.catch(() => {});
  }

  /** Waits until so many sends were acknowledged since the beginning. */
  async reached(count, ms = 60_000) {
    let look;
    const enough = new Promise((done) => {
      look = () => { if (this.acks >= count) done(); };
      this.#heard.add(look);
      look();
    });
    // a sender that fails says why
    const failed = Promise.all([this.sending, this.visiting]).then(() => enough);
    await within(ms, Promise.race([enough, failed]), () => `${count} acknowledgements; there are ${this.acks}`);
    this.#heard.delete(look);
  }

  /** Waits for so many acknowledgements from now on; answers the milliseconds that it took. */
  async more(count, ms) {
    const began = performance.now();
    await this.reached(this.acks + count, ms);
    return performance.now() - began;
  }

  /** Waits until every receiver has what was acknowledged so far, and what a newer program has written. */
  async arrived(ms) {
    const newest = new Map();
    for (const rows of [...this.senders.map(({ acked }) => acked), this.#newer]) for (const { room, seq } of rows) newest.set(room, Math.max(seq, newest.get(room) ?? 0));
    await Promise.all(this.receivers.flatMap((receiver) => this.#roomsOf(receiver.person).filter(({ id }) => newest.has(id)).map(({ id }) => receiver.hasSeen(newest.get(id), id, ms))));
    await this.#haveTheirs(ms);
  }

  /** Waits until everybody has what was written for them alone. */
  async #haveTheirs(ms) {
    await Promise.all(this.receivers.map((receiver) => {
      const own = this.#newer.filter(({ to }) => to === receiver.person.username).length;
      return eventually(`${receiver.person.username} has ${own} events of their own`, () => receiver.all.filter(({ data }) => data.seq === null).length >= own, ms);
    }));
  }

  /** The members of a room who stay. */
  membersOf(room) {
    return this.#members.get(room.id);
  }

  /** Writes what only a newer program would, beside the talk (`newerRow` says what there is); from here on it is accounted for. */
  async newer(room, { to, ...what }) {
    const [row] = await this.#server.sqlBeside(newerRow(this.#server, room, { to, ...what }));
    const after = Number(row?.match(/after (\d+)$/)?.[1]);
    assert.ok(Number.isInteger(after), `a row of kind ${what.kind} was written: ${row}`);
    this.#newer.push({ room: room.id, kind: what.kind, after, seq: to ? 0 : after + 1, to: to?.username });
  }

  /** How many rows that was. */
  get newerRows() {
    return this.#newer.length;
  }

  /** What came to receivers from each process that they were sent to: name → {deliveries, unknown}, the latter of kinds that nobody knows. */
  get processes() {
    const processes = {};
    for (const { name, events } of this.receivers.flatMap(({ lives }) => lives)) {
      const counts = processes[name ?? 'the ingress'] ??= { deliveries: 0, unknown: 0 };
      counts.deliveries += events.length;
      counts.unknown += events.filter((one) => one.name === 'event').length;
    }
    return processes;
  }

  /** How much has come to each receiver so far. */
  get places() {
    return this.receivers.map(({ all }) => all.length);
  }

  /** Connections that the receivers have had. */
  get connections() {
    return this.receivers.reduce((sum, one) => sum + one.connections, 0);
  }

  get retries() {
    return this.senders.reduce((sum, one) => sum + one.retries, 0);
  }

  /** Answers that told somebody to come again. */
  get busy() {
    return [...this.senders, this.visitor].reduce((sum, one) => sum + one.line.busy, 0);
  }

  /** Everybody ends, everything arrives, and the account is checked to the last seq. Answers what was counted, in words. */
  async finish() {
    for (const sender of this.senders) sender.over = true;
    await within(90_000, this.sending, () => `the last acknowledgement after ${this.acks}`);
    this.visitor.over = true;
    await within(30_000, this.visiting, 'the last visit');
    // everything has arrived when each receiver has seen the head of each of its rooms
    for (const room of this.rooms) this.#heads.set(room.id, await this.#headOf(room));
    for (const receiver of this.receivers) for (const { id } of this.#roomsOf(receiver.person)) await receiver.hasSeen(this.#heads.get(id), id, 30_000);
    const last = this.receivers[0].of(this.channel.id).findLast(({ name, data }) => name === 'member left' && data.username === this.visitor.person.username);
    await this.receivers.at(-1).hasSeen(last.data.seq, this.channel.id, 30_000);
    await this.#haveTheirs(30_000);
    await sleep(200); // what comes doubled comes now
    for (const receiver of this.receivers) receiver.stop();
    await Promise.all(this.receivers.map((one) => one.done));

    const acked = this.#acknowledged();
    for (const receiver of this.receivers) this.#checkReceiver(receiver, acked);
    this.#checkVisitor();
    await this.#checkHistory(acked);
    const deliveries = this.receivers.reduce((sum, one) => sum + one.seen.length, 0);
    return `${this.acks} messages acknowledged, ${this.retries} sends retried by nonce, ${this.busy} answers "busy", ${deliveries} deliveries accounted for over ${this.connections} connections, ${this.visitor.times} visits`;
  }

  /** The truth according to the acknowledgements: room → seq → message. */
  #acknowledged() {
    const acked = new Map(this.rooms.map(({ id }) => [id, new Map()]));
    for (const sender of this.senders) {
      for (const message of sender.acked) {
        assert.equal(acked.get(message.room).has(message.seq), false, `seq ${message.seq} was acknowledged to two sends`);
        acked.get(message.room).set(message.seq, message);
      }
    }
    const sent = this.receivers[0].of(this.channel.id).filter(({ name }) => name === 'new message').length;
    const others = this.rooms.filter((room) => room !== this.channel).reduce((sum, { id }) => sum + this.#heads.get(id) - this.#newerOf(id).size, 0);
    assert.equal(others + sent, this.acks, 'each send is one message, whatever was retried');
    return acked;
  }

  /** What a newer program has written for all of a room: seq → kind. */
  #newerOf(room) {
    return new Map(this.#newer.filter((one) => one.room === room && !one.to).map(({ seq, kind }) => [seq, kind]));
  }

  /** By every seq that it saw. */
  #checkReceiver(receiver, acked) {
    const who = receiver.person.username;
    const seen = new Map(this.#roomsOf(receiver.person).map(({ id }) => [id, []]));
    const alone = [];
    for (const { name, data } of receiver.seen) {
      if (name === 'room created' || (receiver.person === this.visitor.person && data.room === this.channel.id)) continue;
      assert.ok(name === 'new message' || name === 'event' || data.room === this.channel.id, `${who} was sent "${name}"`);
      assert.ok(seen.has(data.room), `${who} was sent a message of a room that is not theirs`);
      const before = seen.get(data.room);
      if (data.seq === null) alone.push(`${data.kind} of ${data.room} after ${before.at(-1)?.seq ?? this.#starts.get(data.room)}`);
      else before.push(data);
    }
    const theirs = this.#newer.filter(({ to }) => to === who).map(({ kind, room, after }) => `${kind} of ${room} after ${after}`);
    assert.deepEqual(alone.sort(), theirs.sort(), `${who}: what a newer program has written for them alone, once and in its place`);
    for (const [room, messages] of seen) {
      const [start, head, newer] = [this.#starts.get(room), this.#heads.get(room), this.#newerOf(room)];
      assert.deepEqual(messages.map((one) => one.seq), Array.from({ length: head - start }, (_, n) => start + n + 1), `${who}: every seq of the room once, in order`);
      for (const message of messages) {
        assert.equal(message.kind, newer.get(message.seq), `${who}: seq ${message.seq} is of the kind that was written`);
        if (message.body === undefined) continue; // a coming, a going, or of a kind that nobody knows
        const truth = acked.get(room).get(message.seq);
        assert.equal(message.id, truth?.id, `${who}: seq ${message.seq} is the message that was acknowledged`);
        assert.equal(message.body, truth.body);
        assert.equal(message.sender, truth.sender);
        assert.equal(message.nonce, message.sender === who ? truth.nonce : undefined);
      }
    }
  }

  /** Who came and went got what was committed while a member, the own coming and going included, and nothing else. */
  #checkVisitor() {
    const inside = [];
    let isIn = false;
    for (const { name, data } of this.receivers[0].of(this.channel.id).filter((one) => one.name !== 'room created' && one.data.seq !== null)) {
      const own = data.username === this.visitor.person.username && name !== 'new message';
      if (own && name === 'member joined') isIn = true;
      if (isIn) inside.push(`${name} ${data.seq}`);
      if (own && name === 'member left') isIn = false;
    }
    assert.ok(inside.length > this.visitor.times * 2, 'something was said while the visitor was in');
    const visited = this.receivers.at(-1).of(this.channel.id);
    assert.deepEqual(visited.filter(({ name }) => name !== 'room created').map(({ name, data }) => `${name} ${data.seq}`), inside);
    visited.forEach(({ name }, n) => assert.ok(name !== 'member joined' || visited[n - 1]?.name === 'room created', 'each coming begins with room created'));
  }

  /** The history says the same. */
  async #checkHistory(acked) {
    for (const room of this.rooms) {
      const { api } = this.#members.get(room.id)[1];
      const history = [];
      for (let after = '0'; after !== null;) {
        const page = await api.ok(200, 'GET', `/rooms/${room.id}/messages?limit=100&after=${after}`);
        history.push(...page.items);
        after = page.next;
      }
      assert.deepEqual(history.map(({ id, seq }) => [id, seq]), [...acked.get(room.id).values()].sort((a, b) => a.seq - b.seq).map(({ id, seq }) => [id, seq]));
    }
  }
}
