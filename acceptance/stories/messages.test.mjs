// Messages: what a body may be, the order of a room, nonces, history, recent messages, read marks and unread counts.

import assert from 'node:assert/strict';
import { contractOf } from '../lib/contract.mjs';
import { assertInOrder } from '../lib/sockets.mjs';
import { story } from '../lib/story.mjs';
import { pipelined } from '../lib/wait.mjs';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Strings with every character beyond ASCII escaped: the longest way to write them in JSON. */
const escaped = (value) => JSON.stringify(value).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

story('messages', {}, (it) => {
  const pair = async (people) => {
    const [alice, bob] = await people('alice', 'bob');
    return [alice, bob, await alice.room([bob])];
  };

  it('a message has its fields, and its nonce for its own sender only', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const [mine, mineToo, theirs] = await Promise.all([alice.connect(), alice.connect(), bob.connect()]);
    const { message } = await mine.must('message', { room: room.id, body: 'hello', nonce: 'n-1' });
    assert.deepEqual(Object.keys(message).sort(), ['body', 'created_at', 'id', 'nonce', 'rev', 'room', 'sender', 'seq']);
    assert.match(message.id, UUID7);
    assert.match(message.created_at, TIME);
    assert.ok(Math.abs(Date.parse(message.created_at) - Date.now()) < 60_000);
    const { cursor, ...heard } = await mine.until('new message');
    assert.deepEqual(heard, message, 'the event is the message and a cursor');
    assert.equal(typeof cursor, 'string');
    assert.equal((await mineToo.until('new message')).nonce, 'n-1', "every socket of the sender's");
    const other = await theirs.until('new message');
    assert.equal('nonce' in other, false, 'others do not see the nonce');
    assert.equal(other.id, message.id);
    const [own] = (await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages`)).items;
    assert.deepEqual(own, message);
    const [foreign] = (await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`)).items;
    assert.equal('nonce' in foreign, false);
    assert.equal('nonce' in (await bob.sees(room)).last_message, false);
    assert.equal('nonce' in (await bob.api.ok(200, 'GET', '/messages/recent')).items[0], false);
  });

  it('a body is kept exactly as sent', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    const bodies = ['  leading and trailing \n', 'a', '\u200d\ufeff zero width', 'é e\u0301 not normalised', '<b>&amp;"\'\\</b>', '\r\n\t\u0001\u001f.', '𝕬😀👩‍👩‍👧‍👦', '\u2028\u2029.', '{"json":true}', '%00', '\ud7ff\ue000\uffff'];
    for (const body of bodies) {
      const { message } = await mine.must('message', { room: room.id, body });
      assert.equal(message.body, body);
      assert.equal((await theirs.until('new message', ({ id }) => id === message.id)).body, body);
    }
    const history = await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`);
    assert.deepEqual(history.items.map((one) => one.body), bodies);
  });

  it('a body is 1-8,000 characters, not blank, without NUL', async ({ people }) => {
    const [alice, , room] = await pair(people);
    const wire = await alice.connect();
    for (const body of ['', ' ', '\n\t \u2003', 'x\0', '\0', 5, null, true, ['x'], { text: 'x' }]) {
      assert.equal((await wire.refused('invalid_request', 'message', { room: room.id, body })).field, 'body', JSON.stringify(body));
      assert.equal((await alice.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages`, { body })).field, 'body');
    }
    assert.equal((await wire.refused('invalid_request', 'message', { room: room.id })).field, 'body');
    for (const body of ['x'.repeat(8001), '😀'.repeat(8001)]) {
      const ack = await wire.ask('message', { room: room.id, body });
      assert.ok(['invalid_request', 'too_large'].includes(ack.error.code), JSON.stringify(ack));
      assert.equal(ack.error.field, 'body');
    }
    assert.equal((await alice.sees(room)).head, 0, 'what is refused takes no seq');
    for (const body of ['x'.repeat(8000), '😀'.repeat(8000), `${' '.repeat(7999)}x`]) {
      assert.equal((await wire.must('message', { room: room.id, body })).message.body, body, 'characters are counted, not bytes');
    }
  });

  it('8,000 astral characters fit even JSON-escaped', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const body = '😀'.repeat(8000);
    const raw = escaped({ body });
    assert.ok(raw.length > 95_000);
    const answer = await alice.api.post(`/rooms/${room.id}/messages`, undefined, { raw, headers: { 'content-type': 'application/json' } });
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.body.body, body);
    assert.equal((await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`)).items[0].body, body);
    const polling = await alice.connect({ transport: 'polling' });
    await polling.must('message', { room: room.id, body });
  });

  it('seq counts 1, 2, 3, … over messages, joins, leaves and renames, without a gap', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const [left, right] = await Promise.all([alice.connect(), bob.connect()]);
    const room = await alice.room([bob], { name: 'count' });
    await left.must('message', { room: room.id, body: 'one' });
    await alice.api.ok(204, 'PUT', `/rooms/${room.id}/members/${carol.username}`);
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'counted' });
    await right.must('message', { room: room.id, body: 'four' });
    await carol.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${carol.username}`);
    await carol.api.refused('not_found', 'POST', `/rooms/${room.id}/messages`, { body: 'x' });
    await left.refused('invalid_request', 'message', { room: room.id, body: '' });
    assert.equal((await left.must('message', { room: room.id, body: 'six' })).message.seq, 6);
    for (const wire of [left, right]) {
      await wire.until('new message', ({ seq }) => seq === 6);
      assert.deepEqual(wire.durable((data) => data.room === room.id).map(({ name, data }) => [name, data.seq]), [['new message', 1], ['member joined', 2], ['room updated', 3], ['new message', 4], ['member left', 5], ['new message', 6]]);
    }
    const history = await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`);
    assert.deepEqual(history.items.map((one) => one.seq), [1, 4, 6], 'the history is messages only');
  });

  it('many senders at once: every member sees the same order, without a gap', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob, carol]);
    const wires = await Promise.all([alice.connect(), bob.connect(), carol.connect(), carol.connect({ transport: 'polling' })]);
    const acks = (await Promise.all(wires.map((wire, w) => pipelined(100, (n) => wire.must('message', { room: room.id, body: `${w}-${n}` }, 30_000))))).flat();
    assert.deepEqual(acks.map(({ message }) => message.seq).sort((a, b) => a - b), Array.from({ length: 400 }, (_, n) => n + 1));
    for (const wire of wires) {
      await wire.until('new message', ({ seq }) => seq === 400);
      const seen = wire.durable((data) => data.room === room.id);
      assert.equal(seen.length, 400);
      assertInOrder(seen, { [room.id]: 0 });
      assert.deepEqual(seen.map(({ data }) => data.id), wires[0].durable((data) => data.room === room.id).map(({ data }) => data.id));
      for (let w = 0; w < wires.length; w += 1) {
        const own = seen.filter(({ data }) => data.body.startsWith(`${w}-`)).map(({ data }) => Number(data.body.split('-')[1]));
        assert.deepEqual(own, [...own].sort((a, b) => a - b), 'what one connection sent one after another stays so');
      }
    }
  });

  it('the same send again returns the first message and tells nobody twice', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    const first = await mine.must('message', { room: room.id, body: 'once', nonce: 'k' });
    const again = await mine.must('message', { room: room.id, body: 'once', nonce: 'k' });
    assert.deepEqual(again.message, first.message);
    const answer = await alice.api.post(`/rooms/${room.id}/messages`, { body: 'once', nonce: 'k' });
    assert.equal(answer.status, 200, '200 when the nonce was seen');
    assert.deepEqual(answer.body, first.message);
    assert.equal((await alice.api.post(`/rooms/${room.id}/messages`, { body: 'fresh', nonce: 'k2' })).status, 201);
    await theirs.until('new message', ({ body }) => body === 'fresh');
    assert.equal(theirs.count('new message'), 2);
    assert.equal(mine.count('new message', ({ body }) => body === 'once'), 1);
  });

  it('the same nonce with another body is nonce_conflict', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const wire = await alice.connect();
    await wire.must('message', { room: room.id, body: 'first', nonce: 'k' });
    await wire.refused('nonce_conflict', 'message', { room: room.id, body: 'second', nonce: 'k' });
    const problem = await alice.api.refused('nonce_conflict', 'POST', `/rooms/${room.id}/messages`, { body: 'first ', nonce: 'k' });
    assert.equal(problem.status, 409);
    assert.equal((await bob.says(room, 'second', 'k')).seq, 2, 'nonces are unique in (room, sender)');
    const other = await alice.room([], { name: 'elsewhere' });
    assert.equal((await alice.says(other, 'second', 'k')).seq, 1);
    for (const nonce of ['', 'x'.repeat(65), 7, ['k']]) {
      assert.equal((await wire.refused('invalid_request', 'message', { room: room.id, body: 'x', nonce })).field, 'nonce', JSON.stringify(nonce));
    }
    await wire.must('message', { room: room.id, body: 'long key', nonce: '字'.repeat(64) });
  });

  it('duplicates that race become one message', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const [a, b, theirs] = await Promise.all([alice.connect(), alice.connect(), bob.connect()]);
    for (let round = 0; round < 5; round += 1) {
      const acks = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).must('message', { room: room.id, body: `round ${round}`, nonce: `race-${round}` })));
      assert.equal(new Set(acks.map(({ message }) => message.id)).size, 1);
    }
    const mixed = await Promise.all(Array.from({ length: 20 }, (_, n) => a.ask('message', { room: room.id, body: `body ${n % 2}`, nonce: 'mixed' })));
    assert.equal(mixed.filter((one) => one.ok).length, 10, 'one body wins, the other is refused each time');
    assert.ok(mixed.filter((one) => !one.ok).every((one) => one.error.code === 'nonce_conflict'));
    await theirs.until('new message', ({ seq }) => seq === 6);
    assert.equal((await alice.sees(room)).head, 6);
    assert.equal(theirs.count('new message'), 6);
  });

  it('a nonce counts for ever, also after a restart', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    const room = await alice.room([], { name: 'nonces' });
    const first = await alice.says(room, 'x', 'k');
    await server.kill();
    await server.start();
    const again = await alice.api.ok(200, 'POST', `/rooms/${room.id}/messages`, { body: 'x', nonce: 'k' });
    assert.equal(again.id, first.id);
    await alice.api.refused('nonce_conflict', 'POST', `/rooms/${room.id}/messages`, { body: 'y', nonce: 'k' });
  });

  it('a refused send does not use up its nonce', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await bob.room([], { kind: 'channel', name: 'later' });
    const wire = await alice.connect();
    await wire.refused('forbidden', 'message', { room: room.id, body: 'x', nonce: 'k' });
    await wire.must('join room', { room: room.id });
    assert.equal((await wire.must('message', { room: room.id, body: 'y', nonce: 'k' })).message.body, 'y');
  });

  it('history pages by seq, always ascending, both ways', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'history' });
    const path = `/rooms/${room.id}/messages`;
    assert.deepEqual(await alice.api.ok(200, 'GET', path), { items: [], next: null });
    for (let n = 1; n <= 60; n += 1) {
      if (n === 30) await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'renamed' });
      else await alice.says(room, String(n));
    }
    const seqs = (page) => page.items.map((one) => one.seq);
    const all = Array.from({ length: 60 }, (_, n) => n + 1).filter((n) => n !== 30);

    const newest = await bob.api.ok(200, 'GET', path);
    assert.deepEqual(seqs(newest), all.slice(-50), 'the newest 50 when nothing is said');
    assert.equal(newest.next, null, 'nothing comes after the newest');
    const before = await bob.api.ok(200, 'GET', `${path}?before=${newest.items[0].seq}&limit=4`);
    assert.deepEqual(seqs(before), all.slice(-54, -50), 'just before');
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?before=1`)), []);
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?before=31&limit=2`)), [28, 29], 'messages only');
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?after=29&limit=2`)), [31, 32]);
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?after=60`)), []);
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?after=1000000`)), []);
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?before=1000000&limit=1`)), [60]);

    const forward = [];
    let page = await bob.api.ok(200, 'GET', `${path}?after=0&limit=7`);
    for (let guard = 0; guard < 20; guard += 1) {
      forward.push(...seqs(page));
      if (page.next === null) break;
      page = await bob.api.ok(200, 'GET', `${path}?after=${encodeURIComponent(page.next)}&limit=7`);
    }
    assert.deepEqual(forward, all, 'next, passed back as after, walks through everything and ends with null');
    assert.notEqual(before.next, null, 'a page from the middle has a next');
    assert.deepEqual(seqs(await bob.api.ok(200, 'GET', `${path}?after=${encodeURIComponent(before.next)}&limit=3`)), all.slice(-50, -47));

    const backward = [];
    page = await bob.api.ok(200, 'GET', `${path}?limit=9`);
    while (page.items.length) {
      backward.unshift(...seqs(page));
      page = await bob.api.ok(200, 'GET', `${path}?limit=9&before=${page.items[0].seq}`);
    }
    assert.deepEqual(backward, all);
    for (const [query, field] of [['limit=0', 'limit'], ['limit=101', 'limit'], ['limit=ten', 'limit'], ['before=x', 'before'], ['after=x', 'after'], ['before=-1', 'before'], ['after=-1', 'after'], ['after=99999999999999999999', 'after'], ['before=1.5', 'before']]) {
      assert.equal((await bob.api.refused('invalid_request', 'GET', `${path}?${query}`)).field, field, query);
    }
    await bob.api.refused('invalid_request', 'GET', `${path}?before=5&after=1`);
  });

  it('recent messages are those that others sent to you, newest first', async ({ people }) => {
    const [alice, bob, carol, dave] = await people('alice', 'bob', 'carol', 'dave');
    const [direct, group, foreign] = [await alice.room([bob]), await bob.room([alice, carol]), await bob.room([carol], { name: 'without alice' })];
    await bob.says(direct, 'first');
    await carol.says(group, 'second');
    await alice.says(group, 'my own');
    await bob.says(foreign, 'not for alice');
    await bob.says(group, 'third');
    const bodies = async (query = '') => (await alice.api.ok(200, 'GET', `/messages/recent${query}`)).items.map((one) => one.body);
    assert.deepEqual(await bodies(), ['third', 'second', 'first']);
    assert.deepEqual(await bodies(`?from=${bob.username}`), ['third', 'first']);
    assert.deepEqual(await bodies(`?from=${bob.username.toUpperCase()}`), ['third', 'first']);
    assert.deepEqual(await bodies(`?from=${dave.username}`), []);
    await alice.api.refused('not_found', 'GET', '/messages/recent?from=nobody-is-called-so');
    assert.deepEqual(await bodies('?limit=1'), ['third']);
    assert.deepEqual(await bodies('?days=1&limit=100'), ['third', 'second', 'first']);
    assert.deepEqual(await bodies('?days=3650'), ['third', 'second', 'first']);
    for (const [query, field] of [['days=0', 'days'], ['days=3651', 'days'], ['days=x', 'days'], ['limit=0', 'limit'], ['limit=101', 'limit']]) {
      assert.equal((await alice.api.refused('invalid_request', 'GET', `/messages/recent?${query}`)).field, field, query);
    }
    await alice.api.ok(204, 'DELETE', `/rooms/${group.id}/members/${alice.username}`);
    assert.deepEqual(await bodies(), ['first'], 'a room that one left is not read any more');
  });

  it('recent messages are at most 100', async ({ people }) => {
    const [alice, bob, room] = await pair(people);
    const wire = await bob.connect();
    await pipelined(130, (n) => wire.must('message', { room: room.id, body: String(n) }));
    const recent = await alice.api.ok(200, 'GET', '/messages/recent');
    assert.equal(recent.items.length, 100);
    assert.deepEqual(recent.items.map((one) => one.seq), Array.from({ length: 100 }, (_, n) => 130 - n));
  });

  it('unread counts messages of others past the read mark', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'unread' });
    for (const body of ['1', '2', '3']) await bob.says(room, body);
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'renamed' });
    await bob.says(room, '5');
    let seen = await alice.sees(room);
    assert.deepEqual([seen.head, seen.read, seen.unread], [5, 0, 4], 'a rename is not unread');
    assert.equal(seen.last_message.body, '5');
    seen = await bob.sees(room);
    assert.deepEqual([seen.head, seen.read, seen.unread], [5, 5, 0], "sending moves one's own read");

    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    const ack = await mine.must('read', { room: room.id, seq: 2 });
    assert.deepEqual([ack.read, ack.unread], [2, 2]);
    const heard = await theirs.until('read', (one) => one.room === room.id);
    assert.deepEqual(heard, { room: room.id, username: alice.username, seq: 2 });
    assert.deepEqual(await alice.api.ok(200, 'PUT', `/rooms/${room.id}/read`, { seq: 1 }), { read: 2, unread: 2 }, 'never back');
    assert.deepEqual(await alice.api.ok(200, 'PUT', `/rooms/${room.id}/read`, { seq: 0 }), { read: 2, unread: 2 });
    assert.deepEqual(await alice.api.ok(200, 'PUT', `/rooms/${room.id}/read`, { seq: 1_000_000 }), { read: 5, unread: 0 }, 'past the head is the head');
    await theirs.until('read', (one) => one.seq === 5);
    seen = await alice.sees(room);
    assert.deepEqual([seen.read, seen.unread], [5, 0]);
    await bob.says(room, '6');
    await alice.says(room, '7');
    seen = await alice.sees(room);
    assert.deepEqual([seen.read, seen.unread], [7, 0], "sending moves one's own read");
    assert.equal((await bob.sees(room)).unread, 1);
    for (const seq of [-1, 1.5, 'two', null, {}]) {
      assert.equal((await alice.api.refused('invalid_request', 'PUT', `/rooms/${room.id}/read`, { seq })).field, 'seq', JSON.stringify(seq));
      assert.equal((await mine.refused('invalid_request', 'read', { room: room.id, seq })).field, 'seq', JSON.stringify(seq));
    }
  });

  it('unknown fields are ignored, and warnings name them: over REST in a header, over a socket in the acknowledgement', async ({ people, nobody, server }) => {
    const [alice, bob] = await people('alice', 'bob');
    const { id } = await alice.room([bob], { kind: 'channel', name: 'odd' });
    const contract = await contractOf(server);
    const odd = { colour: 'red', größe: { deep: [1] } };
    const named = (warnings) => warnings.map(({ code, field, detail }) => {
      assert.match(detail, /ignored/);
      return [code, field];
    });
    const all = Object.keys(odd).map((field) => ['unknown_field', field]);
    const header = ({ headers }) => headers.get('guild-warnings');

    const messages = `/rooms/${id}/messages`;
    const calls = [
      [alice.api, 201, 'POST', messages, { body: 'x' }],
      [alice.api, 200, 'PATCH', `${messages}/1`, { body: 'y' }],
      [alice.api, 200, 'PUT', `/rooms/${id}/read`, { seq: 1 }],
      [alice.api, 200, 'PUT', `/rooms/${id}/threads/1/read`, { seq: 1 }],
      [alice.api, 200, 'POST', `${messages}/delete`, { seqs: [1] }],
      [alice.api, 204, 'PUT', `/rooms/${id}/members`, { usernames: [alice.username] }],
      [alice.api, 200, 'PUT', '/users/me/state/draft', { value: 'x' }],
      [alice.api, 201, 'POST', '/rooms', { usernames: [bob.username], name: 'x' }],
      [alice.api, 200, 'PATCH', `/rooms/${id}`, { topic: 'tea' }],
      [alice.api, 200, 'PATCH', '/users/me', { display_name: 'A' }],
      [bob.api, 204, 'PUT', '/users/me/password', { current_password: bob.password, new_password: 'another battery staple' }],
      [nobody, 200, 'POST', '/users/login', { username: alice.username, password: alice.password }],
    ];
    for (const [api, status, method, path, body] of calls) {
      const answer = await api.call(method, path, { ...body, ...odd });
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      assert.deepEqual(named(JSON.parse(header(answer))), all, `${method} ${path}`);
      assert.equal(answer.body?.warnings, undefined, 'the resource is as ever');
    }
    for (const { method, template, pattern, operation } of contract.routes.filter(({ operation: one }) => one.requestBody && !one.tags.includes('graphql'))) {
      const asked = calls.find((one) => one[2] === method && pattern.test(one[3]));
      assert.ok(asked, `${method} ${template} was asked`);
      assert.ok(operation.responses[asked[1]].headers['Guild-Warnings'], `${method} ${template} documents the header`);
    }
    assert.equal(header(await alice.api.post(messages, { body: 'x', sender: alice.username, username: alice.username })), null, 'who one is is known');
    assert.equal(header(await alice.api.post(messages, { body: '', ...odd })), null, 'a refusal names its own error');
    assert.equal(header(await alice.api.get(`${messages}?colour=red`)), null);
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`field_${n}`, n]));
    const long = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}${'👍'.repeat(500)}`, n]));
    assert.equal(JSON.parse(header(await alice.api.post(messages, { body: 'x', ...many }))).length, 20);
    const bounded = header(await alice.api.post(messages, { body: 'x', ...long }));
    assert.ok(bounded.length <= 4_096 && /^[ -~]+$/.test(bounded), bounded);
    assert.equal(JSON.parse(bounded)[0].field, `0${'👍'.repeat(63)}`);

    const wire = await alice.connect();
    const { message: { seq } } = await wire.must('message', { room: id, body: 'x' });
    const events = {
      authenticate: { token: alice.token },
      'create room': { usernames: [bob.username], name: 'y' },
      message: { room: id, body: 'x' },
      'edit message': { room: id, seq, body: 'y' },
      react: { room: id, seq, emoji: '👍', on: true },
      'pin message': { room: id, seq },
      'unpin message': { room: id, seq },
      'delete message': { room: id, seq },
      read: { room: id, seq },
      typing: { room: id, typing: true },
      'join room': { room: id },
      'leave room': { room: id },
    };
    assert.deepEqual(Object.keys(events).sort(), [...contract.events.client.keys()].sort());
    assert.equal((await wire.must('message', { room: id, body: 'x', ...many })).warnings.length, 20);
    assert.equal((await wire.must('message', { room: id, body: 'x', sender: alice.username, username: alice.username })).warnings, undefined);
    assert.equal((await wire.ask('message', { room: id, body: '', ...odd })).warnings, undefined);
    for (const [name, request] of Object.entries(events)) assert.deepEqual(named((await wire.must(name, { ...request, ...odd })).warnings), all, name);
  });
});
