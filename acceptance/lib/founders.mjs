// People who keep creating rooms while processes come and go: the same room is asked for twice at the same moment, at two messages processes,
// and is created once. Its members hear of it once.

import assert from 'node:assert/strict';
import { Api } from './http.mjs';
import { Receiver } from './talkers.mjs';
import { eventually, sleep } from './wait.mjs';

const PEOPLE = 8;
/** How often. There are 28 pairs, so new ones last for half a minute. */
const PAUSE_MS = 200;
const PAIR_EVERY = 4;

export class Founders {
  over = false;
  busy = 0;
  asked = 0;
  /** Room id → usernames of its members. */
  rooms = new Map();

  /**
   * @param {Stage} stage
   * @param {Server} server in shape `apart`
   * @param {(n: number) => (() => {url: string, name: string}) | undefined} at to which process the socket of person n goes
   */
  static async open(stage, server, at) {
    const founders = new Founders();
    founders.instances = server.of('messages');
    founders.people = await stage.peopleOn(server, ...Array.from({ length: PEOPLE }, (_, n) => `f${n}`));
    founders.receivers = founders.people.map((person, n) => new Receiver(person, 'websocket', at(n)));
    for (const one of founders.receivers) {
      one.done = one.run();
      one.done.catch(() => {}); // it is awaited at the end
    }
    await Promise.all(founders.receivers.map((one) => new Promise((done) => { one.hearFirst = done; })));
    return founders;
  }

  begin() {
    this.running = this.#run();
    this.running.catch(() => {});
  }

  async #run() {
    const pairs = this.people.flatMap((one, n) => this.people.slice(n + 1).map((other) => [one, other]));
    for (let n = 0; !this.over; n += 1) {
      if (n % PAIR_EVERY) {
        const [one, other] = [this.people[n % PEOPLE], this.people[(n + 1) % PEOPLE]];
        const room = { usernames: [other.username], name: `room ${n}`, nonce: `r-${n}` };
        await this.#same([one, other], (at) => this.#ask(at, one, room), true);
      } else {
        const turn = n / PAIR_EVERY;
        const pair = pairs[turn % pairs.length];
        await this.#same(pair, (at) => this.#ask(at, pair[at], { usernames: [pair[1 - at].username] }), turn < pairs.length);
      }
      await sleep(PAUSE_MS);
    }
  }

  /** Asks twice at the same moment; it is one room, and one of both has created it where it `isNew`. */
  async #same(members, ask, isNew) {
    const [one, other] = await Promise.all([ask(0), ask(1)]);
    this.asked += 2;
    assert.equal(one.body.id, other.body.id, 'what was asked for twice is one room');
    const created = [one, other].filter(({ status }) => status === 201).length;
    // whoever asks again after a lost answer may have created it the first time
    if (one.tries + other.tries === 2) assert.equal(created, isNew ? 1 : 0, 'a room is created once');
    assert.ok(created <= 1, 'a room is created once');
    this.rooms.set(one.body.id, members.map(({ username }) => username));
  }

  /** Asks the process of this number, or another one while it is away, until there is an answer other than `busy`. */
  async #ask(at, person, room) {
    for (let tries = 1; ; tries += 1) {
      const instance = [this.instances[at], ...this.instances].find(({ alive }) => alive);
      try {
        const answer = await new Api({ url: instance.url, checked: false }, person.token).post('/rooms', room);
        if (answer.status !== 503) {
          assert.ok(answer.status === 201 || answer.status === 200, `POST /rooms at ${instance.name}: ${answer.status} ${answer.text}`);
          return { ...answer, tries };
        }
        this.busy += 1;
      } catch (error) {
        if (error.code === 'ERR_ASSERTION') throw error;
      }
      await sleep(50);
    }
  }

  /** Ends, and checks that each member has heard of each room once. Answers what was counted, in words. */
  async finish() {
    this.over = true;
    await this.running;
    for (const receiver of this.receivers) {
      const theirs = [...this.rooms].filter(([, members]) => members.includes(receiver.person.username)).map(([id]) => id);
      const heard = () => receiver.all.filter(({ name }) => name === 'room created').map(({ data }) => data.room.id);
      await eventually(`${receiver.person.username} has heard of ${theirs.length} rooms`, () => heard().length >= theirs.length);
      assert.deepEqual(heard().sort(), theirs.sort(), `${receiver.person.username}: each room once`);
    }
    for (const receiver of this.receivers) receiver.stop();
    await Promise.all(this.receivers.map(({ done }) => done));
    return `${this.rooms.size} rooms created by ${this.asked} calls, two at a time at two processes, ${this.busy} answers "busy"`;
  }
}
