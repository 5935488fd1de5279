// A member's own state: values and read marks that follow a user over all devices, live and after being away.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { pipelined } from '../lib/wait.mjs';

const put = (person, key, value, more = {}) => person.api.ok(200, 'PUT', `/users/me/state/${key}`, { value, ...more });
const kept = (person, key) => person.api.ok(200, 'GET', `/users/me/state/${key}`);
const keys = async (person, query = '') => (await person.api.ok(200, 'GET', `/users/me/state${query}`)).items.map(({ key }) => key);
/** What `ready` told of values, by key. */
const news = (wire) => Object.fromEntries(wire.all('ready').at(-1).state.map(({ key, value }) => [key, value]));

story('state', {}, (it) => {
  it('a value is heard by all devices of its user, and by nobody else', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'g' });
    const [phone, laptop, theirs] = await Promise.all([alice.connect(), alice.connect(), bob.connect()]);
    const key = `draft:${room.id}`;
    const first = await put(alice, key, { body: 'see you' });
    assert.equal(first.key, key);
    for (const wire of [phone, laptop]) assert.deepEqual(await wire.until('state changed'), first);
    assert.deepEqual(await kept(alice, key), first);
    assert.equal((await bob.api.refused('not_found', 'GET', `/users/me/state/${key}`)).field, 'key');
    assert.deepEqual(await put(alice, key, { body: 'see you' }), first, 'what changes nothing keeps its stamp');
    const second = await put(alice, key, { body: 'see you at' }, { if_stamp: first.stamp });
    await laptop.until('state changed', ({ stamp }) => stamp === second.stamp);
    assert.equal((await alice.api.refused('conflict', 'PUT', `/users/me/state/${key}`, { value: 1, if_stamp: first.stamp })).field, 'if_stamp');
    await alice.api.refused('conflict', 'PUT', `/users/me/state/${key}`, { value: 1, if_stamp: null });
    await alice.api.ok(204, 'DELETE', `/users/me/state/${key}`);
    await alice.api.ok(204, 'DELETE', `/users/me/state/${key}`);
    await phone.until('state changed', ({ value }) => value === null);
    await theirs.settled(room.id);
    assert.equal(theirs.count('state changed'), 0);
    assert.equal(phone.count('state changed'), 3, 'each change once');
  });

  it('a store is paged by key and has its rules', async ({ people }) => {
    const [alice] = await people('alice');
    for (const [key, value] of [['star:b:1', true], ['star:a:2', 'x'], ['notify:a', { level: 'none' }], ['star:a:1', [1, null]], ['Z', 0.5]]) await put(alice, key, value);
    assert.deepEqual(await keys(alice), ['Z', 'notify:a', 'star:a:1', 'star:a:2', 'star:b:1']);
    assert.deepEqual(await keys(alice, '?prefix=star:a'), ['star:a:1', 'star:a:2']);
    const page = await alice.api.ok(200, 'GET', '/users/me/state?prefix=star:&limit=2');
    assert.deepEqual(await keys(alice, `?prefix=star:&limit=2&after=${encodeURIComponent(page.next)}`), ['star:b:1']);
    for (const [key, value] of [['a b', 1], ['x'.repeat(201), 1], ['a%2Fb', 1]]) assert.equal((await alice.api.refused('invalid_request', 'PUT', `/users/me/state/${key}`, { value })).field, 'key');
    for (const value of [null, 'x'.repeat(16 * 1024)]) assert.equal((await alice.api.refused('invalid_request', 'PUT', '/users/me/state/k', { value })).field, 'value');
    assert.equal((await alice.api.refused('invalid_request', 'PUT', '/users/me/state/k', {})).field, 'value');
    assert.equal((await alice.api.refused('invalid_request', 'GET', '/users/me/state?prefix=a%20b')).field, 'prefix');
    assert.equal((await alice.api.refused('invalid_request', 'GET', '/users/me/state?after=a%20b')).field, 'after');
    const { data } = await alice.api.ok(200, 'POST', '/graphql', { query: '{ me { state(prefix: "star:a", first: 1) { nodes { key value } pageInfo { hasNextPage endCursor } } } }' });
    assert.deepEqual(data.me.state, { nodes: [{ key: 'star:a:1', value: [1, null] }], pageInfo: { hasNextPage: true, endCursor: 'star:a:1' } });
  });

  it('a draft goes with its message, for who is there and for who was away', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'g' });
    const key = `draft:${room.id}`;
    const [phone, laptop] = await Promise.all([alice.connect(), alice.connect()]);
    await put(alice, key, 'hel');
    await put(alice, 'other', 1);
    await laptop.until('state changed', (one) => one.key === 'other');
    await laptop.drop();
    const sent = await phone.must('message', { room: room.id, body: 'hello', nonce: 'n', clears: key });
    await phone.until('state changed', ({ value }) => value === null);
    await alice.api.refused('not_found', 'GET', `/users/me/state/${key}`);
    const back = await alice.connect({ cursor: laptop.cursor });
    assert.equal(back.all('ready')[0].resumed, true);
    assert.equal(news(back)[key], null, 'it was away while the draft went');
    await put(alice, key, 'next');
    const again = await phone.must('message', { room: room.id, body: 'hello', nonce: 'n', clears: key });
    assert.equal(again.message.id, sent.message.id);
    assert.equal((await kept(alice, key)).value, 'next', 'a repeated send clears nothing');
    assert.equal((await alice.api.post(`/rooms/${room.id}/messages`, { body: 'by REST', clears: key })).status, 201);
    await back.until('state changed', (one) => one.key === key && one.value === null);
  });

  it('whatever the order of commits, devices end with what is kept', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const rooms = await Promise.all(['a', 'b', 'c', 'd'].map((name) => alice.room([bob], { name })));
    const [phone, laptop] = await Promise.all([alice.connect(), alice.connect()]);
    // Each send may be in another partition than the drafts.
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(rooms.map((room) => put(alice, `draft:${room.id}`, round)));
      await Promise.all(rooms.map((room) => phone.must('message', { room: room.id, body: String(round), clears: `draft:${room.id}` })));
    }
    await put(alice, 'end', 1);
    for (const wire of [phone, laptop]) {
      await wire.until('state changed', (one) => one.key === 'end');
      await Promise.all(rooms.map((room) => wire.untilTrue('the last draft is gone', () => wire.all('state changed', (one) => one.key === `draft:${room.id}`).at(-1)?.value === null)));
    }
    assert.deepEqual(await keys(alice), ['end']);
  });

  it('own read marks follow, with what is unread', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'g' });
    await pipelined(3, (n) => alice.says(room, String(n)));
    const [phone, laptop, theirs] = await Promise.all([bob.connect(), bob.connect(), alice.connect()]);
    await laptop.drop();
    await phone.must('read', { room: room.id, seq: 2 });
    assert.deepEqual(await phone.until('read'), { room: room.id, username: bob.username, seq: 2, unread: 1, mentions: 0 });
    assert.deepEqual(await theirs.until('read'), { room: room.id, username: bob.username, seq: 2 }, 'what is unread is for bob alone');
    const back = await bob.connect({ cursor: laptop.cursor });
    assert.deepEqual(back.all('ready')[0].marks, [{ room: room.id, read: 2, unread: 1, mentions: 0 }]);
    const reads = (await alice.api.ok(200, 'GET', `/rooms/${room.id}/reads`)).items;
    assert.deepEqual(Object.fromEntries(reads.map(({ username, read }) => [username, read])), { [alice.username]: 3, [bob.username]: 2 });
    const [stranger] = await people('stranger');
    await stranger.api.refused('not_found', 'GET', `/rooms/${room.id}/reads`);
  });

  it('who cannot be told what has changed reads it anew', async ({ people }) => {
    const [alice] = await people('alice');
    const first = await alice.connect();
    const fresh = first.all('ready')[0];
    assert.deepEqual([fresh.state_reset, fresh.state, fresh.marks], [true, undefined, undefined], 'without a cursor');
    const quiet = await alice.connect({ cursor: first.cursor });
    assert.deepEqual([quiet.all('ready')[0].state_reset, news(quiet)], [undefined, {}]);
    await put(alice, 'k', 1);
    const told = await alice.connect({ cursor: first.cursor });
    assert.deepEqual(news(told), { k: 1 });
    const lost = await alice.connect({ cursor: 'nonsense' });
    assert.equal(lost.all('ready')[0].state_reset, true, 'after resync');
    await pipelined(17, (n) => put(alice, `large:${n}`, 'x'.repeat(16_000)));
    const late = await alice.connect({ cursor: first.cursor });
    assert.deepEqual([late.all('ready')[0].resumed, late.all('ready')[0].state_reset], [true, true], 'more than 256 KiB');
    assert.equal((await keys(alice, '?prefix=large:')).length, 17);
  });

  it('me is oneself in the paths of members', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const channel = await alice.room([], { name: 'c', kind: 'channel' });
    await bob.api.ok(204, 'PUT', `/rooms/${channel.id}/members/me`);
    assert.equal((await bob.sees(channel)).member_count, 2);
    await bob.api.ok(204, 'DELETE', `/rooms/${channel.id}/members/me`);
    assert.equal((await bob.sees(channel)).member_count, 1);
    assert.equal((await bob.api.ok(200, 'GET', '/users/me')).username, bob.username);
  });
});
