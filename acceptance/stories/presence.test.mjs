// What is not in the log: typing, read marks as they move, and who is online.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, sleep } from '../lib/wait.mjs';

/** The delay after the last socket, shortened from 10 s. */
const DELAY_SECONDS = 1;

story('typing, read marks and presence', { settings: { GUILD_LIMITS_PRESENCE_SECONDS: String(DELAY_SECONDS) } }, (it) => {
  it('typing reaches the other members, never oneself, and not outsiders', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob]);
    const [mine, mineToo, theirs, stranger] = await Promise.all([alice.connect(), alice.connect(), bob.connect(), carol.connect()]);
    const ack = await mine.must('typing', { room: room.id, typing: true });
    assert.deepEqual(Object.keys(ack), ['ok']);
    assert.deepEqual(await theirs.until('typing'), { room: room.id, username: alice.username, typing: true });
    await mine.must('typing', { room: room.id, typing: false });
    await theirs.until('typing', (one) => one.typing === false);
    for (const wire of [mine, mineToo]) await wire.settled(room.id);
    await stranger.settled((await carol.room([], { name: 'own' })).id);
    for (const wire of [mine, mineToo, stranger]) assert.equal(wire.count('typing'), 0);
    for (const typing of ['yes', 1, null, undefined]) assert.equal((await mine.refused('invalid_request', 'typing', { room: room.id, typing })).field, 'typing');
  });

  it('typing is taken right after the room is there, at whichever process', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    let last;
    for (let n = 0; n < 40; n += 1) {
      // by each of the ways to get into one
      let room;
      if (n % 3 === 0) room = (await mine.must('create room', { usernames: [bob.username], name: `n ${n}` })).room;
      else if (n % 3 === 1) room = await alice.room([bob], { name: `n ${n}` });
      else {
        room = await bob.room([], { kind: 'channel', name: `n ${n}` });
        await mine.must('join room', { room: room.id });
      }
      await mine.must('typing', { room: room.id, typing: true });
      last = room;
    }
    await mine.refused('not_found', 'typing', { room: (await bob.room([], { name: 'own' })).id, typing: true });
    await theirs.settled(last.id);
    await mine.until('new message', ({ room }) => room === last.id);
    await mine.must('typing', { room: last.id, typing: false });
    await theirs.until('typing', ({ room, typing }) => room === last.id && !typing);
  });

  it('typing is taken right after joining, by who was refused a moment before', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    for (let n = 0; n < 10; n += 1) {
      const room = await bob.room([], { kind: 'channel', name: `n ${n}` });
      await mine.refused('not_found', 'typing', { room: room.id, typing: true });
      if (n % 2 === 0) await mine.must('join room', { room: room.id });
      else await alice.api.ok(204, 'PUT', `/rooms/${room.id}/members/${alice.username}`);
      await mine.must('typing', { room: room.id, typing: true });
      await theirs.until('typing', (one) => one.room === room.id && one.username === alice.username);
    }
  });

  it('typing passes at most once a second and room; more is ok and dropped; a last false passes', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [room, other] = [await alice.room([bob]), await alice.room([bob], { name: 'other' })];
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    const began = performance.now();
    for (let n = 0; n < 20; n += 1) await mine.must('typing', { room: room.id, typing: true });
    await mine.must('typing', { room: other.id, typing: true });
    await mine.must('typing', { room: room.id, typing: false });
    const took = performance.now() - began;
    await theirs.until('typing', (one) => one.room === other.id);
    await theirs.until('typing', (one) => one.room === room.id && !one.typing);
    const passed = theirs.count('typing', (one) => one.room === room.id && one.typing);
    assert.ok(passed >= 1 && passed <= 1 + Math.floor(took / 1000), `${passed} of 20 passed within ${Math.round(took)} ms`);
    await sleep(1_100);
    await mine.must('typing', { room: room.id, typing: true });
    await theirs.untilTrue('typing again a second later', () => theirs.count('typing', (one) => one.room === room.id && one.typing) > passed);
  });

  it("a read mark is told to the room's members when it moves", async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob]);
    await bob.says(room, 'x');
    await bob.says(room, 'y');
    const [mine, theirs, stranger] = await Promise.all([alice.connect(), bob.connect(), carol.connect()]);
    await alice.api.ok(200, 'PUT', `/rooms/${room.id}/read`, { seq: 1 });
    assert.deepEqual(await theirs.until('read'), { room: room.id, username: alice.username, seq: 1 });
    await mine.must('read', { room: room.id, seq: 99 });
    await theirs.until('read', (one) => one.seq === 2 && one.username === alice.username);
    await stranger.settled((await carol.room([], { name: 'own' })).id);
    assert.equal(stranger.count('read'), 0);
  });

  it('contacts hear who comes online and, once, who went offline; others do not', async ({ people }) => {
    const [alice, bob, carol, dave, erin] = await people('alice', 'bob', 'carol', 'dave', 'erin');
    await alice.room([bob]);
    await alice.room([carol], { name: 'a group' });
    const channel = await alice.room([], { kind: 'channel', name: 'town' });
    await erin.api.ok(204, 'PUT', `/rooms/${channel.id}/members/${erin.username}`);
    const [pair, mate, stranger, neighbour] = await Promise.all([bob, carol, dave, erin].map((one) => one.connect()));
    const wire = await alice.connect();
    await pair.until('user online', (one) => one.username === alice.username);
    await mate.until('user online', (one) => one.username === alice.username);
    wire.close();
    const closed = performance.now();
    const gone = await pair.until('user offline', (one) => one.username === alice.username);
    assert.deepEqual(gone, { username: alice.username });
    const took = performance.now() - closed;
    assert.ok(took > DELAY_SECONDS * 1000 - 200 && took < DELAY_SECONDS * 1000 + 4_000, `offline after ${Math.round(took)} ms`);
    await mate.until('user offline', (one) => one.username === alice.username);
    for (const other of [stranger, neighbour]) {
      assert.equal(other.count('user online', (one) => one.username === alice.username), 0, 'not to strangers, nor to those who share a channel only');
      assert.equal(other.count('user offline', (one) => one.username === alice.username), 0);
    }
    assert.equal(pair.count('user offline', (one) => one.username === alice.username), 1, 'once');
    assert.equal(pair.count('user online', (one) => one.username === alice.username), 1, 'once');
  });

  it('a reload does not flap, and several sockets of a user are one presence', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    await alice.room([bob]);
    const watcher = await bob.connect();
    const [first, second] = [await alice.connect(), await alice.connect({ transport: 'polling' })];
    await watcher.until('user online', (one) => one.username === alice.username);
    first.close();
    await sleep(DELAY_SECONDS * 1000 + 500);
    assert.equal(watcher.count('user offline'), 0, 'one socket is enough');
    second.drop();
    const again = await alice.connect();
    await sleep(DELAY_SECONDS * 1000 + 500);
    assert.equal(watcher.count('user offline'), 0, 'a reload is no absence');
    assert.equal(watcher.count('user online', (one) => one.username === alice.username), 1, 'and no news');
    again.close();
    await watcher.until('user offline', (one) => one.username === alice.username);
    await alice.connect();
    await watcher.untilTrue('online again', () => watcher.count('user online', (one) => one.username === alice.username) === 2);
  });

  it('GET /users/online lists everyone with a live, authenticated socket, by username', async ({ people, wire }) => {
    const [alice, bob, carol] = await people('online-a', 'online-b', 'online-c');
    const names = async (query = '') => {
      const found = [];
      for (let after = ''; after !== null;) {
        const page = await alice.api.ok(200, 'GET', `/users/online?limit=100${after && `&after=${encodeURIComponent(after)}`}${query}`);
        found.push(...page.items);
        after = page.next;
      }
      return found.map((one) => one.username);
    };
    const mine = [alice, bob, carol].map((one) => one.username);
    const ours = async () => (await names()).filter((one) => mine.includes(one));
    assert.deepEqual(await ours(), []);
    const unauthenticated = wire({});
    await unauthenticated.connected();
    const b = await bob.connect();
    await alice.connect();
    await eventually('both are listed, by username', async () => JSON.stringify(await ours()) === JSON.stringify([alice.username, bob.username]));
    const all = await names();
    assert.deepEqual(all, [...all].sort());
    await alice.api.refused('invalid_request', 'GET', '/users/online?limit=0');
    const page = await alice.api.ok(200, 'GET', '/users/online?limit=1');
    assert.equal(page.items.length, 1);
    assert.notEqual(page.next, null);
    b.close();
    assert.ok((await ours()).includes(bob.username), 'kept for a while past the last socket');
    await eventually('bob is gone', async () => !(await ours()).includes(bob.username));
    assert.equal((await alice.api.ok(200, 'GET', `/users/${alice.username}`)).online ?? true, true);
  });

  it('a room of more than 100 has neither typing nor read marks nor presence', async ({ start, stage }) => {
    const server = await start({ settings: { GUILD_AUTH_MODE: 'open', GUILD_LIMITS_ROOM_USERNAMES: '0', GUILD_LIMITS_PRESENCE_SECONDS: '1' } });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const crowd = await pipelined(99, async (n) => (await alice.api.as(undefined).ok(201, 'POST', '/users/login', { username: `crowd-${n}` })).user.username, 10);
    const hundred = await alice.room([bob, ...crowd.slice(0, 98)], { name: 'a hundred' });
    const larger = await alice.room([bob, ...crowd], { name: 'a hundred and one' });
    assert.deepEqual([hundred.member_count, larger.member_count], [100, 101]);
    await bob.says(hundred, 'x');
    await bob.says(larger, 'x');
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    for (const room of [larger, hundred]) {
      await mine.must('typing', { room: room.id, typing: true });
      await mine.must('read', { room: room.id, seq: 1 });
    }
    await theirs.until('typing', (one) => one.room === hundred.id);
    await theirs.until('read', (one) => one.room === hundred.id);
    await mine.settled(larger.id);
    assert.equal(theirs.count('typing', (one) => one.room === larger.id), 0);
    assert.equal(theirs.count('read', (one) => one.room === larger.id), 0);
    assert.equal((await alice.sees(larger)).unread, 0, 'the mark moved all the same');
  });

  it('who is gone when the server dies is not online after its restart', async ({ start, stage }) => {
    const server = await start({ settings: { GUILD_LIMITS_PRESENCE_SECONDS: '1' } });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    await Promise.all([alice.connect(), bob.connect()]);
    await eventually('two are online', async () => (await alice.api.ok(200, 'GET', '/users/online')).items.length === 2);
    await server.kill();
    await server.start();
    await alice.connect();
    await eventually('only alice is online', async () => {
      const { items } = await alice.api.ok(200, 'GET', '/users/online');
      return items.length === 1 && items[0].username === alice.username;
    }, 25_000);
  });
});
