// The promise: a message that was acknowledged is on disk, and every member gets it exactly once, in order, whatever crashes
// in between. The server is killed (kill -9) in the middle of a burst, again and again; senders retry by nonce, receivers
// resume by cursor; and at the end every receiver is held to account for every seq that it saw.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, sleep, within } from '../lib/wait.mjs';

const KILLS = 6;
const PEOPLE = 8;
const EACH = 900; // messages per sender
const OUTSTANDING = 8; // sends that a sender does not wait for

/** Keeps one socket of a person's open, through every crash, and remembers all durable events that reached it. */
class Receiver {
  constructor(person, transport) {
    this.person = person;
    this.transport = transport;
    this.seen = [];
    this.connections = 0;
    this.stopped = false;
  }

  async run() {
    while (!this.stopped) {
      const wire = this.person.wire({ auth: { token: this.person.token, ...(this.cursor ? { cursor: this.cursor } : {}) }, transport: this.transport, checked: false });
      this.wire = wire;
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
      this.seen.push(...wire.durable());
      this.cursor = wire.cursor ?? this.cursor;
      wire.close();
    }
  }

  /** Everything so far that belongs to this room. */
  of(room) {
    return [...this.seen, ...(this.stopped ? [] : this.wire.durable())].filter(({ data }) => (data.room?.id ?? data.room) === room);
  }

  stop() {
    this.stopped = true;
    this.wire.close();
  }
}

/** A line that is opened again after each crash; whoever uses it at a time uses the same one. */
class Line {
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

  /** Asks until there is an answer, however many crashes come between; answers it and how often it was asked. */
  async ask(event, request) {
    for (let tries = 1; ; tries += 1) {
      const wire = await this.open();
      const ack = await Promise.race([new Promise((done) => wire.io.emit(event, request, done)), wire.closed.then(() => undefined)]);
      if (ack !== undefined) return { ack, tries };
    }
  }
}

/** Comes into a channel and leaves it again, until it is told to stop. */
async function comeAndGo(person, channel, until) {
  const line = new Line(person);
  let times = 0;
  for (; !until.over; times += 1) {
    const joined = await line.ask('join room', { room: channel.id });
    assert.equal(joined.ack.ok, true, JSON.stringify(joined.ack));
    await sleep(15);
    const { ack, tries } = await line.ask('leave room', { room: channel.id });
    // asked again after a crash, it may have left already
    assert.ok(ack.ok || tries > 1, JSON.stringify(ack));
    await sleep(15);
  }
  return times;
}

/** Sends its messages with a few outstanding, and sends again by nonce what a crash left without an answer. */
class Sender {
  constructor(person, rooms, tally) {
    this.line = new Line(person);
    this.person = person;
    this.rooms = rooms;
    this.tally = tally;
    this.acked = [];
    this.retries = 0;
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

  async run() {
    let next = 0;
    await Promise.all(Array.from({ length: OUTSTANDING }, async () => {
      while (next < EACH) await this.send(next++);
    }));
  }
}

story('kill -9 in the middle of a burst', { timeout: 240_000 }, (it) => {
  it(`${KILLS} kills, thousands of acknowledged messages: for every receiver none is lost, doubled or out of order`, async ({ start, stage, t }) => {
    const server = await start();
    const people = await stage.peopleOn(server, ...Array.from({ length: PEOPLE }, (_, n) => `p${n}`));
    const all = await people[0].room(people.slice(1), { name: 'everybody' });
    const rooms = [all];
    const members = new Map([[all.id, people]]);
    for (const [from, to] of [[0, 4], [2, 6], [4, 8]]) {
      const some = people.slice(from, to);
      const room = await some[0].room(some.slice(1), { name: `${from}-${to}` });
      rooms.push(room);
      members.set(room.id, some);
    }
    // a channel that two steady members talk in, and that somebody else keeps coming to and leaving
    const steady = people.slice(0, 2);
    const visitor = people.at(-1);
    const channel = await steady[0].room([], { kind: 'channel', name: 'in and out' });
    await steady[1].api.ok(204, 'PUT', `/rooms/${channel.id}/members/${steady[1].username}`);
    rooms.push(channel);
    members.set(channel.id, steady);
    const roomsOf = (person) => rooms.filter(({ id }) => members.get(id).includes(person));

    const receivers = people.map((person, n) => new Receiver(person, n % 4 === 3 ? 'polling' : 'websocket'));
    const listening = receivers.map((one) => {
      const first = new Promise((done) => { one.hearFirst = done; });
      one.done = one.run();
      return first;
    });
    await within(20_000, Promise.all(listening), 'all receivers to listen');

    const headOf = async (room) => (await members.get(room.id)[0].sees(room)).head;
    const starts = new Map();
    for (const room of rooms) starts.set(room.id, await headOf(room));

    let acks = 0;
    let heard = () => {};
    const senders = people.slice(0, 6).map((person) => new Sender(person, roomsOf(person), () => {
      acks += 1;
      heard();
    }));
    const total = senders.length * EACH;
    const reached = (count) => new Promise((done) => {
      heard = () => { if (acks >= count) done(); };
      heard();
    });
    const sending = Promise.all(senders.map((one) => one.run()));
    sending.catch(() => {});
    const until = { over: false };
    const visiting = comeAndGo(visitor, channel, until);
    visiting.catch(() => {});
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await within(60_000, Promise.race([reached(Math.floor((total * kill) / (KILLS + 1))), sending]), () => `the acks before kill ${kill}: ${acks} of ${total}`);
      assert.ok(acks < total, 'there is still a burst to be killed');
      await server.kill();
      await server.start();
    }
    await within(90_000, sending, () => `all acks: ${acks} of ${total}`);
    assert.equal(acks, total);
    until.over = true;
    const visits = await within(30_000, visiting, 'the last visit');
    assert.ok(visits >= KILLS, `${visits} visits`);
    const retries = senders.reduce((sum, one) => sum + one.retries, 0);
    assert.ok(retries > 0, 'the kills met sends in flight');

    // everything has arrived when each receiver has seen the head of each of its rooms
    const heads = new Map();
    for (const room of rooms) heads.set(room.id, await headOf(room));
    for (const receiver of receivers) {
      for (const { id } of roomsOf(receiver.person)) {
        await eventually(`${receiver.person.username} has seen ${heads.get(id)} of ${id}`, () => receiver.of(id).at(-1)?.data.seq >= heads.get(id), 30_000);
      }
    }
    const lastGoing = receivers[0].of(channel.id).findLast(({ name, data }) => name === 'member left' && data.username === visitor.username).data.seq;
    await eventually('the visitor has seen the last going', () => receivers.at(-1).of(channel.id).at(-1)?.data.seq >= lastGoing, 30_000);
    await sleep(200); // what comes doubled comes now
    for (const receiver of receivers) receiver.stop();
    await Promise.all(receivers.map((one) => one.done));

    // the truth according to the acknowledgements
    const acked = new Map(rooms.map(({ id }) => [id, new Map()]));
    for (const sender of senders) {
      for (const message of sender.acked) {
        assert.equal(acked.get(message.room).has(message.seq), false, `seq ${message.seq} was acknowledged to two sends`);
        acked.get(message.room).set(message.seq, message);
      }
    }
    // per receiver, by every seq that it saw
    for (const receiver of receivers) {
      const who = receiver.person.username;
      const seen = new Map(roomsOf(receiver.person).map(({ id }) => [id, []]));
      for (const { name, data } of receiver.seen) {
        if (name === 'room created' || (receiver.person === visitor && data.room === channel.id)) continue;
        assert.ok(name === 'new message' || data.room === channel.id, `${who} was sent "${name}"`);
        assert.ok(seen.has(data.room), `${who} was sent a message of a room that is not theirs`);
        seen.get(data.room).push(data);
      }
      for (const [room, messages] of seen) {
        assert.deepEqual(messages.map((one) => one.seq), Array.from({ length: heads.get(room) - starts.get(room) }, (_, n) => starts.get(room) + n + 1), `${who}: every seq of the room once, in order`);
        for (const message of messages) {
          if (message.body === undefined) continue; // a coming or a going
          const truth = acked.get(room).get(message.seq);
          assert.equal(message.id, truth?.id, `${who}: seq ${message.seq} is the message that was acknowledged`);
          assert.equal(message.body, truth.body);
          assert.equal(message.sender, truth.sender);
          assert.equal(message.nonce, message.sender === who ? truth.nonce : undefined);
        }
      }
      assert.ok(receiver.connections >= 2, `${who} came back after the crashes`);
    }
    const sent = receivers[0].of(channel.id).filter(({ name }) => name === 'new message').length;
    const others = rooms.filter((room) => room !== channel).reduce((sum, { id }) => sum + heads.get(id), 0);
    assert.equal(others + sent, total, 'each send is one message, whatever was retried');

    // who came and went got what was committed while a member, the own coming and going included, and nothing else
    const inside = [];
    let isIn = false;
    for (const { name, data } of receivers[0].of(channel.id).filter((one) => one.name !== 'room created')) {
      const own = data.username === visitor.username && name !== 'new message';
      if (own && name === 'member joined') isIn = true;
      if (isIn) inside.push(`${name} ${data.seq}`);
      if (own && name === 'member left') isIn = false;
    }
    assert.ok(inside.length > visits * 2, 'something was said while the visitor was in');
    const visited = receivers.at(-1).of(channel.id);
    assert.deepEqual(visited.filter(({ name }) => name !== 'room created').map(({ name, data }) => `${name} ${data.seq}`), inside);
    visited.forEach(({ name }, n) => assert.ok(name !== 'member joined' || visited[n - 1]?.name === 'room created', 'each coming begins with room created'));
    // and the history says the same
    for (const room of rooms) {
      const api = members.get(room.id)[1].api;
      const history = [];
      for (let after = '0'; after !== null;) {
        const page = await api.ok(200, 'GET', `/rooms/${room.id}/messages?limit=100&after=${after}`);
        history.push(...page.items);
        after = page.next;
      }
      assert.deepEqual(history.map(({ id, seq }) => [id, seq]), [...acked.get(room.id).values()].sort((a, b) => a.seq - b.seq).map(({ id, seq }) => [id, seq]));
    }
    const end = await server.stop();
    assert.equal(end.code, 0);
    const check = server.run(['check']);
    assert.equal(check.code, 0, `guild check: ${check.text}`);
    t.diagnostic(`${total} messages acknowledged, ${retries} sends retried by nonce, ${receivers.reduce((sum, one) => sum + one.seen.length, 0)} deliveries accounted for over ${receivers.reduce((sum, one) => sum + one.connections, 0)} connections, ${visits} visits`);
  }, { timeout: 200_000 });

  it('what one kill leaves behind passes guild check, before any server has touched it again', async ({ start, stage }) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await alice.connect({ checked: false });
    let acks = 0;
    const enough = new Promise((done) => {
      pipelined(20_000, async (n) => {
        if ((await wire.ask('message', { room: room.id, body: `${n}` }, 60_000)).ok) acks += 1;
        if (acks >= 500) done();
      }).catch(() => {}); // the kill ends it
    });
    await within(30_000, enough, '500 acks');
    await server.kill();
    const check = server.run(['check']);
    assert.equal(check.code, 0, check.text);
    await server.start();
    assert.ok((await alice.sees(room)).head >= acks, `${acks} were acknowledged`);
  });
});
