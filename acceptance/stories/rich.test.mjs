// Rich conversation: edits, deletions, reactions, pins, replies, what messages and rooms carry, over REST and over the socket,
// with a client that misses some of it and resumes.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { eventually, pipelined } from '../lib/wait.mjs';

const seqs = (list) => list.map(({ seq }) => seq);

/** What a client shows that merges by the higher rev. */
const shown = (wire, room) => {
  const messages = new Map();
  for (const { name, data } of wire.durable((data) => data.room === room.id)) {
    const { cursor, ...message } = name === 'new message' ? data : (data.message ?? {});
    if (message.id && !(messages.get(message.seq)?.rev > message.rev)) messages.set(message.seq, { ...message, nonce: undefined });
  }
  return [...messages.values()].map(({ seq, rev, body }) => [seq, rev, body]);
};

/**
 * What PostgreSQL gives away of its tables after `VACUUM`, and the files of every table and index after `VACUUM FULL`: plain `VACUUM` frees the place of an
 * old row in its page, and does not overwrite it.
 */
function atRest(server) {
  server.sql('VACUUM');
  const dump = server.stored();
  server.sql('VACUUM FULL', 'CHECKPOINT');
  const names = server.sql("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i', 't') AND n.nspname IN ('public', 'pg_toast') AND pg_relation_size(c.oid) > 0");
  const read = (name) => server.sql(`SELECT encode(pg_read_binary_file(pg_relation_filepath('${name}')), 'base64')`).join('');
  return [...dump, ...names.map((name) => ({ name, bytes: Buffer.from(read(name), 'base64') }))];
}

story('rich', {}, (it) => {
  const group = async (people) => {
    const [alice, bob] = await people('alice', 'bob');
    return [alice, bob, await alice.room([bob], { name: 'g' })];
  };

  it('an edit is acknowledged, told once to everybody, and shown by everything', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await mine.must('message', { room: room.id, body: 'frist', nonce: 'n' });
    const { message } = await mine.must('edit message', { room: room.id, seq: 1, body: 'first' });
    assert.deepEqual([message.seq, message.rev, message.body], [1, 2, 'first']);
    assert.ok(Date.parse(message.edited_at) >= Date.parse(message.created_at));
    const { cursor, ...heard } = await theirs.until('message edited');
    const { nonce, ...others } = message;
    assert.equal(nonce, 'n', 'the sender gets the nonce back');
    assert.deepEqual(heard, { room: room.id, seq: 2, ref: 1, by: alice.username, message: others });
    assert.equal(typeof cursor, 'string');
    const overRest = await alice.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/1`, { body: 'the first', if_rev: 2 });
    assert.equal(overRest.rev, 3);
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/1`, { body: 'the first' });
    assert.equal((await bob.sees(room)).head, 3, 'what changes nothing takes no seq');
    const { nonce: _, ...forBob } = overRest;
    assert.deepEqual(await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages/1`), forBob);
    assert.equal((await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`)).items[0].body, 'the first');
    const versions = (await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages/1/versions`)).items;
    assert.deepEqual(versions.map(({ rev, body }) => [rev, body]), [[1, 'frist'], [2, 'first'], [3, 'the first']]);
    await bob.api.refused('forbidden', 'GET', `/rooms/${room.id}/messages/1/versions`);
    for (const body of [null, ' ', '', 7]) {
      assert.equal((await alice.api.refused('invalid_request', 'PATCH', `/rooms/${room.id}/messages/1`, { body })).field, 'body', JSON.stringify(body));
      assert.equal((await mine.refused('invalid_request', 'edit message', { room: room.id, seq: 1, body })).field, 'body', JSON.stringify(body));
    }
    await theirs.until('message edited', ({ seq }) => seq === 3);
    assert.deepEqual(shown(theirs, room), [[1, 3, 'the first']]);
  });

  it('what one client sends and edits at once arrives in that order', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    for (let seq = 1; seq < 40; seq += 2) {
      const [sent, edited] = await Promise.all([
        mine.must('message', { room: room.id, body: `said ${seq}` }),
        mine.must('edit message', { room: room.id, seq, body: `edited ${seq}` }),
      ]);
      assert.deepEqual([sent.message.seq, edited.message.seq, edited.message.rev], [seq, seq, seq + 1]);
    }
    await theirs.until('message edited', ({ seq }) => seq === 40);
    assert.ok(shown(theirs, room).every(([seq, rev, body]) => rev === seq + 1 && body === `edited ${seq}`));
  });

  it('a deletion leaves its place, and is told to who was away as if nothing had been said', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await mine.must('message', { room: room.id, body: 'before' });
    const { cursor } = await theirs.until('new message');
    theirs.close();
    await mine.must('message', { room: room.id, body: 'the secret', nonce: 'n' });
    await mine.must('edit message', { room: room.id, seq: 2, body: 'the other secret' });
    await mine.must('react', { room: room.id, seq: 2, emoji: '🤫', on: true });
    await mine.must('pin message', { room: room.id, seq: 2 });
    const { message } = await mine.must('delete message', { room: room.id, seq: 2, reason: 'said too much' });
    assert.deepEqual([message.body, message.rev, message.deleted_by, message.nonce], ['', 6, alice.username, 'n']);
    assert.deepEqual((await mine.must('delete message', { room: room.id, seq: 2 })).message, message, 'again is fine');
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/messages/2`);
    const back = await bob.connect({ cursor });
    const replayed = back.durable((data) => data.room === room.id);
    assert.deepEqual(replayed.map(({ name, data }) => [name, data.seq]), [['new message', 2], ['message edited', 3], ['reactions changed', 4], ['message pinned', 5], ['message deleted', 6]]);
    assert.doesNotMatch(JSON.stringify(replayed), /secret|🤫/);
    assert.equal(replayed[4].data.reason, 'said too much');
    assert.deepEqual(replayed[2].data.reactions, []);
    assert.equal('by' in replayed[2].data, false);
    const seen = await bob.sees(room);
    assert.deepEqual([seen.unread, seen.last_message.body, seen.last_message.seq], [1, '', 2]);
    assert.deepEqual((await bob.api.ok(200, 'GET', `/rooms/${room.id}/pins`)).items, []);
    assert.deepEqual((await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages/2/versions`)).items, []);
    assert.deepEqual((await bob.api.ok(200, 'GET', '/messages/search?q=secret')).items, []);
    const again = await alice.api.ok(200, 'POST', `/rooms/${room.id}/messages`, { body: 'the secret', nonce: 'n' });
    assert.deepEqual([again.body, again.rev], ['', 6], 'a late retry does not bring it back');
    for (const [method, path, body] of [['PATCH', 'messages/2', { body: 'back' }], ['PUT', 'messages/2/reactions/x'], ['PUT', 'pins/2']]) {
      assert.equal((await alice.api.refused('conflict', method, `/rooms/${room.id}/${path}`, body)).field, 'seq');
    }
  });

  it('several are deleted at once, all or none', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    for (const who of [alice, bob, alice]) await who.says(room, 'x');
    await bob.api.refused('forbidden', 'POST', `/rooms/${room.id}/messages/delete`, { seqs: [1, 2] });
    assert.deepEqual(await alice.api.ok(200, 'POST', `/rooms/${room.id}/messages/delete`, { seqs: [3, 2, 99] }), { items: [2, 3] });
    for (const wrong of [[], Array.from({ length: 101 }, (_, n) => n + 1), ['x'], [1.5]]) {
      assert.ok((await alice.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages/delete`, { seqs: wrong })).field.startsWith('seqs'));
    }
  });

  it('reactions are counted, named, and the same whoever asks', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await alice.says(room, 'x');
    const { reactions } = await theirs.must('react', { room: room.id, seq: 1, emoji: '❤\ufe0f', on: true });
    assert.deepEqual(reactions, [{ emoji: '❤', count: 1, usernames: [bob.username], mine: true }]);
    const { cursor, ...heard } = await mine.until('reactions changed');
    assert.deepEqual(heard, { room: room.id, seq: 2, ref: 1, by: bob.username, emoji: '❤', on: true, reactions: [{ emoji: '❤', count: 1, usernames: [bob.username] }] });
    const path = `/rooms/${room.id}/messages/1/reactions/`;
    await alice.api.ok(200, 'PUT', `${path}${encodeURIComponent(':party:')}`);
    const both = await alice.api.ok(200, 'PUT', `${path}${encodeURIComponent('❤️')}`);
    assert.deepEqual(both.reactions, [
      { emoji: '❤', count: 2, usernames: [bob.username, alice.username], mine: true },
      { emoji: ':party:', count: 1, usernames: [alice.username], mine: true },
    ]);
    const [item] = (await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages`)).items;
    assert.deepEqual(item.reactions.map(({ mine: own }) => own), [true, false]);
    const page = await bob.api.ok(200, 'GET', `${path}${encodeURIComponent('❤')}?limit=1`);
    assert.deepEqual([page.items[0].username, typeof page.next], [bob.username, 'string']);
    assert.deepEqual((await bob.api.ok(200, 'GET', `${path}${encodeURIComponent('❤')}?after=${page.next}`)).items.map(({ username }) => username), [alice.username]);
    await bob.api.ok(200, 'DELETE', `${path}${encodeURIComponent('❤')}`);
    assert.deepEqual((await bob.api.ok(200, 'DELETE', `${path}${encodeURIComponent('❤')}`)).reactions.map(({ count, mine: own }) => [count, own]), [[1, false], [1, false]]);
    for (const wrong of ['a b', 'x'.repeat(65), '\u0007', '']) {
      assert.equal((await mine.refused('invalid_request', 'react', { room: room.id, seq: 1, emoji: wrong, on: true })).field, 'emoji', JSON.stringify(wrong));
    }
    assert.equal((await alice.api.refused('invalid_request', 'PUT', `${path}${encodeURIComponent('a/b')}`)).field, 'emoji');
    const storm = await Promise.all(Array.from({ length: 20 }, () => theirs.must('react', { room: room.id, seq: 1, emoji: '🌩', on: true })));
    assert.ok(storm.every((ack) => ack.reactions.find(({ emoji }) => emoji === '🌩').count === 1));
    await mine.until('reactions changed', ({ emoji }) => emoji === '🌩');
    assert.equal(mine.count('reactions changed', ({ emoji }) => emoji === '🌩'), 1);
  });

  it('a reply shows what it answers, and what that has become', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await mine.must('message', { room: room.id, body: 'tea or coffee?' });
    const { message } = await theirs.must('message', { room: room.id, body: 'tea', reply_to: 1 });
    assert.deepEqual(message.reply_to, { seq: 1, sender: alice.username, body: 'tea or coffee?' });
    assert.deepEqual((await mine.until('new message', ({ seq }) => seq === 2)).reply_to, message.reply_to);
    assert.equal((await theirs.refused('invalid_request', 'message', { room: room.id, body: 'x', reply_to: 7 })).field, 'reply_to');
    await mine.must('delete message', { room: room.id, seq: 1 });
    assert.equal((await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages/2`)).reply_to.body, '');
  });

  it('a message carries a type, a format and metadata; a room a topic and metadata', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const theirs = await bob.connect();
    const metadata = { options: ['tea', 'coffee'], closes: 1.5, nested: { a: null } };
    const sent = await alice.api.ok(201, 'POST', `/rooms/${room.id}/messages`, { body: '', type: 'poll', format: 'markdown', metadata });
    assert.deepEqual([sent.type, sent.format, sent.metadata, sent.body], ['poll', 'markdown', metadata, '']);
    assert.deepEqual((await theirs.until('new message')).metadata, metadata);
    const edited = await alice.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/1`, { body: 'closed', format: null, metadata: { closes: null, result: 'tea' } });
    assert.deepEqual([edited.format, edited.metadata], [undefined, { options: ['tea', 'coffee'], nested: { a: null }, result: 'tea' }]);
    for (const [field, wrong] of [
      ['type', { type: 'A' }], ['type', { type: '' }], ['format', { format: 'html' }], ['metadata', { metadata: [1] }], ['metadata', { metadata: 'x' }],
      ['metadata', { metadata: { a: 'x'.repeat(5_000) } }], ['metadata', { metadata: { a: { b: { c: { d: { e: {} } } } } } }],
      ['reply_to', { reply_to: 'x' }], ['reply_to', { reply_to: 1.5 }],
    ]) {
      assert.equal((await alice.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages`, { body: 'x', ...wrong })).field, field, JSON.stringify(wrong).slice(0, 80));
    }
    const now = await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { topic: 'tea', metadata: { colour: 'green' }, if_rev: 0 });
    assert.deepEqual([now.topic, now.metadata, now.rev, now.name], ['tea', { colour: 'green' }, 3, 'g']);
    const { cursor, ...heard } = await theirs.until('room updated');
    assert.deepEqual(heard, { room: room.id, seq: 3, by: alice.username, name: 'g', topic: 'tea', metadata: { colour: 'green' } });
    assert.equal((await alice.api.refused('conflict', 'PATCH', `/rooms/${room.id}`, { topic: 'coffee', if_rev: 0 })).field, 'if_rev');
    await bob.api.refused('forbidden', 'PATCH', `/rooms/${room.id}`, { topic: 'coffee' });
    assert.equal((await alice.api.refused('invalid_request', 'PATCH', `/rooms/${room.id}`, { topic: 'x'.repeat(501) })).field, 'topic');
    assert.equal('topic' in (await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { topic: null })), false);
  });

  it('a user has a status and metadata; contacts and oneself hear of them, others do not', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob], { name: 'g' });
    const [mine, theirs, stranger] = await Promise.all([alice, bob, carol].map((one) => one.connect()));
    const before = await alice.api.ok(200, 'GET', '/users/me');
    assert.deepEqual(['status' in before, 'metadata' in before], [false, false], 'absent until used');
    const metadata = { office: { city: 'Lyon', floor: 3 }, pronouns: 'she' };
    const now = await alice.api.ok(200, 'PATCH', '/users/me', { status: ' Out for  lunch 🍜 ', metadata });
    assert.deepEqual([now.status, now.metadata, now.display_name], ['Out for lunch 🍜', metadata, before.display_name]);
    const { online: _, ...user } = now;
    assert.deepEqual(await theirs.until('user updated'), { user });
    assert.deepEqual(await mine.until('user updated'), { user });
    const kept = await alice.api.ok(200, 'PATCH', '/users/me', { metadata: { office: { floor: null }, pronouns: null } });
    await theirs.until('user updated', (one) => !('pronouns' in one.user.metadata));
    assert.deepEqual([kept.status, kept.metadata], [now.status, { office: { city: 'Lyon' } }], 'a merge patch; the status stays');
    await alice.api.ok(200, 'PATCH', '/users/me', { status: kept.status, metadata: { office: { city: 'Lyon' } } });
    await alice.api.ok(200, 'PATCH', '/users/me', {});
    const isKept = (one) => assert.deepEqual([one.status, one.metadata], [kept.status, kept.metadata]) ?? true;
    const listed = async (path) => (await bob.api.ok(200, 'GET', path)).items.find(({ id }) => id === user.id);
    isKept(await bob.api.ok(200, 'GET', `/users/${alice.username}`));
    for (const path of [`/users?prefix=${alice.username}`, '/users/online?limit=100']) isKept(await listed(path));
    // Another process may remember the user, and forgets them when it hears of the change.
    await eventually("the room's members show it", async () => isKept(await listed(`/rooms/${room.id}/members`)));
    await eventually('a new connection shows it', async () => isKept((await (await alice.connect()).until('ready')).user));
    const query = `{ user(username: "${alice.username}") { status metadata } room(id: "${room.id}") { members { nodes { username status } } } }`;
    const { data } = await bob.api.ok(200, 'POST', '/graphql', { query });
    assert.deepEqual(data.user, { status: kept.status, metadata: kept.metadata });
    assert.equal(data.room.members.nodes.find(({ username }) => username === alice.username).status, kept.status);
    for (const [field, wrong] of [
      ['status', { status: 'x'.repeat(141) }], ['status', { status: 'a\nb' }], ['status', { status: '\u202ehcnul' }], ['status', { status: {} }],
      ['metadata', { metadata: { a: 'x'.repeat(5_000) } }], ['metadata', { metadata: { a: { b: { c: { d: { e: {} } } } } } }], ['metadata', { metadata: 'x' }],
    ]) {
      assert.equal((await alice.api.refused('invalid_request', 'PATCH', '/users/me', wrong)).field, field, JSON.stringify(wrong).slice(0, 80));
    }
    const cleared = await alice.api.ok(200, 'PATCH', '/users/me', { status: null, metadata: null, display_name: 'Al' });
    assert.deepEqual(['status' in cleared, 'metadata' in cleared, cleared.display_name], [false, false, 'Al']);
    await theirs.until('user updated', (one) => one.user.display_name === 'Al');
    assert.equal(theirs.count('user updated'), 3, 'once for each change, and never for what changes nothing');
    await stranger.settled((await carol.room([], { name: 'own' })).id);
    assert.equal(stranger.count('user updated'), 0);
  });

  it('history around a message, pins, and the events of a room', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    for (let n = 1; n <= 9; n += 1) await alice.says(room, `${n}`);
    const around = await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages?around=5&limit=4`);
    assert.deepEqual([seqs(around.items), around.before, around.next], [[3, 4, 5, 6], 3, '6']);
    assert.equal((await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages?around=1&limit=4`)).before, null);
    await bob.api.refused('invalid_request', 'GET', `/rooms/${room.id}/messages?around=5&before=3`);
    for (const seq of [2, 7]) await bob.api.ok(204, 'PUT', `/rooms/${room.id}/pins/${seq}`);
    assert.deepEqual(seqs((await alice.api.ok(200, 'GET', `/rooms/${room.id}/pins`)).items), [7, 2]);
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/pins/7`);
    assert.equal((await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages/2`)).pinned_by, bob.username);
    const events = async (query) => {
      const page = await bob.api.ok(200, 'GET', `/rooms/${room.id}/events?${query}`);
      return [page.items.map(({ event, data }) => [event, data.seq]), page.next];
    };
    assert.deepEqual(await events('after=8&limit=3'), [[['new message', 9], ['message pinned', 10], ['message pinned', 11]], '11']);
    assert.deepEqual(await events('after=11'), [[['message unpinned', 12]], null]);
    const [{ data }] = (await bob.api.ok(200, 'GET', `/rooms/${room.id}/events?limit=1`)).items;
    assert.deepEqual(data, await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages/1`), 'an event is what a socket hears, without a cursor');
    await bob.api.refused('invalid_request', 'GET', `/rooms/${room.id}/events?limit=501`);
  });

  it('GraphQL tells all of it, with a fixed number of reads', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    await alice.says(room, 'tea or coffee?');
    await bob.api.ok(201, 'POST', `/rooms/${room.id}/messages`, { body: 'tea', reply_to: 1, type: 'vote', format: 'markdown', metadata: { n: 1 } });
    await bob.api.ok(200, 'PUT', `/rooms/${room.id}/messages/1/reactions/x`);
    await alice.api.ok(204, 'PUT', `/rooms/${room.id}/pins/2`);
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/1`, { body: 'tea?' });
    await alice.says(room, 'gone');
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/messages/6`);
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { topic: 'drinks', metadata: { a: 1 } });
    const query = `{ room(id: "${room.id}") { topic metadata rev pins(first: 1) { nodes { seq pinnedBy { username } } pageInfo { hasNextPage } } messages { nodes { seq rev body type format metadata editedAt deletedAt deletedBy { username }
      pinnedAt pinnedBy { username } replyTo { seq body sender { username } } reactions { emoji count usernames mine } } } } }`;
    const { data, errors } = await bob.api.ok(200, 'POST', '/graphql', { query });
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.deepEqual([data.room.topic, data.room.metadata, data.room.rev], ['drinks', { a: 1 }, 8]);
    assert.deepEqual(data.room.pins, { nodes: [{ seq: 2, pinnedBy: { username: alice.username } }], pageInfo: { hasNextPage: false } });
    const [first, second, third] = data.room.messages.nodes;
    assert.deepEqual([first.rev, first.body, typeof first.editedAt, first.reactions], [5, 'tea?', 'string', [{ emoji: 'x', count: 1, usernames: [bob.username], mine: true }]]);
    assert.deepEqual([second.type, second.format, second.metadata, second.replyTo], ['vote', 'MARKDOWN', { n: 1 }, { seq: 1, body: 'tea?', sender: { username: alice.username } }]);
    assert.deepEqual([second.pinnedBy.username, typeof second.pinnedAt], [alice.username, 'string']);
    assert.deepEqual([third.body, third.deletedBy.username, typeof third.deletedAt], ['', alice.username, 'string']);
  });

  it('whoever changes what at once: every screen ends the same, and as the log has it', async ({ people }) => {
    const [alice, bob, room] = await group(people);
    const wires = await Promise.all([alice.connect(), bob.connect(), bob.connect({ transport: 'polling' })]);
    await pipelined(10, (n) => wires[n % 2].must('message', { room: room.id, body: `${n}` }));
    const change = (wire, n) => {
      const message = { room: room.id, seq: 1 + (n % 10) };
      const verbs = [['edit message', { body: `edited ${n}` }], ['react', { emoji: ['👍', '❤'][n % 2], on: n % 3 > 0 }], ['pin message', {}], ['unpin message', {}], ['delete message', {}]];
      const [name, more] = verbs[(n * 7 + (n >> 3)) % (n > 60 ? 5 : 4)];
      return wire.ask(name, { ...message, ...more });
    };
    const acks = await pipelined(90, (n) => change(wires[n % 2], n));
    assert.ok(acks.every((ack) => ack.ok || ['forbidden', 'conflict', 'rate_limited'].includes(ack.error.code)), JSON.stringify(acks.find((ack) => !ack.ok && !['forbidden', 'conflict', 'rate_limited'].includes(ack.error.code))));
    const { head } = await alice.sees(room);
    for (const wire of wires) await wire.untilTrue('the newest event', () => wire.durable((data) => data.room === room.id && data.seq === head).length > 0);
    const history = (await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages`)).items;
    for (const wire of wires) {
      const got = wire.durable((data) => data.room === room.id);
      assert.deepEqual(got.map(({ data }) => data.seq), Array.from({ length: head }, (_, n) => n + 1), 'each once, in order');
      const texts = new Map(shown(wire, room).map(([seq, , body]) => [seq, body]));
      assert.deepEqual(history.map(({ seq, body }) => [seq, body]), history.map(({ seq }) => [seq, texts.get(seq)]));
      const reactions = new Map(got.filter(({ name }) => name === 'reactions changed').map(({ data }) => [data.ref, data.reactions]));
      for (const message of history.filter(({ deleted_at: deleted }) => !deleted)) {
        assert.deepEqual((message.reactions ?? []).map(({ emoji, count }) => [emoji, count]), (reactions.get(message.seq) ?? []).map(({ emoji, count }) => [emoji, count]));
      }
    }
  });

  it('changes have a limit of their own', async ({ start, stage }) => {
    const server = await start({ settings: { GUILD_LIMITS_CHANGES_PER_SECOND: '20', GUILD_LIMITS_CHANGES_BURST: '60' } });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    await alice.says(room, 'x');
    const wire = await alice.connect();
    const acks = await pipelined(150, (n) => wire.ask('react', { room: room.id, seq: 1, emoji: '👍', on: n % 2 === 0 }));
    const refused = acks.filter((ack) => !ack.ok);
    assert.ok(refused.length > 5 && refused.every(({ error }) => error.code === 'rate_limited' && error.retry_after_ms > 0), `${refused.length} refused`);
    await wire.must('message', { room: room.id, body: 'sends have another' });
  });

  it('deleted words are in no file of the database', async ({ start, stage, t }) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    const words = ['zwergpinscher', 'quarkkuchen', 'xylophonspieler'];
    // Enough that the index writes and merges segments, and some of it is deleted after that.
    for (let n = 0; n < 300; n += 1) await alice.says(room, `${n % 100 === 50 ? words[0] : 'plain'} words ${n}`);
    const told = (await alice.api.ok(200, 'GET', '/messages/search?q=zwergpinscher')).items;
    assert.equal(told.length, 3);
    for (const { message } of told) {
      await alice.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/${message.seq}`, { body: `${words[1]} instead`, metadata: { note: words[2] } });
      await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/messages/${message.seq}`);
    }
    await server.stop();
    const files = server.shape.postgres ? atRest(server) : server.stored();
    const found = files.filter(({ bytes }) => words.some((word) => bytes.includes(word)));
    assert.deepEqual(found.map(({ name }) => name), []);
    assert.ok(files.some(({ bytes }) => bytes.includes('words 299')), 'these are the files that hold the messages');
    t.diagnostic(`${files.length} files, ${files.reduce((sum, { bytes }) => sum + bytes.length, 0)} bytes`);
  }, { timeout: 120_000 });
});
