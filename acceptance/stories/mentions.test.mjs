// Mentions: whom a message names, over REST and over the socket: what counts until it is read, edits, deletions and threads, who may mention
// everybody, lists and search.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { pipelined } from '../lib/wait.mjs';

const seqs = (list) => list.map(({ seq }) => seq);

story('mentions', {}, (it) => {
  const group = async (people) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    return [alice, bob, carol, await alice.room([bob, carol], { name: 'g' })];
  };
  const send = (who, room, mentions, more = {}) => who.api.ok(201, 'POST', `/rooms/${room.id}/messages`, { body: 'hey', mentions, ...more });
  const edit = (who, room, seq, change) => who.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/${seq}`, change);
  const mentioning = async (who) => (await who.api.ok(200, 'GET', '/users/me/mentions')).items;
  const searched = async (who, query) => (await who.api.ok(200, 'GET', `/messages/search?${query}`)).items.map(({ message }) => message.seq);
  const counts = (room, ...everybody) => Promise.all(everybody.map(async (who) => (await who.sees(room)).mentions));
  const read = (who, room, seq) => who.api.ok(200, 'PUT', `/rooms/${room.id}/read`, { seq });

  it('a message is for whom it names, and counts until it is read', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    const named = { users: [bob.username, alice.username] };
    const { message, warnings } = await mine.must('message', { room: room.id, body: 'hey', nonce: 'n', mentions: { users: [...named.users, bob.username] } });
    assert.deepEqual([message.mentions, warnings], [named, undefined], 'each once, as named');
    const { nonce: _, ...others } = message;
    const { cursor, ...heard } = await theirs.until('new message');
    assert.deepEqual(heard, others, 'every member hears whom it is for');
    assert.equal(typeof cursor, 'string');
    const again = await mine.must('message', { room: room.id, body: 'hey', nonce: 'n', mentions: named });
    assert.deepEqual([again.message.seq, again.message.mentions], [1, named]);
    assert.deepEqual((await send(alice, room, { users: [], room: true })).mentions, { room: true });
    assert.equal('mentions' in (await alice.says(room, `@${bob.username}`)), false, 'a text is never read for it');
    assert.equal('mentions' in (await send(alice, room, {})), false);

    assert.deepEqual(await counts(room, alice, bob, carol), [0, 2, 1], 'not what one has sent oneself');
    const listed = (await bob.api.ok(200, 'GET', '/users/me/rooms')).items.find(({ id }) => id === room.id);
    assert.deepEqual([listed.mentions, listed.unread], [2, 4]);
    assert.deepEqual([seqs(await mentioning(alice)), seqs(await mentioning(bob)), seqs(await mentioning(carol))], [[], [2, 1], [2]]);
    assert.deepEqual((await mentioning(carol))[0].mentions, { room: true });
    const first = await bob.api.ok(200, 'GET', '/users/me/mentions?limit=1');
    const second = await bob.api.ok(200, 'GET', `/users/me/mentions?limit=1&after=${encodeURIComponent(first.next)}`);
    assert.deepEqual([seqs(first.items), seqs(second.items), second.next], [[2], [1], null]);
    await read(bob, room, 1);
    assert.deepEqual(await counts(room, bob), [1]);
    await read(bob, room, 4);
    assert.deepEqual([await counts(room, bob), seqs(await mentioning(bob))], [[0], [2, 1]], 'what is read is listed as before');
  });

  it('an edit and a deletion move what counts, and who was away hears of it', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await alice.says(room, 'first');
    const { cursor } = await theirs.until('new message');
    theirs.close();
    await send(alice, room, { users: [bob.username] });
    const { message } = await mine.must('edit message', { room: room.id, seq: 2, mentions: { users: [carol.username] } });
    assert.deepEqual([message.mentions, message.rev], [{ users: [carol.username] }, 3]);
    assert.deepEqual(await counts(room, bob, carol), [0, 1]);
    assert.deepEqual((await edit(alice, room, 2, { body: 'other words' })).mentions, { users: [carol.username] }, 'what is left out stays');
    const back = await bob.connect({ cursor });
    const replayed = back.durable((data) => data.room === room.id).map(({ name, data }) => [name, data.seq, data.mentions ?? data.message.mentions]);
    const now = { users: [carol.username] };
    assert.deepEqual(replayed, [['new message', 2, now], ['message edited', 3, now], ['message edited', 4, now]]);
    assert.equal('mentions' in (await edit(alice, room, 2, { mentions: null })), false);
    assert.deepEqual(await counts(room, bob, carol), [0, 0]);
    await edit(alice, room, 2, { mentions: { room: true } });
    assert.deepEqual([await counts(room, bob, carol), seqs(await mentioning(bob))], [[1, 1], [2]]);
    const { message: left } = await mine.must('delete message', { room: room.id, seq: 2 });
    assert.equal('mentions' in left, false);
    assert.deepEqual([await counts(room, bob, carol), await mentioning(bob)], [[0, 0], []]);
  });

  it('a mention in a thread counts until the thread is read', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    await alice.says(room, 'root');
    await send(alice, room, { users: [bob.username] }, { thread: 1 });
    assert.deepEqual(await counts(room, bob, carol), [1, 0]);
    assert.equal((await bob.sees(room)).unread_threads, 1, 'who is mentioned follows');
    await read(bob, room, 2);
    assert.deepEqual(await counts(room, bob), [1], 'the room\'s mark does not pass it');
    await bob.api.ok(200, 'PUT', `/rooms/${room.id}/threads/1/read`, { seq: 2 });
    assert.deepEqual(await counts(room, bob), [0]);
    await send(alice, room, { users: [carol.username] }, { thread: 1, also_in_room: true });
    assert.deepEqual(await counts(room, carol), [1]);
    await read(carol, room, 3);
    assert.deepEqual(await counts(room, carol), [0], 'what stands in the room too is read with it');
  });

  it('in a large room only the owner mentions everybody: of others it is dropped, and a warning says so', async ({ start, stage }) => {
    // a crowd without passwords, as in "rooms"
    const server = await start({ settings: { GUILD_AUTH_MODE: 'open' } });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const nobody = alice.api.as(undefined);
    const crowd = Array.from({ length: 99 }, (_, n) => `crowd-${n}`);
    await pipelined(crowd.length, (n) => nobody.ok(201, 'POST', '/users/login', { username: crowd[n] }), 10);
    const room = await alice.room([bob, ...crowd], { name: 'large' });
    assert.equal(room.member_count, 101);
    const dropped = (warnings) => {
      assert.deepEqual(warnings.map(({ code, field, ...rest }) => [code, field, Object.keys(rest)]), [['mention_dropped', 'mentions', ['detail']]]);
      assert.match(warnings[0].detail, /owner/);
    };
    const header = ({ headers }) => JSON.parse(headers.get('guild-warnings'));
    const theirs = await bob.connect();
    const { message, warnings } = await theirs.must('message', { room: room.id, body: 'x', mentions: { users: [alice.username], room: true } });
    dropped(warnings);
    assert.deepEqual(message.mentions, { users: [alice.username] }, 'the names stay');
    const sent = await bob.api.call('POST', `/rooms/${room.id}/messages`, { body: 'y', mentions: { room: true } });
    assert.deepEqual([sent.status, 'mentions' in sent.body, 'warnings' in sent.body], [201, false, false], sent.text);
    dropped(header(sent));
    const edited = await theirs.must('edit message', { room: room.id, seq: 2, body: 'z', mentions: { room: true } });
    dropped(edited.warnings);
    assert.deepEqual([edited.message.body, 'mentions' in edited.message], ['z', false]);
    dropped(header(await bob.api.call('PATCH', `/rooms/${room.id}/messages/2`, { mentions: { room: true } })));
    const both = (await theirs.must('message', { room: room.id, body: 'x', colour: 'red', mentions: { room: true } })).warnings;
    assert.deepEqual(both.map(({ code }) => code).sort(), ['mention_dropped', 'unknown_field']);
    assert.deepEqual([await counts(room, alice, bob), seqs(await mentioning(alice))], [[1, 0], [1]]);
    const owned = await alice.api.call('POST', `/rooms/${room.id}/messages`, { body: 'all of you', mentions: { room: true } });
    assert.deepEqual([owned.status, owned.body.mentions, owned.headers.get('guild-warnings')], [201, { room: true }, null]);
    assert.deepEqual(await counts(room, bob), [1]);
  });

  it('who is no member is not mentioned, and what is no mention is refused', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    const [dave] = await people('dave');
    const mine = await alice.connect();
    await alice.says(room, 'first');
    const many = Array.from({ length: 51 }, (_, n) => `n-${n}`);
    for (const mentions of [
      { users: [bob.username, dave.username] }, { users: ['nobody-is-called-so'] }, { users: many }, { users: 'bob' }, { users: ['NO NAME'] }, { users: [7] }, { room: 'yes' }, 'bob', 7,
    ]) {
      const what = JSON.stringify(mentions).slice(0, 60);
      for (const refused of [
        await mine.refused('invalid_request', 'message', { room: room.id, body: 'x', mentions }),
        await alice.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages`, { body: 'x', mentions }),
        await mine.refused('invalid_request', 'edit message', { room: room.id, seq: 1, mentions }),
        await alice.api.refused('invalid_request', 'PATCH', `/rooms/${room.id}/messages/1`, { mentions }),
      ]) assert.match(refused.field ?? '', /^mentions/, what);
    }
    await dave.api.refused('not_found', 'POST', `/rooms/${room.id}/messages`, { body: 'x', mentions: { users: [alice.username] } });
    assert.equal((await alice.sees(room)).head, 1, 'a refusal writes nothing');
    for (const [query, field] of [['after=x', 'after'], ['after=1.2', 'after'], ['limit=101', 'limit']]) {
      assert.equal((await alice.api.refused('invalid_request', 'GET', `/users/me/mentions?${query}`)).field, field);
    }
    for (const [query, field] of [[`mentions=${bob.username}`, 'mentions'], ['thread=1', 'thread'], ['mentions=me&q=*', 'q']]) {
      assert.equal((await alice.api.refused('invalid_request', 'GET', `/messages/search?${query}`)).field, field);
    }
    await send(alice, room, { users: [bob.username] });
    await bob.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${bob.username}`);
    assert.deepEqual(await mentioning(bob), [], 'who has left is told nothing more of the room');
  });

  it('a search finds what mentions one, and what is in a thread', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    await alice.says(room, 'hey');
    await send(alice, room, { users: [bob.username] });
    await send(alice, room, { room: true }, { thread: 1 });
    await send(bob, room, { users: [alice.username] }, { thread: 1, body: 'here' });
    assert.deepEqual(await searched(bob, 'mentions=me'), [3, 2]);
    assert.deepEqual(await searched(alice, 'mentions=me&q=here'), [4]);
    assert.deepEqual(await searched(alice, `room=${room.id}&thread=1`), [4, 3]);
    assert.deepEqual(await searched(alice, `room=${room.id}&thread=1&q=hey`), [3]);
    assert.deepEqual(await searched(bob, `room=${room.id}&thread=1&mentions=me`), [3]);
  });

  it('GraphQL tells mentions', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    await send(alice, room, { users: [bob.username] });
    await alice.says(room, 'plain');
    await send(alice, room, { room: true });
    const query = `query ($after: String) {
      me { mentions(first: 1, after: $after) { nodes { seq mentions { usernames room } sender { username } room { id mentions } } pageInfo { hasNextPage endCursor } } }
      user(username: "${bob.username}") { mentions { nodes { seq } } }
      room(id: "${room.id}") { mentions messages(last: 5) { nodes { seq mentions { usernames room } } } }
      search(mentionsMe: true) { nodes { message { seq } } }
    }`;
    const ask = async (after) => {
      const { data, errors } = await bob.api.ok(200, 'POST', '/graphql', { query, variables: { after } });
      assert.equal(errors, undefined, JSON.stringify(errors));
      return data;
    };
    const { me: { mentions: first }, ...data } = await ask(null);
    const everybody = { usernames: [], room: true };
    const sender = { username: alice.username };
    assert.deepEqual(first.nodes, [{ seq: 3, mentions: everybody, sender, room: { id: room.id, mentions: 2 } }]);
    assert.equal(first.pageInfo.hasNextPage, true);
    assert.equal(data.user.mentions, null, 'only "me" tells what mentions one');
    assert.deepEqual([data.room.mentions, data.room.messages.nodes.map(({ mentions }) => mentions)], [2, [{ usernames: [bob.username], room: false }, null, everybody]]);
    assert.deepEqual(data.search.nodes.map(({ message: { seq } }) => seq), [3, 1]);
    const { me: { mentions: rest } } = await ask(first.pageInfo.endCursor);
    assert.deepEqual([seqs(rest.nodes), rest.pageInfo.hasNextPage], [[1], false]);
    const { body } = await bob.api.post('/graphql', { query, variables: { after: 'x' } });
    assert.deepEqual([body.errors[0].extensions.code, body.errors[0].extensions.field], ['invalid_request', 'after']);
  });
});
