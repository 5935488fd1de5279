// Rooms of the three kinds: how they begin, who is in them, and who hears of it.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { pipelined } from '../lib/wait.mjs';

const NOWHERE = '01900000-0000-7000-8000-000000000000';

/** All pages of a list. */
async function everything(api, path, limit = 100) {
  const items = [];
  for (let after = ''; after !== null;) {
    const page = await api.ok(200, 'GET', `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${after && `&after=${encodeURIComponent(after)}`}`);
    items.push(...page.items);
    after = page.next;
  }
  return items;
}

story('rooms', {}, (it) => {
  it('two people and no name are a direct room, once per pair and for ever', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [left, right] = await Promise.all([alice.connect(), bob.connect()]);
    const first = await left.must('create room', { usernames: [bob.username] });
    assert.equal(first.created, true);
    assert.equal(first.room.kind, 'direct');
    assert.equal(first.room.name, null);
    assert.equal(first.room.member_count, 2);
    assert.equal(first.room.head, 0, "a room's creation takes no seq");
    assert.deepEqual([...first.room.usernames].sort(), [alice.username, bob.username].sort());
    await right.until('room created', ({ room }) => room.id === first.room.id);

    const again = await right.must('create room', { usernames: [alice.username] });
    assert.equal(again.created, false);
    assert.equal(again.room.id, first.room.id);
    const answer = await alice.api.post('/rooms', { usernames: [bob.username] });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.id, first.room.id);
    const named = await alice.api.post('/rooms', { usernames: [bob.username], kind: 'direct' });
    assert.equal(named.body.id, first.room.id);
    assert.equal((await left.must('create room', { usernames: [alice.username, bob.username] })).room.id, first.room.id, 'you are added, whether you name yourself or not');
    await left.settled(first.room.id);
    await right.settled(first.room.id);
    for (const wire of [left, right]) assert.equal(wire.count('room created'), 1, 'the second time is told to nobody');
  });

  it('a pair that creates its room at the same time gets one room', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [left, right] = await Promise.all([alice.connect(), bob.connect()]);
    const made = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? left.must('create room', { usernames: [bob.username] }) : right.must('create room', { usernames: [alice.username] }))));
    assert.equal(new Set(made.map((one) => one.room.id)).size, 1);
    assert.equal(made.filter((one) => one.created).length, 1);
  });

  it('groups have invited members, with or without a name', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const three = await alice.room([bob, carol]);
    assert.equal(three.kind, 'group');
    assert.equal(three.name, null);
    assert.equal(three.created_by, alice.username);
    assert.equal(three.member_count, 3);
    const two = await alice.room([bob], { name: 'us' });
    assert.equal(two.kind, 'group', 'two people and a name are a group');
    assert.equal(two.name, 'us');
    assert.equal((await alice.room([bob], { kind: 'group' })).kind, 'group');
    const alone = await alice.room([], { name: 'notes' });
    assert.equal(alone.kind, 'group');
    assert.deepEqual(alone.usernames, [alice.username]);
    assert.notEqual((await alice.room([bob, carol])).id, three.id, 'groups of the same people are many');
  });

  it('channels are named and listed, and anyone may join and leave', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [owner, guest] = await Promise.all([alice.connect(), bob.connect()]);
    const { room } = await owner.must('create room', { usernames: [], kind: 'channel', name: 'general 💬' });
    assert.equal(room.kind, 'channel');
    const listed = (await everything(bob.api, '/rooms')).find((one) => one.id === room.id);
    assert.equal(listed.name, 'general 💬');
    assert.equal((await bob.sees(room)).member_count, 1, 'a channel can be looked at');

    const joined = await guest.must('join room', { room: room.id });
    assert.equal(joined.room.id, room.id);
    assert.equal(joined.room.member_count, 2);
    const heard = await owner.until('member joined', (one) => one.room === room.id);
    assert.equal(heard.username, bob.username);
    assert.equal(heard.seq, 1, 'a join takes a seq');
    await guest.until('room created', (one) => one.room.id === room.id);
    await guest.until('member joined', (one) => one.room === room.id);
    await owner.must('message', { room: room.id, body: 'welcome' });
    assert.equal((await guest.until('new message', (one) => one.room === room.id)).seq, 2);

    const again = await guest.must('join room', { room: room.id });
    assert.equal(again.room.head, 2, 'who is in already is fine');
    const left = await guest.must('leave room', { room: room.id });
    assert.equal(left.room.id, room.id);
    for (const wire of [owner, guest]) {
      const gone = await wire.until('member left', (one) => one.room === room.id);
      assert.equal(gone.username, bob.username);
      assert.equal(gone.seq, 3);
    }
    await owner.must('message', { room: room.id, body: 'he left' });
    await owner.until('new message', ({ seq }) => seq === 4);
    assert.equal(owner.count('member joined'), 1, 'the second join was told to nobody');
    await bob.api.refused('forbidden', 'GET', `/rooms/${room.id}/messages`);
    assert.equal(guest.count('new message', ({ seq }) => seq === 4), 0);
    assert.ok((await everything(bob.api, '/rooms')).some((one) => one.id === room.id), 'a channel that one left is listed again');
  });

  it('REST joins and leaves a channel too', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const wire = await alice.connect();
    const room = await alice.room([], { kind: 'channel', name: 'by rest' });
    assert.equal((await bob.api.put(`/rooms/${room.id}/members/${bob.username}`)).status, 204);
    assert.equal((await bob.api.put(`/rooms/${room.id}/members/${bob.username}`)).status, 204, 'who is in already is fine');
    assert.equal((await wire.until('member joined')).username, bob.username);
    assert.equal((await bob.api.delete(`/rooms/${room.id}/members/${bob.username}`)).status, 204);
    assert.equal((await wire.until('member left')).username, bob.username);
    assert.equal((await alice.sees(room)).head, 2);
  });

  it('what a room needs is checked, with the field', async ({ people, nobody }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const wire = await alice.connect();
    const wrong = [
      ['name', { usernames: [], kind: 'channel' }],
      ['name', { usernames: [], kind: 'channel', name: ' ' }],
      ['name', { usernames: [bob.username], name: '' }],
      ['name', { usernames: [bob.username], name: 'x'.repeat(101) }],
      ['name', { usernames: [bob.username], name: 'a\0b' }],
      ['name', { usernames: [bob.username], name: 7 }],
      ['kind', { usernames: [bob.username], kind: 'party' }],
      ['usernames', { usernames: [bob.username, carol.username], kind: 'direct' }],
      ['usernames', { usernames: [], kind: 'direct' }],
      ['usernames', { usernames: [alice.username], kind: 'direct' }],
      ['usernames', { usernames: [] }],
      ['usernames', { usernames: 'bob' }],
      ['usernames', { usernames: [7] }],
      ['usernames', { usernames: ['not a username'] }],
      ['nonce', { usernames: [bob.username], nonce: '' }],
      ['nonce', { usernames: [bob.username], nonce: 'x'.repeat(65) }],
    ];
    for (const [field, request] of wrong) {
      const problem = await alice.api.refused('invalid_request', 'POST', '/rooms', request);
      assert.ok(problem.field?.startsWith(field), `field of ${JSON.stringify(request)}: ${JSON.stringify(problem)}`);
      const error = await wire.refused('invalid_request', 'create room', request);
      assert.ok(error.field?.startsWith(field), `field of ${JSON.stringify(request)}: ${JSON.stringify(error)}`);
    }
    const unknown = await alice.api.refused('not_found', 'POST', '/rooms', { usernames: [bob.username, 'nobody-is-called-so'] });
    assert.equal(unknown.field, 'usernames');
    assert.equal((await wire.refused('not_found', 'create room', { usernames: ['nobody-is-called-so'] })).field, 'usernames');
    assert.equal((await alice.room([bob], { name: '字'.repeat(100) })).name, '字'.repeat(100));
    await nobody.refused('unauthenticated', 'POST', '/rooms', { usernames: [bob.username] });
  });

  it('a room begins with up to 100 usernames, lists 100 and pages the rest', async ({ start, stage }) => {
    // a crowd without passwords: hashing a hundred of them is no part of this story
    const server = await start({ settings: { GUILD_AUTH_MODE: 'open' } });
    const [alice] = await stage.peopleOn(server, 'alice');
    const nobody = alice.api.as(undefined);
    const names = Array.from({ length: 101 }, (_, n) => `crowd-${String(n).padStart(3, '0')}`);
    await pipelined(names.length, (n) => nobody.ok(201, 'POST', '/users/login', { username: names[n] }), 10);
    const many = await alice.api.post('/rooms', { usernames: names, name: 'too many' });
    assert.ok(['invalid_request', 'too_large'].includes(many.body.code), many.text);
    assert.equal(many.body.field, 'usernames');
    const room = await alice.room(names.slice(0, 100), { name: 'a hundred' });
    assert.equal(room.member_count, 101);
    assert.equal(room.usernames.length, 100);
    assert.equal(room.usernames[0], alice.username);
    assert.equal((await alice.api.put(`/rooms/${room.id}/members/${names[100]}`)).status, 204);

    const page = await alice.api.ok(200, 'GET', `/rooms/${room.id}/members`);
    assert.equal(page.items.length, 50, '50 when limit is absent');
    assert.notEqual(page.next, null);
    const members = await everything(alice.api, `/rooms/${room.id}/members`, 40);
    assert.equal(members.length, 102);
    assert.deepEqual(members.map((one) => one.username).sort(), [alice.username, ...names].sort());
    for (const limit of [0, 101, 'x']) await alice.api.refused('invalid_request', 'GET', `/rooms/${room.id}/members?limit=${limit}`);
  });

  it('room created is encoded for each reader, and goes to every socket of every member and to nobody else', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const wires = await Promise.all([alice.connect(), alice.connect(), bob.connect(), bob.connect({ client: 3 })]);
    const stranger = await carol.connect();
    const { room } = await wires[0].must('create room', { usernames: [bob.username], name: 'for two' });
    for (const wire of wires) {
      const heard = await wire.until('room created', (one) => one.room.id === room.id);
      assert.equal(typeof heard.cursor, 'string');
      assert.deepEqual({ ...heard.room, last_message: null }, { ...room, last_message: null });
    }
    const own = await carol.room([], { name: 'own' });
    await stranger.settled(own.id);
    assert.equal(stranger.count('room created', (one) => one.room.id === room.id), 0);
  });

  it('who is added later gets room created before member joined, read up to the head, and the whole history', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const [owner, late] = await Promise.all([alice.connect(), carol.connect()]);
    const room = await alice.room([bob], { name: 'before carol' });
    for (const body of ['one', 'two', 'three']) await bob.says(room, body);
    assert.equal((await bob.api.put(`/rooms/${room.id}/members/${carol.username}`)).status, 204, 'any member of a group adds');
    const joined = await late.until('member joined', (one) => one.room === room.id);
    assert.equal(joined.seq, 4);
    assert.equal(joined.username, carol.username);
    const [first, second] = late.durable();
    assert.equal(first.name, 'room created');
    assert.equal(second.name, 'member joined');
    assert.equal(first.data.room.id, room.id);
    assert.equal(first.data.room.unread, 0);
    assert.equal(first.data.room.read, first.data.room.head, 'who is added later starts with read at the head');
    assert.equal((await owner.until('member joined')).username, carol.username);
    assert.equal(owner.count('room created', (one) => one.room.id === room.id), 1);
    const seen = await carol.sees(room);
    assert.equal(seen.unread, 0);
    assert.equal(seen.read, seen.head);
    assert.equal((await alice.sees(room)).unread, 3, 'each reader has an unread count of their own');
    const history = await carol.api.ok(200, 'GET', `/rooms/${room.id}/messages`);
    assert.deepEqual(history.items.map((one) => one.body), ['one', 'two', 'three'], "members read a room's whole history");
    assert.equal((await alice.api.put(`/rooms/${room.id}/members/${carol.username}`)).status, 204);
    assert.equal((await alice.sees(room)).head, 4, 'adding who is in already is told to nobody');
  });

  it('many members are added at once, all of them or none', async ({ people }) => {
    const [alice, bob, carol, dave] = await people('alice', 'bob', 'carol', 'dave');
    const [owner, late] = await Promise.all([alice.connect(), dave.connect()]);
    const room = await alice.room([bob], { name: 'in a row' });
    const path = `/rooms/${room.id}/members`;
    const unknown = await bob.api.refused('not_found', 'PUT', path, { usernames: [carol.username, 'nobody-is-called-so'] });
    assert.equal(unknown.field, 'usernames');
    for (const usernames of [undefined, 'carol', [7], ['not a username'], Array.from({ length: 101 }, (_, n) => `crowd-${n}`)]) {
      const problem = await bob.api.refused('invalid_request', 'PUT', path, { usernames });
      assert.ok(problem.field?.startsWith('usernames'), JSON.stringify(problem));
    }
    assert.equal((await alice.sees(room)).member_count, 2, 'nobody is added then');
    await bob.api.ok(204, 'PUT', path, { usernames: [dave.username, bob.username, carol.username, dave.username] });
    await owner.until('member joined', (one) => one.username === carol.username);
    const told = owner.durable().filter(({ name }) => name === 'member joined').map(({ data }) => [data.seq, data.username]);
    assert.deepEqual(told, [[1, dave.username], [2, carol.username]], 'in the order given, each once');
    await late.until('member joined', (one) => one.username === carol.username);
    assert.deepEqual(late.durable().map(({ name }) => name), ['room created', 'member joined', 'member joined']);
    await bob.api.ok(204, 'PUT', path, { usernames: [alice.username, carol.username] });
    assert.deepEqual([(await alice.sees(room)).head, (await alice.sees(room)).member_count], [2, 4], 'who is in already is told to nobody');
  });

  it('an owner removes members, a member leaves, and both are told', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const wires = await Promise.all([alice, bob, carol].map((one) => one.connect()));
    const room = await alice.room([bob, carol]);
    assert.equal((await alice.api.delete(`/rooms/${room.id}/members/${bob.username}`)).status, 204);
    for (const wire of wires) {
      const gone = await wire.until('member left', (one) => one.room === room.id);
      assert.equal(gone.username, bob.username);
      assert.equal(gone.seq, 1);
    }
    await bob.api.refused('not_found', 'GET', `/rooms/${room.id}`);
    assert.deepEqual(await everything(bob.api, '/users/me/rooms'), []);
    await carol.says(room, 'bob is gone');
    assert.equal((await wires[2].must('leave room', { room: room.id })).ok, true);
    await wires[0].until('member left', (one) => one.username === carol.username);
    await wires[2].until('member left', (one) => one.username === carol.username);
    assert.equal(wires[1].count('new message'), 0);
    assert.equal(wires[1].count('member left'), 1);
    assert.deepEqual((await alice.sees(room)).usernames, [alice.username]);
    await alice.api.refused('not_found', 'DELETE', `/rooms/${room.id}/members/${bob.username}`);
    await alice.api.refused('not_found', 'PUT', `/rooms/${room.id}/members/nobody-is-called-so`);
  });

  it('when the owner leaves, the longest-standing member owns the room', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob], { name: 'heirs' });
    await alice.api.ok(204, 'PUT', `/rooms/${room.id}/members/${carol.username}`);
    await bob.api.refused('forbidden', 'PATCH', `/rooms/${room.id}`, { name: 'mine' });
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${alice.username}`);
    assert.equal((await carol.sees(room)).created_by, bob.username);
    await carol.api.refused('forbidden', 'PATCH', `/rooms/${room.id}`, { name: 'mine' });
    await bob.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'mine' });
    await bob.api.ok(204, 'PUT', `/rooms/${room.id}/members/${alice.username}`);
    assert.equal((await alice.sees(room)).created_by, bob.username, 'coming back does not bring the ownership back');
    await bob.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${bob.username}`);
    assert.equal((await alice.sees(room)).created_by, carol.username);
  });

  it('an owner renames the room, and every member hears it', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const wires = await Promise.all([alice.connect(), bob.connect()]);
    const room = await alice.room([bob], { name: 'old' });
    const renamed = await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'new' });
    assert.equal(renamed.name, 'new');
    assert.equal(renamed.head, 1, 'a rename takes a seq');
    for (const wire of wires) {
      const heard = await wire.until('room updated');
      assert.equal(heard.room, room.id);
      assert.equal(heard.seq, 1);
      assert.equal(heard.name, 'new');
      assert.equal(typeof heard.cursor, 'string');
    }
    assert.equal((await bob.sees(room)).name, 'new');
    for (const name of ['', ' ', 'x'.repeat(101), null, 4]) {
      const problem = await alice.api.refused('invalid_request', 'PATCH', `/rooms/${room.id}`, { name });
      assert.equal(problem.field, 'name', JSON.stringify(name));
    }
  });

  it("one's rooms come newest activity first, in pages; only one's own", async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const rooms = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) rooms.push(await alice.room([bob], { name }));
    await alice.says(rooms[1], 'x');
    await bob.says(rooms[0], 'y');
    const expected = [0, 1, 4, 3, 2].map((n) => rooms[n].id);
    assert.deepEqual((await everything(alice.api, '/users/me/rooms')).map((one) => one.id), expected);
    assert.deepEqual((await everything(alice.api, `/users/${alice.username}/rooms`, 2)).map((one) => one.id), expected);
    const [newest] = (await bob.api.ok(200, 'GET', '/users/me/rooms?limit=1')).items;
    assert.equal(newest.id, rooms[0].id);
    assert.equal(newest.last_message.body, 'y');
    assert.equal(newest.last_message.sender, bob.username);
    await alice.api.refused('forbidden', 'GET', `/users/${bob.username}/rooms`);
    await alice.api.refused('not_found', 'GET', '/users/no%20username/rooms');
    for (const limit of [0, 101, 'x', -1]) await alice.api.refused('invalid_request', 'GET', `/users/me/rooms?limit=${limit}`);
  });

  it('GET /rooms lists channels only, in pages', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const made = [];
    for (const n of [1, 2, 3, 4, 5]) made.push((await alice.room([], { kind: 'channel', name: `paged ${n}` })).id);
    const hidden = await alice.room([], { name: 'not listed' });
    const listed = (await everything(bob.api, '/rooms', 2)).map((one) => one.id);
    for (const id of made) assert.equal(listed.filter((one) => one === id).length, 1);
    await bob.api.refused('invalid_request', 'GET', '/rooms?limit=0');
    assert.equal(listed.includes(hidden.id), false);
  });

  it('a nonce makes a retry of create room return the first room', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [wire, other] = await Promise.all([alice.connect(), bob.connect()]);
    const request = { usernames: [bob.username], name: 'once', nonce: 'create-1' };
    const first = await wire.must('create room', request);
    const again = await wire.must('create room', request);
    assert.equal(first.created, true);
    assert.equal(again.created, false);
    assert.equal(again.room.id, first.room.id);
    const answer = await alice.api.post('/rooms', request);
    assert.ok([200, 201].includes(answer.status));
    assert.equal(answer.body.id, first.room.id);
    const racing = await Promise.all(Array.from({ length: 8 }, () => wire.must('create room', { ...request, nonce: 'create-2' })));
    assert.equal(new Set(racing.map((one) => one.room.id)).size, 1);
    const theirs = await other.must('create room', { usernames: [alice.username], name: 'mine', nonce: 'create-1' });
    assert.notEqual(theirs.room.id, first.room.id, "a nonce is its sender's own");
    await wire.settled(first.room.id);
    assert.equal(wire.count('room created', (one) => one.room.id === first.room.id), 1);
  });

  it('the nonce of a room that one has left says no more of it than anybody is told', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const wire = await alice.connect();
    for (const kind of ['group', 'channel']) {
      const request = { usernames: [bob.username, carol.username], name: 'then', kind, nonce: `left-${kind}` };
      const { room } = await wire.must('create room', request);
      await wire.must('message', { room: room.id, body: 'mine', nonce: 'n' });
      const left = await wire.must('leave room', { room: room.id });
      assert.deepEqual([left.room.name, left.room.member_count, [...left.room.usernames].sort()], ['then', 2, [bob.username, carol.username].sort()]);
      await bob.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name: 'what it has become' });
      await bob.says(room, 'for members');
      if (kind === 'group') {
        assert.equal((await wire.refused('not_found', 'create room', request)).field, 'nonce');
        assert.equal((await alice.api.refused('not_found', 'POST', '/rooms', request)).field, 'nonce');
        await wire.refused('not_found', 'message', { room: room.id, body: 'mine', nonce: 'n' });
        await bob.api.ok(204, 'PUT', `/rooms/${room.id}/members/${alice.username}`);
        const again = await wire.must('create room', request);
        assert.deepEqual([again.created, again.room.id, again.room.name], [false, room.id, 'what it has become'], 'who is in it again finds it again');
      } else {
        const seen = await alice.sees(room);
        assert.deepEqual([seen.read, seen.unread, seen.last_message], [0, 0, null]);
        assert.deepEqual(await wire.must('create room', request), { ok: true, room: seen, created: false });
        const answer = await alice.api.post('/rooms', request);
        assert.deepEqual([answer.status, answer.body], [200, seen]);
        await wire.refused('forbidden', 'message', { room: room.id, body: 'mine', nonce: 'n' });
      }
    }
  });

  it('create room says nothing about members that it does not add', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    await alice.api.refused('not_found', 'POST', '/rooms', { usernames: [bob.username, 'nobody-at-all'], name: 'half' });
    assert.deepEqual(await everything(bob.api, '/users/me/rooms'), [], 'a refused room has not begun');
  });

  it('a room\'s name shows, in one line and one direction', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const wire = await alice.connect();
    const room = await alice.room([bob], { name: 'the plan' });
    for (const name of ['\u200b', '\u2800', 'a\nb', 'a\u202eb', '\u2067', 'a\u0000b', '\ufe0f', 'a\u200db']) {
      const problem = await alice.api.refused('invalid_request', 'POST', '/rooms', { usernames: [bob.username], name });
      assert.equal(problem.field, 'name', JSON.stringify(name));
      assert.equal((await alice.api.refused('invalid_request', 'PATCH', `/rooms/${room.id}`, { name })).field, 'name');
      assert.equal((await wire.refused('invalid_request', 'create room', { usernames: [bob.username], name })).field, 'name');
    }
    for (const name of ['❤️ 👩‍🚀', 'می‌خواهم', '部屋']) {
      assert.equal((await alice.api.ok(201, 'POST', '/rooms', { usernames: [bob.username], name })).name, name);
      assert.equal((await wire.must('create room', { usernames: [bob.username], name })).room.name, name);
      assert.equal((await alice.api.ok(200, 'PATCH', `/rooms/${room.id}`, { name })).name, name);
    }
    const spaced = { usernames: [bob.username], name: ' the \u00a0 plan ', nonce: 'spaced' };
    const { room: made } = await wire.must('create room', spaced);
    assert.equal(made.name, 'the plan');
    assert.equal((await wire.must('create room', spaced)).room.id, made.id, 'the same request again is the same room');
    assert.equal((await wire.must('create room', { ...spaced, name: 'the plan' })).room.id, made.id);
  });

  it('an id in upper case is the same id, on every edge, and is told in lower case', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [mine, theirs] = [await alice.connect(), await bob.connect()];
    const room = await alice.room([bob], { name: 'upper' });
    const channel = await alice.room([], { kind: 'channel', name: 'upper too' });
    const mixed = (id) => [...id].map((c, n) => (n % 2 ? c.toUpperCase() : c)).join('');
    for (const upper of [room.id.toUpperCase(), mixed(room.id)]) {
      assert.equal((await alice.api.ok(200, 'GET', `/rooms/${upper}`)).id, room.id);
      assert.equal((await alice.api.ok(201, 'POST', `/rooms/${upper}/messages`, { body: `needle ${upper}` })).room, room.id);
      assert.ok((await alice.api.ok(200, 'GET', `/rooms/${upper}/messages`)).items.every((one) => one.room === room.id));
      const members = await alice.api.ok(200, 'GET', `/rooms/${upper}/members?limit=1`);
      const rest = await alice.api.ok(200, 'GET', `/rooms/${upper}/members?limit=1&after=${members.next.toUpperCase()}`);
      assert.equal(rest.items[0].username, bob.username);
      await alice.api.ok(200, 'PUT', `/rooms/${upper}/read`, { seq: 1 });
      assert.equal((await alice.api.ok(200, 'PATCH', `/rooms/${upper}`, { name: `named by ${upper.slice(0, 8)}` })).id, room.id);
      await alice.api.ok(204, 'PUT', `/rooms/${upper}/members/${bob.username}`);
      assert.ok((await alice.api.ok(200, 'GET', `/messages/search?q=needle&room=${upper}`)).items.length > 0);
      assert.equal((await mine.must('message', { room: upper, body: 'over a socket' })).message.room, room.id);
      await mine.must('read', { room: upper, seq: 1 });
      await mine.must('typing', { room: upper, typing: true });
      await mine.must('typing', { room: upper, typing: false });
      const heard = await theirs.until('new message', (one) => one.body === 'over a socket' && one.room === room.id);
      assert.equal(heard.room, room.id);
    }
    const upper = channel.id.toUpperCase();
    assert.equal((await theirs.must('join room', { room: upper })).room.id, channel.id);
    assert.equal((await theirs.must('leave room', { room: upper })).room.id, channel.id);
    await bob.api.ok(204, 'PUT', `/rooms/${upper}/members/${bob.username}`);
    await bob.api.ok(204, 'DELETE', `/rooms/${upper}/members/${bob.username}`);
    const page = await bob.api.ok(200, 'GET', '/rooms?limit=1');
    if (page.next) assert.deepEqual(await bob.api.ok(200, 'GET', `/rooms?limit=1&after=${page.next.toUpperCase()}`), await bob.api.ok(200, 'GET', `/rooms?limit=1&after=${page.next}`));
    for (const id of [room.id.replaceAll('-', ''), `{${room.id}}`, `urn:uuid:${room.id}`, `${room.id} `]) {
      await alice.api.refused('not_found', 'GET', `/rooms/${encodeURIComponent(id)}`);
      await mine.refused('not_found', 'message', { room: id, body: 'x' });
    }
  });

  it('malformed ids and unknown rooms are not_found', async ({ people }) => {
    const [alice] = await people('alice');
    const wire = await alice.connect();
    for (const id of [NOWHERE, 'x', '1', '%00', 'a'.repeat(500), NOWHERE.toUpperCase(), `${NOWHERE}0`]) {
      await alice.api.refused('not_found', 'GET', `/rooms/${id}`);
      await alice.api.refused('not_found', 'GET', `/rooms/${id}/messages`);
      await alice.api.refused('not_found', 'GET', `/rooms/${id}/members`);
      await alice.api.refused('not_found', 'POST', `/rooms/${id}/messages`, { body: 'x' });
      await alice.api.refused('not_found', 'PUT', `/rooms/${id}/read`, { seq: 1 });
      await alice.api.refused('not_found', 'PUT', `/rooms/${id}/members/${alice.username}`);
      await alice.api.refused('not_found', 'DELETE', `/rooms/${id}/members/${alice.username}`);
      await alice.api.refused('not_found', 'PATCH', `/rooms/${id}`, { name: 'x' });
      for (const [event, more] of [['message', { body: 'x' }], ['join room'], ['leave room'], ['read', { seq: 1 }], ['typing', { typing: true }]]) {
        await wire.refused('not_found', event, { room: id, ...more });
      }
    }
  });
});
