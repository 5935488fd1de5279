// Somebody with an ordinary client, who shows what it is told and does what docs/clients.md says: it comes back by itself with the
// last cursor that it saw, and after `resync` fetches its rooms and their history anew. What it shows at the end is compared with what
// the service answers then.

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { DURABLE } from './sockets.mjs';
import { eventually, sleep, SOON_MS } from './wait.mjs';

/** How soon the client comes back. */
const BACK = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 300 };

/** All of a list; `after` is where it begins, if it does not begin at the beginning by itself. */
async function everything(api, path, after = '') {
  const items = [];
  for (let next = after; next !== null;) {
    const page = await api.ok(200, 'GET', `${path}?limit=100${next && `&after=${encodeURIComponent(next)}`}`);
    items.push(...page.items);
    next = page.next;
  }
  return items;
}

const line = ({ seq, id, sender, body }) => `${seq} ${sender}: ${body} (${id})`;

/** A room as a member sees it: its head, name, members and messages, up to a seq. */
async function fetched(api, id, head = Infinity) {
  const room = await api.ok(200, 'GET', `/rooms/${id}`);
  const last = Math.min(head, room.head);
  return {
    last,
    name: room.name,
    members: new Set((await everything(api, `/rooms/${id}/members`)).map(({ username }) => username)),
    messages: new Map((await everything(api, `/rooms/${id}/messages`, '0')).filter(({ seq }) => seq <= last).map((one) => [one.seq, line(one)])),
  };
}

const plain = (rooms) => Object.fromEntries([...rooms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, { last, name, members, messages }]) => [
  id, { head: last, name, members: [...members].sort(), messages: [...messages].sort(([a], [b]) => a - b).map(([, text]) => text) },
]));

/** What the service shows this person now. */
export async function truthFor(person) {
  const mine = await everything(person.api, '/users/me/rooms');
  return plain(new Map(await Promise.all(mine.map(async ({ id }) => [id, await fetched(person.api, id)]))));
}

/** In which rooms, and how, what is shown is not what is true. */
function differences(shown, truth) {
  const told = [];
  for (const id of new Set([...Object.keys(shown), ...Object.keys(truth)])) {
    const [have, want] = [shown[id], truth[id]];
    if (isDeepStrictEqual(have, want)) continue;
    if (!have || !want) {
      told.push(`room ${(have ?? want).name} (${id}) is ${have ? 'shown, and is not there' : 'there, and is not shown'}`);
      continue;
    }
    const less = want.messages.filter((one) => !have.messages.includes(one));
    const more = have.messages.filter((one) => !want.messages.includes(one));
    const some = (lines) => `${lines.length}${lines.length ? ` (${lines.slice(0, 2).join(', ')}${lines.length > 2 ? ', …' : ''})` : ''}`;
    told.push(`room ${want.name}: head ${have.head} for ${want.head}, name ${have.name}, members ${have.members} for ${want.members}, messages hidden: ${some(less)}, messages that are not there: ${some(more)}`);
  }
  return told;
}

export class Follower {
  /** What a client should never be told, in words. */
  faults = [];
  /** `resumed` of each `ready`. */
  resumed = [];
  resyncs = 0;
  /** Answers that told it to come again. */
  busy = 0;
  #work = Promise.resolve();
  #fetched = false;

  /**
   * @param {Person} person
   * @param {string} at the address of the gateway
   */
  constructor(person, at) {
    this.person = person;
    this.at = at;
    this.rooms = new Map();
  }

  get name() {
    return this.person.username;
  }

  /** Connects, or comes back after `leave`, to any gateway, with the last cursor and all that it showed. */
  async connect(at = this.at) {
    this.at = at;
    let wire;
    const auth = (give) => give({ token: this.person.token, cursor: wire?.cursor ?? this.cursor });
    wire = this.person.wire({ at, auth, extra: BACK });
    this.wire = wire;
    wire.io.onAny((name, data) => {
      this.#work = this.#work.then(() => this.#take(name, data)).catch((error) => this.faults.push(`"${name}" could not be taken: ${error.stack}`));
    });
    await wire.ready(SOON_MS * 2);
    await this.#work;
    return this;
  }

  /** Goes without a word. */
  async leave() {
    await this.#work;
    this.cursor = this.wire.cursor;
    this.wire.close();
  }

  async #take(name, data) {
    if (name === 'resync') {
      this.resyncs += 1;
      this.resyncAt = performance.now();
      this.#fetched = true;
      await this.#fetch(data.rooms);
    } else if (name === 'ready') {
      this.resumed.push(data.resumed);
      if (!data.resumed && !this.#fetched) await this.#fetch(await everything(this.person.api, '/users/me/rooms'));
      this.#fetched = false;
    } else if (name === 'room created') {
      // in a room that is not new, what comes next tells the place at which one came
      this.rooms.set(data.room.id, { last: data.room.head === 0 ? 0 : undefined, name: data.room.name, members: new Set(data.room.usernames ?? []), messages: new Map() });
    } else if (DURABLE.includes(name)) {
      await this.#append(name, data);
    }
  }

  /** Forgets everything and fetches these rooms, up to these heads; what is after them will be told. */
  async #fetch(heads) {
    const rooms = await eventually('the rooms can be fetched', () => Promise.all(heads.map(async ({ id, head }) => [id, await fetched(this.person.api, id, head)])), SOON_MS, 100);
    this.rooms = new Map(rooms);
  }

  async #append(name, data) {
    const room = this.rooms.get(data.room);
    if (!room) {
      this.faults.push(`was told "${name}" ${data.seq} of room ${data.room}, which it is not in`);
      return;
    }
    if (room.last === undefined) Object.assign(room, await fetched(this.person.api, data.room, data.seq - 1));
    if (data.seq !== room.last + 1) this.faults.push(`was told "${name}" ${data.seq} of room ${room.name} after ${room.last}${name === 'new message' ? `: ${data.body}` : ''}`);
    room.last = data.seq;
    if (name === 'new message') room.messages.set(data.seq, line(data));
    if (name === 'room updated') room.name = data.name;
    if (name === 'member joined') room.members.add(data.username);
    if (name === 'member left') room.members.delete(data.username);
    if (name === 'member left' && data.username === this.name) this.rooms.delete(data.room);
  }

  /** What it shows now. */
  get shown() {
    return plain(this.rooms);
  }

  /** Waits until it shows what is true; answers what is wrong then, and whatever it was told that cannot be. */
  async wrong(ms) {
    const truth = await truthFor(this.person);
    const end = performance.now() + ms;
    let told;
    do {
      await this.#work;
      told = differences(this.shown, truth);
      if (told.length) await sleep(50);
    } while (told.length && performance.now() < end);
    const how = `${this.name} (${this.wire.io.connected ? 'connected' : 'not connected'}, resync ${this.resyncs} times, resumed ${this.resumed})`;
    return [...this.faults, ...told].map((one) => `${how}: ${one}`);
  }

  /** Emits until there is an answer other than `busy`, also over a cut line, with what does not happen twice. */
  async asks(name, request, ms = 30_000) {
    const end = performance.now() + ms;
    for (;;) {
      await eventually(`${this.name} is connected`, () => this.wire.io.connected, ms);
      const cut = this.wire.closed.then(() => undefined);
      const ack = await Promise.race([this.wire.ask(name, request, ms), cut]);
      if (ack !== undefined && ack.error?.code !== 'busy') return ack;
      if (ack) this.busy += 1;
      if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for an answer to "${name}"; the last was ${JSON.stringify(ack)}`);
      await sleep(50);
    }
  }

  /** Says something in a room; answers the message. The same nonce says it once. */
  async says(room, body, nonce = body) {
    const ack = await this.asks('message', { room: room.id, body, nonce });
    assert.equal(ack.ok, true, `${this.name}: ${body}: ${JSON.stringify(ack)}`);
    return ack.message;
  }
}

/** Fails unless all of them show what is true before long, and were never told anything else. Nobody may say anything meanwhile. */
export async function allRight(followers, ms = SOON_MS) {
  assert.deepEqual((await Promise.all(followers.map((one) => one.wrong(ms)))).flat(), [], `what is shown ${ms} ms after the last word`);
}
