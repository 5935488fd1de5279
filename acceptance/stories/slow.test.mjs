// A client that cannot keep up is cut, not silently starved: it resumes by its cursor and has lost nothing; nobody else is
// held up.

import assert from 'node:assert/strict';
import { assertInOrder } from '../lib/sockets.mjs';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, within } from '../lib/wait.mjs';

const BODY = 'x'.repeat(7_900);
const MESSAGES = 4_000; // 32 MB: more than the kernel's buffers and the server's bound together

story('a slow client', { timeout: 240_000 }, (it) => {
  for (const transport of ['websocket', 'polling']) {
    it(`that stops reading (${transport}) is cut, resumes by its cursor and has lost nothing, while others are unaffected`, async ({ people, server }) => {
      const [alice, bob, carol] = await people('alice', 'bob', 'carol');
      const room = await alice.room([bob, carol]);
      const quiet = await carol.room([alice], { name: 'quiet' });
      const [sender, slow, quick, other] = await Promise.all([alice.connect({ checked: false }), bob.connect({ checked: false, transport }), carol.connect({ checked: false }), carol.connect()]);
      await sender.must('message', { room: room.id, body: 'first' });
      await slow.until('new message');
      const metrics = async () => (await (await fetch(`${server.url}/metrics`)).text());
      const before = cuts(await metrics());

      if (transport === 'websocket') slow.tcp.pause();
      // a client that polls no more is as slow as one that reads no more
      else slow.io.io.engine.transport._poll = () => {};
      const delays = [];
      let flooding = true;
      const watching = (async () => {
        while (flooding) {
          const began = performance.now();
          await other.must('message', { room: quiet.id, body: 'unaffected' }, 30_000);
          delays.push(performance.now() - began);
          await new Promise((done) => setTimeout(done, 20));
        }
      })();
      await pipelined(MESSAGES, () => sender.must('message', { room: room.id, body: BODY }, 30_000), 20);
      flooding = false;
      await watching;
      await quick.until('new message', ({ seq }) => seq === MESSAGES + 1, 30_000);
      assertInOrder(quick.durable(), { [room.id]: 0 });
      delays.sort((a, b) => a - b);
      const p99 = delays[Math.floor(delays.length * 0.99)];
      assert.ok(p99 < 1_500, `others waited up to ${Math.round(p99)} ms for an acknowledgement`);
      await eventually('the server counts a slow client that was cut', async () => cuts(await metrics()) > before, 45_000, 200);

      if (transport === 'websocket') slow.tcp.resume();
      else slow.drop();
      await within(60_000, slow.closed, 'the cut');
      const got = slow.durable();
      assert.ok(got.length < MESSAGES, 'it did not get everything');
      const again = await bob.connect({ cursor: slow.cursor, checked: false, transport, ms: 60_000 });
      assert.equal(again.all('ready')[0].resumed, true);
      await again.untilTrue('the rest', () => again.durable().some(({ data }) => data.seq === MESSAGES + 1) || slow.durable().length + again.durable().length >= MESSAGES + 1, 60_000);
      const both = [...got, ...again.durable()];
      assertInOrder(both, { [room.id]: 0 });
      assert.equal(both.length, MESSAGES + 1, 'each message once');
    }, { timeout: 150_000 });
  }

  it('a client that reads all the time is not cut, when a whole burst comes at once', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob, carol]);
    const [first, second, reader] = await Promise.all([alice.connect({ checked: false }), bob.connect({ checked: false }), carol.connect({ checked: false })]);
    const body = '\u{1F600}'.repeat(8_000); // 32 KB; by the default limits a user may send 60 messages at once
    const acks = await Promise.all(Array.from({ length: 120 }, (_, n) => (n % 2 ? first : second).ask('message', { room: room.id, body }, 30_000)));
    assert.ok(acks.every((ack) => ack.ok), JSON.stringify(acks.find((ack) => !ack.ok)));
    await reader.until('new message', ({ seq }) => seq === 120, 30_000);
    assertInOrder(reader.durable(), { [room.id]: 0 });
    for (const wire of [first, second, reader]) assert.equal(wire.io.connected, true);
  });

  it('a replay is read as fast as the client takes it, never queued whole', async ({ people, server }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const { cursor } = (await bob.connect()).all('ready')[0];
    const sender = await alice.connect({ checked: false });
    await pipelined(MESSAGES, () => sender.must('message', { room: room.id, body: BODY }, 30_000), 20);
    const wire = bob.wire({ auth: { token: bob.token, cursor }, checked: false });
    await wire.connected();
    wire.tcp.pause();
    // 32 MB wait for this client; it reads again only after the server had all the time to queue them
    await sender.must('message', { room: room.id, body: 'during' });
    await new Promise((done) => setTimeout(done, 1_000));
    assert.equal(wire.count('ready'), 0);
    wire.tcp.resume();
    await wire.ready(60_000);
    await wire.until('new message', ({ body }) => body === 'during', 30_000);
    assertInOrder(wire.durable(), { [room.id]: 0 });
    assert.equal(wire.durable().length, MESSAGES + 1);
    assert.equal(server.alive, true);
  }, { timeout: 120_000 });
});

/** The metric that counts slow clients that were cut, over all its labels. */
function cuts(text) {
  return text.split('\n').filter((line) => /^[a-z_]*slow[a-z_]*(\{[^}]*\})? /.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
