// The sync to disk comes before the acknowledgement (kill -9 cannot show that: the kernel keeps what was written), and a
// full disk refuses sends without losing anything.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Disk } from '../lib/disk.mjs';
import { binary, guild } from '../lib/server.mjs';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, sleep } from '../lib/wait.mjs';

story('the disk', { server: false }, (it) => {
  const begin = async (start, stage) => {
    const disk = new Disk();
    const server = await start(disk.options);
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    return { disk, server, alice, bob, room };
  };

  it('the release program takes its syncs from the C library, so that they can be watched', async () => {
    const symbols = spawnSync('nm', ['-D', '--undefined-only', binary], { encoding: 'utf8' });
    assert.equal(symbols.status, 0, symbols.stderr);
    assert.match(symbols.stdout, /\b(fsync|fdatasync)\b/);
    assert.match(symbols.stdout, /\bpwrite(64)?\b|\bwrite\b/);
  });

  it('while a sync is held, no acknowledgement and no event comes, though the server answers others; after it, both come', async ({ start, stage }) => {
    const { disk, alice, bob, room } = await begin(start, stage);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await alice.says(room, 'before');
    await theirs.until('new message');
    assert.ok(disk.syncs() > 0, 'the server does sync');

    disk.say('hold');
    let acked;
    const asked = mine.must('message', { room: room.id, body: 'held' }, 30_000).then((ack) => { acked = ack; });
    const posted = alice.api.ok(201, 'POST', `/rooms/${room.id}/messages`, { body: 'held too' });
    posted.catch(() => {});
    await eventually('the server is inside a sync', () => disk.says('holding'));
    for (let n = 0; n < 5; n += 1) {
      await sleep(100);
      const history = await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`);
      assert.deepEqual(history.items.map((one) => one.body), ['before'], 'what is not durable is not shown');
      await bob.api.ok(200, 'GET', '/users/me');
      assert.equal(acked, undefined, 'no acknowledgement before the sync');
      assert.equal(theirs.count('new message'), 1, 'no event before the sync');
    }
    assert.ok(disk.says('holding'));
    disk.unsay('hold');
    await asked;
    await posted;
    assert.equal(acked.ok, true);
    await theirs.untilTrue('both messages', () => theirs.count('new message') === 3);
  });

  it('membership and rooms are durable before they are acknowledged, too', async ({ start, stage }) => {
    const { disk, alice, bob } = await begin(start, stage);
    const wire = await alice.connect();
    await eventually('all is quiet', async () => {
      const before = disk.syncs();
      await sleep(150);
      return disk.syncs() === before;
    });
    const group = await alice.room([], { name: 'g' });
    for (const ask of [
      () => wire.must('create room', { usernames: [bob.username], name: 'x' }, 30_000),
      () => alice.api.ok(204, 'PUT', `/rooms/${group.id}/members/${bob.username}`),
      () => alice.api.ok(200, 'PATCH', `/rooms/${group.id}`, { name: 'h' }),
      () => bob.api.ok(204, 'DELETE', `/rooms/${group.id}/members/${bob.username}`),
    ]) {
      disk.say('hold');
      let answered = false;
      const asked = ask().then(() => { answered = true; });
      await eventually('the server is inside a sync', () => disk.says('holding'));
      await sleep(100);
      assert.equal(answered, false);
      disk.unsay('hold');
      await asked;
      await eventually('the sync is over', () => !disk.says('holding'));
    }
  });

  it('sends that wait for the same sync share it (group commit)', async ({ start, stage }) => {
    const { disk, alice, room } = await begin(start, stage);
    const wire = await alice.connect();
    const others = await Promise.all(Array.from({ length: 4 }, () => alice.connect()));
    disk.say('hold');
    const first = wire.must('message', { room: room.id, body: 'first' }, 30_000);
    await eventually('the server is inside a sync', () => disk.says('holding'));
    const before = disk.syncs();
    const waiting = Array.from({ length: 200 }, (_, n) => others[n % 4].must('message', { room: room.id, body: String(n) }, 30_000));
    await sleep(300);
    disk.unsay('hold');
    const acks = await Promise.all([first, ...waiting]);
    assert.deepEqual(acks.map(({ message }) => message.seq).sort((a, b) => a - b), Array.from({ length: 201 }, (_, n) => n + 1));
    assert.ok(disk.syncs() - before < 60, `200 sends took ${disk.syncs() - before} syncs`);
  });

  it('after a power cut, what had been synced holds every acknowledged message', async ({ start, stage }) => {
    const disk = new Disk();
    disk.say('image');
    const server = await start(disk.options);
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const rooms = [await alice.room([bob]), await alice.room([bob], { name: 'two' })];
    const wires = await Promise.all([alice.connect({ checked: false }), bob.connect({ checked: false })]);
    const acked = [];
    for (const wire of wires) {
      pipelined(2000, async (n) => {
        const ack = await wire.ask('message', { room: rooms[n % 2].id, body: `${n}`, nonce: `n-${n}` }, 60_000);
        if (ack.ok) acked.push(ack.message);
      }).catch(() => {}); // the kill ends it
    }
    await eventually('1,000 are acknowledged', () => acked.length >= 1000, 40_000, 1);
    await server.kill();
    await sleep(50); // acknowledgements that were already on the line count too
    const folder = disk.afterPowerCut();
    const check = guild(['check'], { cwd: folder, settings: { GUILD_DATABASE_URL: 'sqlite:guild.db' } });
    assert.equal(check.code, 0, check.text);
    const revived = await start({ folder });
    const stored = new Map();
    for (const room of rooms) {
      for (let after = '0'; after !== null;) {
        const answer = await fetch(`${revived.url}/rooms/${room.id}/messages?limit=100&after=${after}`, { headers: { authorization: `Bearer ${alice.token}` } });
        assert.equal(answer.status, 200, await answer.clone().text());
        const page = await answer.json();
        for (const message of page.items) stored.set(message.id, message);
        after = page.next;
      }
    }
    assert.ok(acked.length >= 1000);
    for (const message of acked) assert.equal(stored.get(message.id)?.seq, message.seq, `the acknowledged message ${message.id} (${message.body}) is on disk`);
  });

  it('a full disk refuses sends as busy, reads go on, and sending works again when there is room', async ({ start, stage }) => {
    const { disk, server, alice, bob, room } = await begin(start, stage);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    for (let n = 0; n < 5; n += 1) await mine.must('message', { room: room.id, body: `before ${n}` });

    disk.say('full');
    const error = await mine.refused('busy', 'message', { room: room.id, body: 'refused', nonce: 'k' });
    assert.ok(error.retry_after_ms === undefined || error.retry_after_ms > 0);
    const problem = await alice.api.refused('busy', 'POST', `/rooms/${room.id}/messages`, { body: 'refused as well' });
    assert.equal(problem.status, 503);
    const burst = await Promise.all(Array.from({ length: 50 }, (_, n) => mine.ask('message', { room: room.id, body: `burst ${n}` })));
    assert.ok(burst.every((ack) => ack.ok === false && ack.error.code === 'busy'), JSON.stringify(burst[0]));
    const history = await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`);
    assert.equal(history.items.length, 5, 'reads go on');
    await bob.api.ok(200, 'GET', '/users/me/rooms');
    await (await bob.connect({ cursor: theirs.cursor })).close();
    assert.equal(theirs.count('new message'), 5, 'nothing refused is told');
    assert.equal((await alice.api.get('/healthz')).status, 200, 'the server lives');
    assert.equal(mine.io.connected, true);

    disk.unsay('full');
    const again = await eventually('sending works again', async () => {
      const ack = await mine.ask('message', { room: room.id, body: 'refused', nonce: 'k' });
      return ack.ok && ack;
    });
    assert.equal(again.message.seq, 6, 'no gap');
    await theirs.until('new message', ({ seq }) => seq === 6);
    for (let n = 7; n <= 20; n += 1) assert.equal((await mine.must('message', { room: room.id, body: `after ${n}` })).message.seq, n);
    await server.kill();
    assert.equal(server.run(['check']).code, 0);
    await server.start();
    const kept = await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages?limit=100`);
    assert.deepEqual(kept.items.map((one) => one.seq), Array.from({ length: 20 }, (_, n) => n + 1));
  });
});
