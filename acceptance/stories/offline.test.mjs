// What a client emits while its line is down: what docs/clients.md warns of, and that each of its advices holds with the stock clients.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { story } from '../lib/story.mjs';
import { within } from '../lib/wait.mjs';

/** Comes back as a stock client does, only sooner. */
const RECONNECTS = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 };

/** A wire that shows no token with the connection, and says who it is in its `connect` handler, as the seed's client does. */
async function bySaying(person, client) {
  const wire = person.wire({ client, extra: RECONNECTS });
  wire.io.on('connect', () => wire.io.emit('authenticate', { token: person.token, ...(wire.cursor ? { cursor: wire.cursor } : {}) }));
  await wire.until('ready');
  return wire;
}

const readyAgain = (wire) => wire.untilTrue('a second ready', () => wire.count('ready') >= 2, 15_000);

/** Emits with a callback; answers what that is called with. */
const asked = (io, name, request) => new Promise((done) => io.emit(name, request, (...args) => done(args.length === 1 ? args[0] : args)));

/** The bodies of a room, in order. */
async function bodies(person, room) {
  const found = [];
  for (let after = 0; after !== null;) {
    const page = await person.api.ok(200, 'GET', `/rooms/${room.id}/messages?limit=100&after=${after}`);
    found.push(...page.items.map((one) => one.body));
    after = page.next;
  }
  return found;
}

story('what is emitted while the line is down', {}, (it) => {
  it('comes before an authenticate in the connect handler, and is refused or lost (socket.io-client 4)', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await bySaying(alice, 4);
    await wire.drop();
    const refused = asked(wire.io, 'message', { room: room.id, body: 'asked' });
    wire.io.emit('message', { room: room.id, body: 'not asked' });
    assert.equal((await within(15_000, refused, 'an answer')).error?.code, 'unauthenticated');
    await readyAgain(wire);
    await wire.settled(room.id);
    assert.deepEqual(await bodies(alice, room), ['settled']);
  });

  it('comes after it with socket.io-client 3', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await bySaying(alice, 3);
    await wire.drop();
    const answer = asked(wire.io, 'message', { room: room.id, body: 'asked' });
    wire.io.emit('message', { room: room.id, body: 'not asked' });
    assert.equal((await within(15_000, answer, 'an answer')).ok, true);
    await readyAgain(wire);
    await wire.settled(room.id);
    assert.deepEqual(await bodies(alice, room), ['asked', 'not asked', 'settled']);
  });

  it('arrives, once and in order, where the token is in auth', async ({ people }) => {
    for (const client of [4, 3]) {
      const [alice, bob] = await people('alice', 'bob');
      const room = await alice.room([bob]);
      const wire = alice.wire({ client, auth: (send) => send({ token: alice.token, ...(wire?.cursor ? { cursor: wire.cursor } : {}) }), extra: RECONNECTS });
      await wire.until('ready');
      await wire.drop();
      const sent = Array.from({ length: 20 }, (_, n) => String(n));
      const answers = sent.map((body) => asked(wire.io, 'message', { room: room.id, body, nonce: randomUUID() }));
      wire.io.emit('message', { room: room.id, body: 'not asked' });
      for (const answer of await within(15_000, Promise.all(answers), 'the answers')) assert.equal(answer.ok, true, JSON.stringify(answer));
      await readyAgain(wire);
      await wire.settled(room.id);
      assert.deepEqual(await bodies(alice, room), [...sent, 'not asked', 'settled'], `client ${client}`);
    }
  });

  it('is rate_limited past 64 events at once, and what was taken arrives', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await alice.connect({ extra: RECONNECTS });
    await wire.drop();
    // They come in one go, and are read much faster than messages are written: far more than 64 wait before the first answers.
    const answers = await within(15_000, Promise.all(Array.from({ length: 1_000 }, (_, n) => asked(wire.io, 'message', { room: room.id, body: String(n) }))), 'the answers');
    const taken = answers.flatMap((answer, n) => (answer.ok ? [String(n)] : []));
    for (const answer of answers) assert.ok(answer.ok || answer.error.code === 'rate_limited', JSON.stringify(answer));
    assert.ok(taken.length >= 64 && taken.length < answers.length, `${taken.length} were taken`);
    assert.deepEqual(await bodies(alice, room), taken);
  });

  it('arrives, once and in order, out of a list of the client\'s own that is sent after ready', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = alice.wire({ extra: RECONNECTS });
    // the advice, as a client would write it
    const outbox = [];
    const flush = () => {
      for (const message of outbox) {
        wire.io.emit('message', message, (answer) => {
          if (answer.ok) outbox.splice(outbox.indexOf(message), 1);
        });
      }
    };
    const send = (body) => {
      outbox.push({ room: room.id, body, nonce: randomUUID() });
      if (wire.io.connected && wire.isReady) flush();
    };
    wire.io.on('connect', () => wire.io.emit('authenticate', { token: alice.token }));
    wire.io.on('ready', () => { wire.isReady = true; flush(); });
    wire.io.on('disconnect', () => { wire.isReady = false; });
    await wire.until('ready');
    send('one');
    send('two');
    await wire.drop();
    send('three');
    await readyAgain(wire);
    send('four');
    await wire.until('new message', ({ body }) => body === 'four', 15_000);
    await wire.settled(room.id);
    assert.deepEqual(await bodies(alice, room), ['one', 'two', 'three', 'four', 'settled']);
    assert.deepEqual(outbox, []);
  });

  it('comes late where it is only good now, unless the client looks whether it is connected', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const [wire, other] = [await alice.connect({ extra: RECONNECTS }), await bob.connect()];
    await wire.drop();
    if (wire.io.connected) wire.io.emit('typing', { room: room.id, typing: true });
    await readyAgain(wire);
    await wire.settled(room.id);
    await other.until('new message');
    await other.settled(room.id);
    assert.equal(other.count('typing'), 0, 'what was only good then does not come now');
    await wire.drop();
    wire.io.emit('typing', { room: room.id, typing: true });
    await other.until('typing', undefined, 15_000);
  });

  it('arrives once by retries and a nonce, whenever the line drops', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = alice.wire({ auth: { token: alice.token }, extra: { ...RECONNECTS, retries: 10, ackTimeout: 2_000 } });
    await wire.until('ready');
    const sent = Array.from({ length: 10 }, (_, n) => String(n));
    const answers = [];
    for (const body of sent) {
      answers.push(new Promise((done, fail) => wire.io.emit('message', { room: room.id, body, nonce: randomUUID() }, (error, answer) => (error ? fail(error) : done(answer)))));
      if (Number(body) % 4 === 0) await wire.drop();
      if (Number(body) % 4 === 2) await within(15_000, Promise.all(answers), 'the answers so far');
    }
    for (const answer of await within(20_000, Promise.all(answers), 'the answers')) assert.equal(answer.ok, true, JSON.stringify(answer));
    assert.deepEqual(await bodies(alice, room), sent);
  });

  it('an answer that was under way when the line dropped never comes; the same nonce again is the same message', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await alice.connect({ extra: RECONNECTS });
    const [first, second] = [{ room: room.id, body: 'first', nonce: randomUUID() }, { room: room.id, body: 'second', nonce: randomUUID() }];
    let called = false;
    wire.io.emit('message', first, () => { called = true; });
    const promise = assert.rejects(wire.io.timeout(5_000).emitWithAck('message', second));
    await wire.drop();
    await promise;
    await readyAgain(wire);
    assert.equal((await wire.must('message', first)).message.body, 'first');
    assert.equal((await wire.must('message', second)).message.body, 'second');
    assert.equal(called, false);
    assert.deepEqual(await bodies(alice, room), ['first', 'second']);
  });
});
