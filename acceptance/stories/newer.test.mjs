// What a newer program has written into the log, while a cluster is upgraded one process at a time: this one passes it on as `event`, in its
// place, and stumbles over none of it.

import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { newerRow } from '../lib/newer.mjs';
import { assertInOrder } from '../lib/sockets.mjs';
import { story } from '../lib/story.mjs';
import { eventually } from '../lib/wait.mjs';

const newer = (server, room, what) => server.sql(newerRow(server, room, what));

story('what a newer program has written', { timeout: 120_000 }, (it) => {
  it('comes live, in a replay and in nobody\'s way', async ({ server, people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'upgrade' });
    const [sender, first] = await Promise.all([alice.connect(), bob.connect()]);
    await sender.must('message', { room: room.id, body: 'before' });
    await first.until('new message');

    newer(server, room, { kind: 999 });
    newer(server, room, { kind: 2, version: 99 });
    newer(server, room, { kind: 999, to: bob });
    const { message } = await sender.must('message', { room: room.id, body: 'after' });
    assert.equal(message.seq, 4);
    await first.until('event', ({ seq }) => seq === null);
    await Promise.all([first, sender].map((wire) => wire.until('new message', ({ seq }) => seq === 4)));
    const told = (wire) => wire.durable((data) => data.room === room.id).map(({ name, data }) => [name, data.seq, data.kind]);
    const expected = [['new message', 1, undefined], ['event', 2, 999], ['event', 3, 2], ['event', null, 999], ['new message', 4, undefined]];
    assert.deepEqual(told(first), expected);
    assertInOrder(first.durable().filter(({ data }) => data.seq !== null), { [room.id]: 0 });
    assert.deepEqual(sender.all('event').map(({ seq }) => seq), [2, 3], 'what is for somebody else alone is told to nobody else');

    // Every cursor on the way is a place to go on from.
    for (let place = 0; place < expected.length; place += 1) {
      const { cursor } = first.durable((data) => data.room === room.id)[place].data;
      const again = await bob.connect({ cursor });
      assert.equal(again.all('ready')[0].resumed, true);
      assert.deepEqual(told(again), expected.slice(place + 1));
    }

    const bodies = ({ items }) => items.map(({ body }) => body);
    assert.deepEqual(bodies(await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`)), ['before', 'after']);
    assert.deepEqual((await bob.api.ok(200, 'GET', '/messages/search?q=after')).items.length, 1);
    assert.deepEqual((await bob.api.ok(200, 'GET', '/messages/search?q=tomorrow')).items.length, 0);
    assert.deepEqual(bodies(await bob.api.ok(200, 'GET', '/messages/recent')), ['after', 'before']);
    const query = `{ room(id: "${room.id}") { head lastMessage { body } messages(last: 10) { nodes { body } } } }`;
    const { data } = await bob.api.ok(200, 'POST', '/graphql', { query });
    assert.deepEqual(data.room, { head: 4, lastMessage: { body: 'after' }, messages: { nodes: [{ body: 'before' }, { body: 'after' }] } });
  });

  it('does not end a GraphQL subscription, which hears the messages on either side', async ({ server, people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'feed' });
    const client = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${bob.token}` },
      retryAttempts: 0,
    });
    const heard = [];
    let over;
    client.subscribe({ query: 'subscription { newMessage { seq } }' }, {
      next: ({ data }) => heard.push(data.newMessage.seq),
      error: (error) => { over = error; },
      complete: () => { over = 'complete'; },
    });
    let last;
    await eventually('the subscription has begun', async () => {
      last = (await alice.says(room, 'is anybody there?')).seq;
      await eventually('it is heard', () => heard.at(-1) === last, 500).catch(() => {});
      return heard.at(-1) === last;
    });
    newer(server, room, { kind: 999 });
    newer(server, room, { kind: 2, version: 99 });
    newer(server, room, { kind: 999, to: bob });
    const { seq } = await alice.says(room, 'after');
    assert.equal(seq, last + 3);
    await eventually('what follows is heard', () => heard.at(-1) === seq);
    assert.equal(heard.at(-2), last, 'and nothing in between');
    assert.equal(over, undefined);
    await client.dispose();
  });

  it('is the newest of a room that is seen, joined and left', async ({ server, people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([], { kind: 'channel', name: 'news' });
    await alice.says(room, 'x');
    newer(server, room, { kind: 2, version: 99 });
    const seen = await alice.sees(room);
    assert.deepEqual([seen.head, seen.last_message.seq, seen.member_count], [2, 1, 1]);
    const wire = await bob.connect();
    await wire.must('join room', { room: room.id });
    assert.equal((await wire.until('member joined')).seq, 3);
    await wire.must('leave room', { room: room.id });
    await alice.api.ok(200, 'PUT', `/rooms/${room.id}/read`, { seq: 2 });
  });

  it('keeps the promises, and guild check counts it', async ({ server, people }) => {
    const [alice] = await people('alice');
    const room = await alice.room([], { kind: 'group', name: 'mine' });
    await alice.says(room, 'x');
    newer(server, room, { kind: 999 });
    const check = server.run(['check']);
    assert.equal(check.code, 0, check.text);
    assert.match(check.stdout, /[1-9]\d* of them of kinds or versions that a newer program has written/);
  });

  it('what messages become is written once the upgrade of an older database is finished', async ({ start, stage }) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    await alice.says(room, 'frist');
    await server.stop();
    server.sql("UPDATE meta SET value = 1 WHERE name = 'log_min_version'");
    await server.start();
    const edit = () => alice.api.call('PATCH', `/rooms/${room.id}/messages/1`, { body: 'first' });
    for (const [method, path, body] of [['PATCH', 'messages/1', { body: 'first' }], ['DELETE', 'messages/1'], ['PUT', 'messages/1/reactions/x'], ['PUT', 'pins/1'], ['POST', 'messages', { body: 'x', reply_to: 1 }]]) {
      assert.match((await alice.api.refused('busy', method, `/rooms/${room.id}/${path}`, body)).detail, /guild upgrade finish/);
    }
    assert.equal((await alice.says(room, 'plain messages go on')).seq, 2);
    const finished = await server.runBeside(['upgrade', 'finish']);
    assert.equal(finished.code, 0, finished.text);
    await eventually('edits are taken', async () => (await edit()).status === 200, 10_000, 100);
  });

  it('is written once the upgrade is finished, after which an older program does not start', async ({ start }) => {
    const server = await start();
    const number = () => Number(server.sql("SELECT value FROM meta WHERE name = 'log_min_version'")[0]);
    assert.equal(number(), 3);
    const nothing = server.run(['upgrade', 'finish']);
    assert.equal(nothing.code, 0, nothing.text);
    assert.match(nothing.stdout, /nothing to finish/);
    server.sql("UPDATE meta SET value = 99 WHERE name = 'log_min_version'");
    await server.logs(/minimal version was raised min_version=99/);
    assert.equal(server.alive, true, 'one that runs goes on');
    await server.stop();
    await assert.rejects(server.start());
    assert.match(server.log, /log version 99, and this program knows only 3: run the newer version of guild/);
  });
});
