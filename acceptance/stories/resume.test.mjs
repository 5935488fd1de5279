// Coming back: a client that reconnects with the last cursor it saw gets exactly what it missed, in order, before `ready`,
// and nothing twice. What cannot be replayed is said by `resync`, never by silence.

import assert from 'node:assert/strict';
import { assertInOrder, assertInTimeOrder, comparable, DURABLE } from '../lib/sockets.mjs';
import { story } from '../lib/story.mjs';
import { laterMillisecond, pipelined } from '../lib/wait.mjs';

/** An event without its cursor and without what depends on the moment. */
const told = ({ name, data }) => (name === 'room created' ? `room created ${data.room.id}` : `${name} ${data.room} ${data.seq}`);

/** What came before `ready`. */
const replay = (wire) => wire.events.slice(0, wire.events.findIndex((one) => one.name === 'ready'));

story('resume', { timeout: 180_000 }, (it) => {
  it('after a dropped line nothing is missed and nothing comes twice, and all of it before ready', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'line' });
    const [sender, first] = await Promise.all([alice.connect(), bob.connect()]);
    for (let n = 1; n <= 10; n += 1) await sender.must('message', { room: room.id, body: String(n) });
    await first.until('new message', ({ seq }) => seq === 10);
    await first.drop();
    for (let n = 11; n <= 20; n += 1) await sender.must('message', { room: room.id, body: String(n) });
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'renamed' });
    await laterMillisecond();
    const other = await alice.room([bob], { name: 'made meanwhile' });
    await sender.must('message', { room: other.id, body: 'there' });
    for (const transport of ['websocket', 'polling', 'upgrade']) {
      const second = await bob.connect({ cursor: first.cursor, transport });
      assert.equal(second.all('ready')[0].resumed, true);
      const missed = replay(second);
      assert.deepEqual(missed.map(({ name, data }) => [name, data.seq ?? data.room.name]), [
        ...Array.from({ length: 10 }, (_, n) => ['new message', n + 11]),
        ['room updated', 21], ['room created', 'made meanwhile'], ['new message', 1],
      ]);
      assertInOrder(missed, { [room.id]: 10, [other.id]: 0 });
      assert.equal(missed.at(-1).data.cursor !== first.cursor, true);
    }
    const third = await bob.connect({ cursor: first.cursor });
    await sender.must('message', { room: room.id, body: 'live' });
    await third.until('new message', ({ body }) => body === 'live');
    assertInOrder(third.durable(), { [room.id]: 10, [other.id]: 0 });
    assert.equal(third.durable().length, 14);
    const upToDate = await bob.connect({ cursor: third.cursor });
    assert.equal(upToDate.all('ready')[0].resumed, true);
    assert.equal(upToDate.durable().length, 0, 'who missed nothing gets nothing');
  });

  it('authenticate takes a cursor too, and so does the cursor of ready', async ({ people, wire }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const { cursor } = (await bob.connect()).all('ready')[0];
    await alice.says(room, 'x');
    const later = wire({});
    await later.connected();
    await later.must('authenticate', { token: bob.token, cursor });
    assert.equal((await later.until('ready')).resumed, true);
    assert.deepEqual(replay(later).map(told), [`new message ${room.id} 1`]);
    assert.notEqual(later.all('ready')[0].cursor, cursor);
    const end = await bob.connect({ cursor: later.all('ready')[0].cursor });
    assert.equal(end.durable().length, 0);
  });

  it('every cursor of a stream over several rooms is a place to resume from', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const [owner, other, watcher] = await Promise.all([alice.connect(), carol.connect(), bob.connect()]);
    const rooms = [];
    for (const name of ['a', 'b', 'c']) rooms.push((await owner.must('create room', { usernames: [bob.username, carol.username], name })).room);
    await Promise.all([owner, other].flatMap((wire, w) => Array.from({ length: 30 }, (_, n) => wire.must('message', { room: rooms[(n + w) % 3].id, body: `${w} ${n}` }))));
    await alice.api.ok(204, 'DELETE', `/rooms/${rooms[1].id}/members/${carol.username}`);
    await owner.must('message', { room: rooms[1].id, body: 'after' });
    await owner.must('create room', { usernames: [bob.username] });
    await owner.must('message', { room: rooms[2].id, body: 'last' });
    await watcher.untilTrue('everything', () => watcher.durable().length >= 3 + 60 + 4);
    const stream = watcher.durable();
    assert.equal(stream.length, 3 + 60 + 4);
    const cursors = [watcher.all('ready')[0].cursor, ...stream.map(({ data }) => data.cursor)];
    const places = [0, 1, 2, 3, 4, 17, 31, 32, 33, 50, 62, 63, 64, 65, 66, 67];
    await Promise.all(places.map(async (place) => {
      const again = await bob.connect({ cursor: cursors[place] });
      assert.deepEqual(comparable(replay(again)).map(told), comparable(stream.slice(place)).map(told), `resumed after ${place} events`);
      assertInTimeOrder(replay(again));
      assert.equal(again.all('ready')[0].resumed, true);
      again.close();
    }));
  });

  it('a replay over many rooms comes in the order of commits', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const first = await bob.connect();
    const { cursor } = first.all('ready')[0];
    await first.drop();
    const expected = [];
    const rooms = [];
    // enough for every partition that there may be
    for (let n = 0; n < 8; n += 1) {
      await laterMillisecond();
      rooms.push(await alice.room([bob], { name: String(n) }));
      expected.push(`room created ${rooms.at(-1).id}`);
    }
    const sender = await alice.connect();
    const seqs = rooms.map(() => 0);
    for (let n = 0; n < 60; n += 1) {
      const at = (n * 5 + Math.floor(n / 8)) % rooms.length;
      await laterMillisecond();
      await sender.must('message', { room: rooms[at].id, body: String(n) });
      seqs[at] += 1;
      expected.push(`new message ${rooms[at].id} ${seqs[at]}`);
    }
    await Promise.all(['websocket', 'polling'].map(async (transport) => {
      const again = await bob.connect({ cursor, transport });
      assert.deepEqual(replay(again).map(told), expected);
    }));
  });

  it('every cursor of a replay over many rooms is a place to resume from', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const first = await bob.connect();
    const { cursor } = first.all('ready')[0];
    await first.drop();
    const rooms = [];
    for (let n = 0; n < 8; n += 1) rooms.push(await alice.room([bob], { name: String(n) }));
    const sender = await alice.connect({ checked: false });
    // several pages of the log, and many of the same millisecond
    await pipelined(700, (n) => sender.must('message', { room: rooms[(n * 7 + Math.floor(n / 3)) % rooms.length].id, body: String(n) }, 30_000));
    const whole = replay(await bob.connect({ cursor, checked: false }));
    assert.equal(whole.length, 708);
    assertInTimeOrder(whole);
    assertInOrder(whole, Object.fromEntries(rooms.map(({ id }) => [id, 0])));
    const places = [1, 2, 3, 5, 8, 9, 50, 121, 198, 199, 200, 201, 202, 333, 399, 400, 401, 555, 599, 600, 601, 706, 707, 708];
    await pipelined(places.length, async (n) => {
      const again = await bob.connect({ cursor: whole[places[n] - 1].data.cursor, checked: false });
      assert.equal(again.all('ready')[0].resumed, true);
      assert.deepEqual(replay(again).map(told), whole.slice(places[n]).map(told), `resumed after ${places[n]} events`);
      again.close();
    }, 6);
  });

  it("one's own leaving is in the replay, and nothing after it", async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'left' });
    const first = await bob.connect();
    await alice.says(room, 'before');
    await first.until('new message');
    await first.drop();
    await alice.says(room, 'missed');
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${bob.username}`);
    await alice.says(room, 'not for bob');
    const again = await bob.connect({ cursor: first.cursor });
    assert.deepEqual(replay(again).map(told), [`new message ${room.id} 2`, `member left ${room.id} 3`]);
    assert.equal(again.durable()[1].data.username, bob.username);
  });

  it('who joins, leaves and joins again gets what was committed while a member', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([], { kind: 'channel', name: 'in and out' });
    const first = await bob.connect();
    const { cursor } = first.all('ready')[0];
    await first.drop();
    const member = `/rooms/${room.id}/members/${bob.username}`;
    await alice.says(room, '1: outside');
    await bob.api.ok(204, 'PUT', member); // 2
    await alice.says(room, '3: inside');
    await bob.api.ok(204, 'DELETE', member); // 4
    await alice.says(room, '5: outside');
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: '6: outside' });
    await bob.api.ok(204, 'PUT', member); // 7
    await alice.says(room, '8: inside');
    await bob.api.ok(204, 'DELETE', member); // 9
    await alice.says(room, '10: outside');
    const again = await bob.connect({ cursor });
    assert.deepEqual(replay(again).map(told), [
      `room created ${room.id}`, `member joined ${room.id} 2`, `new message ${room.id} 3`, `member left ${room.id} 4`,
      `room created ${room.id}`, `member joined ${room.id} 7`, `new message ${room.id} 8`, `member left ${room.id} 9`,
    ]);
    await bob.api.refused('forbidden', 'GET', `/rooms/${room.id}/messages`);
  });

  it("whoever presents a cursor, a replay holds only what is theirs", async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const [shared, secret] = [await alice.room([bob, carol]), await alice.room([bob], { name: 'secret' })];
    const wire = await bob.connect();
    await alice.says(secret, 'for bob');
    await alice.says(shared, 'for both');
    await wire.until('new message', ({ body }) => body === 'for both');
    const thief = await carol.connect({ cursor: wire.all('ready')[0].cursor });
    assert.deepEqual(replay(thief).map(told), [`new message ${shared.id} 1`]);
    assert.equal(thief.count('new message', ({ body }) => body === 'for bob'), 0);
  });

  it('a nonce is replayed to its sender only', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const [a, b] = await Promise.all([alice.connect(), bob.connect()]);
    await alice.says(room, 'x', 'my key');
    const [mine, theirs] = await Promise.all([alice.connect({ cursor: a.all('ready')[0].cursor }), bob.connect({ cursor: b.all('ready')[0].cursor })]);
    assert.equal(mine.durable()[0].data.nonce, 'my key');
    assert.equal('nonce' in theirs.durable()[0].data, false);
  });

  it('a malformed cursor, or one of another database, is answered by resync with every head', async ({ people, wire, start, stage }) => {
    const [alice, bob] = await people('alice', 'bob');
    const rooms = [await alice.room([bob]), await alice.room([bob], { name: 'two' })];
    await alice.says(rooms[0], 'x');
    await alice.says(rooms[0], 'y');
    const elsewhere = await start();
    const [stranger] = await stage.peopleOn(elsewhere, 'stranger');
    const foreign = (await stranger.connect()).cursor;
    const live = (await bob.connect()).cursor;
    for (const cursor of ['', 'nonsense', foreign, `${live}0000000`, `x${live}`, '{}', 'x'.repeat(4000)]) {
      const again = await bob.connect({ cursor });
      assert.deepEqual(again.events.slice(0, 2).map((one) => one.name), ['resync', 'ready'], `cursor ${cursor.slice(0, 50)}: ${again.told()}`);
      const { rooms: heads, cursor: from } = again.all('resync')[0];
      assert.deepEqual(heads.map(({ id, head }) => [id, head]).sort(), [[rooms[0].id, 2], [rooms[1].id, 0]].sort());
      assert.equal(again.all('ready')[0].resumed, false);
      const resumed = await bob.connect({ cursor: from });
      assert.equal(resumed.all('ready')[0].resumed, true);
      assert.equal(resumed.durable().length, 0, 'the cursor of resync is one to resume from');
      again.close();
      resumed.close();
    }
    const later = wire({});
    await later.connected();
    await later.must('authenticate', { token: bob.token, cursor: 'nonsense' });
    await later.until('resync');
    assert.equal((await later.until('ready')).resumed, false);
  });

  it('a cursor of another type is refused or answered by resync, never taken', async ({ people, wire }) => {
    const [alice] = await people('alice');
    for (const cursor of [5, {}, ['x'], true]) {
      const socket = wire({ auth: { token: alice.token, cursor } });
      try {
        await socket.connected();
        await socket.until('resync');
      } catch (error) {
        assert.equal(error.data?.code, 'invalid_request', `${JSON.stringify(cursor)}: ${error.message}`);
      }
    }
  });

  it("further back than 5,000 of one's own events is answered by resync; 5,000 are replayed; those of others do not count", async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob]);
    const elsewhere = await alice.room([carol]);
    const start = (await bob.connect()).all('ready')[0].cursor;
    const sender = await alice.connect({ checked: false });
    const flood = (to, count) => pipelined(count, (n) => sender.must('message', { room: to, body: String(n) }, 30_000), 25);
    await Promise.all([flood(room.id, 5000), flood(elsewhere.id, 500)]);
    const all = await bob.connect({ cursor: start, checked: false, ms: 30_000 });
    assert.equal(all.all('ready')[0].resumed, true);
    assert.equal(replay(all).length, 5000);
    assertInOrder(replay(all), { [room.id]: 0 });
    await sender.must('message', { room: room.id, body: 'one too many' });
    const late = await bob.connect({ cursor: start, checked: false });
    assert.deepEqual(late.events.map((one) => one.name).filter((name) => DURABLE.includes(name) || name === 'resync'), ['resync']);
    assert.equal(late.all('resync')[0].rooms.find(({ id }) => id === room.id).head, 5001);
    assert.equal(late.all('ready')[0].resumed, false);
    await sender.must('message', { room: room.id, body: 'and on' });
    assert.equal((await late.until('new message')).seq, 5002, 'and it goes on live');
  });

  it('a replay never races with live events: resuming again and again under full speed', async ({ people }) => {
    const senders = await people('sender', 'sender', 'sender');
    const [reader] = await people('reader');
    const rooms = [];
    for (const name of ['a', 'b', 'c', 'd']) rooms.push(await senders[0].room([reader, ...senders.slice(1)], { name }));
    const wires = await Promise.all(senders.map((one) => one.connect({ checked: false })));
    const steady = await reader.connect({ checked: false });
    let running = true;
    let sent = 0;
    const sending = wires.map(async (wire, w) => {
      for (let n = 0; running; n += 1) {
        await Promise.all([0, 1, 2, 3].map((k) => wire.must('message', { room: rooms[(n + k + w) % 4].id, body: 'x' }, 30_000)));
        sent += 4;
      }
    });
    let cursor = steady.all('ready')[0].cursor;
    const seen = [];
    for (let round = 0; round < 25; round += 1) {
      const wire = await reader.connect({ cursor, checked: false, transport: round % 5 === 4 ? 'polling' : 'websocket' });
      assert.equal(wire.all('ready')[0].resumed, true);
      const enough = wire.events.length + 20 + round * 3;
      await wire.untilTrue('a few live events', () => wire.events.length > enough);
      await wire.drop();
      seen.push(...wire.durable());
      cursor = wire.cursor;
    }
    running = false;
    await Promise.all(sending);
    const last = await reader.connect({ cursor, checked: false });
    seen.push(...last.durable());
    await steady.untilTrue('everything sent', () => steady.durable().length === sent);
    assertInOrder(seen, Object.fromEntries(rooms.map(({ id }) => [id, 0])));
    assert.equal(seen.length, sent, 'each event once over all connections');
    assert.deepEqual(comparable(seen).map(told), comparable(steady.durable()).map(told), 'in the order that a steady connection saw');
  });

  it('a room that one is added to during the replay is not missed', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const big = await alice.room([bob]);
    const [wire, first] = await Promise.all([alice.connect({ checked: false }), bob.connect()]);
    const { cursor } = first.all('ready')[0];
    await first.drop();
    await pipelined(2000, (n) => wire.must('message', { room: big.id, body: `${n} ${'x'.repeat(500)}` }, 30_000));
    const again = bob.wire({ auth: { token: bob.token, cursor }, checked: false });
    await again.connected();
    const made = [];
    for (let n = 0; n < 10; n += 1) {
      const { room } = await wire.must('create room', { usernames: [bob.username], name: `during ${n}` });
      await wire.must('message', { room: room.id, body: 'hello' });
      made.push(room.id);
    }
    await again.ready();
    await again.until('new message', ({ room }) => room === made.at(-1));
    assertInOrder(again.durable(), { [big.id]: 0, ...Object.fromEntries(made.map((id) => [id, 0])) });
    assert.equal(again.durable().length, 2000 + 20);
    for (const id of made) {
      const own = again.durable((data, name) => (name === 'room created' ? data.room.id : data.room) === id);
      assert.deepEqual(own.map((one) => one.name), ['room created', 'new message']);
    }
  });

  for (const client of [4, 3]) {
    it(`a stock client ${client} that reconnects by itself comes back after a stop and after kill -9, and has missed nothing`, async ({ start, stage }) => {
      const server = await start();
      const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
      const room = await alice.room([bob]);
      let wire;
      wire = bob.wire({ client, auth: (give) => give({ token: bob.token, cursor: wire?.cursor }), extra: { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 } });
      await wire.ready();
      let seq = 0;
      for (const end of ['stop', 'kill', 'stop']) {
        await alice.says(room, `before ${end}`);
        seq += 1;
        await wire.until('new message', (one) => one.seq === seq);
        await server[end]();
        await server.start();
        await alice.says(room, `after ${end}`);
        seq += 1;
        await wire.until('new message', (one) => one.seq === seq, 15_000);
      }
      assertInOrder(wire.durable(), { [room.id]: 0 });
      assert.equal(wire.count('new message'), seq, 'each once, over all connections');
      assert.deepEqual(wire.all('ready').map((one) => one.resumed), [false, true, true, true]);
    });
  }

  it('cursors outlive a restart of the server, graceful or not', async ({ start, stage }) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    const first = await bob.connect();
    await alice.says(room, 'one');
    await first.until('new message');
    await server.stop();
    await server.start();
    await alice.says(room, 'two');
    const second = await bob.connect({ cursor: first.cursor });
    assert.deepEqual(second.durable().map(({ data }) => data.body), ['two']);
    await server.kill();
    await server.start();
    await alice.says(room, 'three');
    assert.deepEqual((await bob.connect({ cursor: first.cursor })).durable().map(({ data }) => data.body), ['two', 'three']);
    assert.deepEqual((await bob.connect({ cursor: second.cursor })).durable().map(({ data }) => data.body), ['three']);
  });
});
