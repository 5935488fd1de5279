// Who may do what: every verb of a room, over REST and over the socket, for each kind of room and each kind of caller. One
// table says what is expected; a room that is not yours does not exist for you.

import assert from 'node:assert/strict';
import { STATUS } from '../lib/http.mjs';
import { story } from '../lib/story.mjs';

const CALLERS = ['outsider', 'member', 'owner'];

/**
 * verb: [what outsider, member and owner get]. A number is a status (REST) and 'ok' an acknowledgement (socket); a word is
 * a code. `destructive` verbs get a room of their own for each caller.
 */
const REST = {
  group: {
    'look at it': [(room) => ['GET', `/rooms/${room}`], 'not_found', 200, 200],
    'rename it': [(room) => ['PATCH', `/rooms/${room}`, { name: 'renamed' }], 'not_found', 'forbidden', 200],
    'page its members': [(room) => ['GET', `/rooms/${room}/members`], 'not_found', 200, 200],
    'list its read marks': [(room) => ['GET', `/rooms/${room}/reads`], 'not_found', 200, 200],
    'add somebody': [(room, { newcomer }) => ['PUT', `/rooms/${room}/members/${newcomer.username}`], 'not_found', 204, 204],
    'add several': [(room, { newcomer, bystander }) => ['PUT', `/rooms/${room}/members`, { usernames: [newcomer.username, bystander.username] }], 'not_found', 204, 204],
    'add oneself': [(room, { caller }) => ['PUT', `/rooms/${room}/members/${caller.username}`], 'not_found', 204, 204],
    'remove somebody': [(room, { bystander }) => ['DELETE', `/rooms/${room}/members/${bystander.username}`], 'not_found', 'forbidden', 204],
    leave: [(room, { caller }) => ['DELETE', `/rooms/${room}/members/${caller.username}`], 'not_found', 204, 204],
    'read its history': [(room) => ['GET', `/rooms/${room}/messages`], 'not_found', 200, 200],
    'write to it': [(room) => ['POST', `/rooms/${room}/messages`, { body: 'hello' }], 'not_found', 201, 201],
    'mark it read': [(room) => ['PUT', `/rooms/${room}/read`, { seq: 1 }], 'not_found', 200, 200],
    'change its topic': [(room) => ['PATCH', `/rooms/${room}`, { topic: 'tea' }], 'not_found', 'forbidden', 200],
    'follow its events': [(room) => ['GET', `/rooms/${room}/events`], 'not_found', 200, 200],
    'mention somebody in it': [(room, { owner }) => ['POST', `/rooms/${room}/messages`, { body: 'hello', mentions: { users: [owner.username], room: true } }], 'not_found', 201, 201],
    'write in a thread of it': [(room) => ['POST', `/rooms/${room}/messages`, { body: 'hello', thread: 1 }], 'not_found', 201, 201],
    'list its threads': [(room) => ['GET', `/rooms/${room}/threads`], 'not_found', 200, 200],
    'follow a thread': [(room) => ['PUT', `/rooms/${room}/threads/1/follow`], 'not_found', 204, 204],
    'stop following it': [(room) => ['DELETE', `/rooms/${room}/threads/1/follow`], 'not_found', 204, 204],
    'mark a thread read': [(room) => ['PUT', `/rooms/${room}/threads/1/read`, { seq: 1 }], 'not_found', 200, 200],
    'list its pins': [(room) => ['GET', `/rooms/${room}/pins`], 'not_found', 200, 200],
    'edit the owner\'s message': [(room) => ['PATCH', `/rooms/${room}/messages/1`, { body: 'edited' }], 'not_found', 'forbidden', 200],
    'read its versions': [(room) => ['GET', `/rooms/${room}/messages/1/versions`], 'not_found', 'forbidden', 200],
    'read one message': [(room) => ['GET', `/rooms/${room}/messages/1`], 'not_found', 200, 200],
    'react to it': [(room) => ['PUT', `/rooms/${room}/messages/1/reactions/x`], 'not_found', 200, 200],
    'pin it': [(room) => ['PUT', `/rooms/${room}/pins/1`], 'not_found', 204, 204],
    'unpin it': [(room) => ['DELETE', `/rooms/${room}/pins/1`], 'not_found', 204, 204],
    'delete it': [(room) => ['DELETE', `/rooms/${room}/messages/1`], 'not_found', 'forbidden', 204],
    'delete several': [(room) => ['POST', `/rooms/${room}/messages/delete`, { seqs: [1] }], 'not_found', 'forbidden', 200],
  },
  channel: {
    'look at it': [(room) => ['GET', `/rooms/${room}`], 200, 200, 200],
    'rename it': [(room) => ['PATCH', `/rooms/${room}`, { name: 'renamed' }], 'forbidden', 'forbidden', 200],
    'page its members': [(room) => ['GET', `/rooms/${room}/members`], 'forbidden', 200, 200],
    'list its read marks': [(room) => ['GET', `/rooms/${room}/reads`], 'forbidden', 200, 200],
    'add somebody': [(room, { newcomer }) => ['PUT', `/rooms/${room}/members/${newcomer.username}`], 'forbidden', 'forbidden', 'forbidden'],
    'add several': [(room, { newcomer, bystander }) => ['PUT', `/rooms/${room}/members`, { usernames: [newcomer.username, bystander.username] }], 'forbidden', 'forbidden', 'forbidden'],
    'add oneself': [(room, { caller }) => ['PUT', `/rooms/${room}/members/${caller.username}`], 204, 204, 204],
    'remove somebody': [(room, { bystander }) => ['DELETE', `/rooms/${room}/members/${bystander.username}`], 'forbidden', 'forbidden', 204],
    leave: [(room, { caller }) => ['DELETE', `/rooms/${room}/members/${caller.username}`], undefined, 204, 204],
    'read its history': [(room) => ['GET', `/rooms/${room}/messages`], 'forbidden', 200, 200],
    'write to it': [(room) => ['POST', `/rooms/${room}/messages`, { body: 'hello' }], 'forbidden', 201, 201],
    'mark it read': [(room) => ['PUT', `/rooms/${room}/read`, { seq: 1 }], 'forbidden', 200, 200],
    'change its topic': [(room) => ['PATCH', `/rooms/${room}`, { topic: 'tea' }], 'forbidden', 'forbidden', 200],
    'follow its events': [(room) => ['GET', `/rooms/${room}/events`], 'forbidden', 200, 200],
    'mention somebody in it': [(room, { owner }) => ['POST', `/rooms/${room}/messages`, { body: 'hello', mentions: { users: [owner.username], room: true } }], 'forbidden', 201, 201],
    'write in a thread of it': [(room) => ['POST', `/rooms/${room}/messages`, { body: 'hello', thread: 3 }], 'forbidden', 201, 201],
    'list its threads': [(room) => ['GET', `/rooms/${room}/threads`], 'forbidden', 200, 200],
    'follow a thread': [(room) => ['PUT', `/rooms/${room}/threads/3/follow`], 'forbidden', 204, 204],
    'stop following it': [(room) => ['DELETE', `/rooms/${room}/threads/3/follow`], 'forbidden', 204, 204],
    'mark a thread read': [(room) => ['PUT', `/rooms/${room}/threads/3/read`, { seq: 3 }], 'forbidden', 200, 200],
    'list its pins': [(room) => ['GET', `/rooms/${room}/pins`], 'forbidden', 200, 200],
    'edit the owner\'s message': [(room) => ['PATCH', `/rooms/${room}/messages/3`, { body: 'edited' }], 'forbidden', 'forbidden', 200],
    'read its versions': [(room) => ['GET', `/rooms/${room}/messages/3/versions`], 'forbidden', 'forbidden', 200],
    'read one message': [(room) => ['GET', `/rooms/${room}/messages/3`], 'forbidden', 200, 200],
    'react to it': [(room) => ['PUT', `/rooms/${room}/messages/3/reactions/x`], 'forbidden', 200, 200],
    'pin it': [(room) => ['PUT', `/rooms/${room}/pins/3`], 'forbidden', 'forbidden', 204],
    'unpin it': [(room) => ['DELETE', `/rooms/${room}/pins/3`], 'forbidden', 'forbidden', 204],
    'delete it': [(room) => ['DELETE', `/rooms/${room}/messages/3`], 'forbidden', 'forbidden', 204],
    'delete several': [(room) => ['POST', `/rooms/${room}/messages/delete`, { seqs: [3] }], 'forbidden', 'forbidden', 200],
  },
  // A direct room has nobody who may do more; its "owner" is who created it.
  direct: {
    'look at it': [(room) => ['GET', `/rooms/${room}`], 'not_found', 200, 200],
    'rename it': [(room) => ['PATCH', `/rooms/${room}`, { name: 'renamed' }], 'not_found', 'forbidden', 'forbidden'],
    'page its members': [(room) => ['GET', `/rooms/${room}/members`], 'not_found', 200, 200],
    'list its read marks': [(room) => ['GET', `/rooms/${room}/reads`], 'not_found', 200, 200],
    'add somebody': [(room, { newcomer }) => ['PUT', `/rooms/${room}/members/${newcomer.username}`], 'not_found', 'forbidden', 'forbidden'],
    'add several': [(room, { newcomer, bystander }) => ['PUT', `/rooms/${room}/members`, { usernames: [newcomer.username, bystander.username] }], 'not_found', 'forbidden', 'forbidden'],
    'remove the other': [(room, { member, owner, caller }) => ['DELETE', `/rooms/${room}/members/${(caller === owner ? member : owner).username}`], 'not_found', 'forbidden', 'forbidden'],
    leave: [(room, { caller }) => ['DELETE', `/rooms/${room}/members/${caller.username}`], 'not_found', 'forbidden', 'forbidden'],
    'read its history': [(room) => ['GET', `/rooms/${room}/messages`], 'not_found', 200, 200],
    'write to it': [(room) => ['POST', `/rooms/${room}/messages`, { body: 'hello' }], 'not_found', 201, 201],
    'mark it read': [(room) => ['PUT', `/rooms/${room}/read`, { seq: 1 }], 'not_found', 200, 200],
    'change its topic': [(room) => ['PATCH', `/rooms/${room}`, { topic: 'tea' }], 'not_found', 200, 200],
    'follow its events': [(room) => ['GET', `/rooms/${room}/events`], 'not_found', 200, 200],
    'mention somebody in it': [(room, { owner }) => ['POST', `/rooms/${room}/messages`, { body: 'hello', mentions: { users: [owner.username], room: true } }], 'not_found', 201, 201],
    'write in a thread of it': [(room) => ['POST', `/rooms/${room}/messages`, { body: 'hello', thread: 1 }], 'not_found', 'forbidden', 'forbidden'],
    'list its threads': [(room) => ['GET', `/rooms/${room}/threads`], 'not_found', 200, 200],
    'follow a thread': [(room) => ['PUT', `/rooms/${room}/threads/1/follow`], 'not_found', 'forbidden', 'forbidden'],
    'stop following it': [(room) => ['DELETE', `/rooms/${room}/threads/1/follow`], 'not_found', 'forbidden', 'forbidden'],
    'mark a thread read': [(room) => ['PUT', `/rooms/${room}/threads/1/read`, { seq: 1 }], 'not_found', 'forbidden', 'forbidden'],
    'list its pins': [(room) => ['GET', `/rooms/${room}/pins`], 'not_found', 200, 200],
    'edit the owner\'s message': [(room) => ['PATCH', `/rooms/${room}/messages/1`, { body: 'edited' }], 'not_found', 'forbidden', 200],
    'read its versions': [(room) => ['GET', `/rooms/${room}/messages/1/versions`], 'not_found', 'forbidden', 200],
    'read one message': [(room) => ['GET', `/rooms/${room}/messages/1`], 'not_found', 200, 200],
    'react to it': [(room) => ['PUT', `/rooms/${room}/messages/1/reactions/x`], 'not_found', 200, 200],
    'pin it': [(room) => ['PUT', `/rooms/${room}/pins/1`], 'not_found', 204, 204],
    'unpin it': [(room) => ['DELETE', `/rooms/${room}/pins/1`], 'not_found', 204, 204],
    'delete it': [(room) => ['DELETE', `/rooms/${room}/messages/1`], 'not_found', 'forbidden', 204],
    'delete several': [(room) => ['POST', `/rooms/${room}/messages/delete`, { seqs: [1] }], 'not_found', 200, 200],
  },
};

const SOCKET = {
  group: {
    message: [{ body: 'hello' }, 'not_found', 'ok', 'ok'],
    'join room': [{}, 'not_found', 'ok', 'ok'],
    'leave room': [{}, 'not_found', 'ok', 'ok'],
    read: [{ seq: 1 }, 'not_found', 'ok', 'ok'],
    typing: [{ typing: true }, 'not_found', 'ok', 'ok'],
    'edit message': [{ seq: 1, body: 'edited' }, 'not_found', 'forbidden', 'ok'],
    react: [{ seq: 1, emoji: 'x', on: true }, 'not_found', 'ok', 'ok'],
    'pin message': [{ seq: 1 }, 'not_found', 'ok', 'ok'],
    'unpin message': [{ seq: 1 }, 'not_found', 'ok', 'ok'],
    'delete message': [{ seq: 1 }, 'not_found', 'forbidden', 'ok'],
  },
  channel: {
    message: [{ body: 'hello' }, 'forbidden', 'ok', 'ok'],
    'join room': [{}, 'ok', 'ok', 'ok'],
    'leave room': [{}, undefined, 'ok', 'ok'],
    read: [{ seq: 1 }, 'forbidden', 'ok', 'ok'],
    // whether a channel is not there or not joined is the same to who types: nothing is read or written
    typing: [{ typing: true }, ['forbidden', 'not_found'], 'ok', 'ok'],
    'edit message': [{ seq: 3, body: 'edited' }, 'forbidden', 'forbidden', 'ok'],
    react: [{ seq: 3, emoji: 'x', on: true }, 'forbidden', 'ok', 'ok'],
    'pin message': [{ seq: 3 }, 'forbidden', 'forbidden', 'ok'],
    'unpin message': [{ seq: 3 }, 'forbidden', 'forbidden', 'ok'],
    'delete message': [{ seq: 3 }, 'forbidden', 'forbidden', 'ok'],
  },
  direct: {
    message: [{ body: 'hello' }, 'not_found', 'ok', 'ok'],
    'join room': [{}, 'not_found', 'forbidden', 'forbidden'],
    'leave room': [{}, 'not_found', 'forbidden', 'forbidden'],
    read: [{ seq: 1 }, 'not_found', 'ok', 'ok'],
    typing: [{ typing: true }, 'not_found', 'ok', 'ok'],
    'edit message': [{ seq: 1, body: 'edited' }, 'not_found', 'forbidden', 'ok'],
    react: [{ seq: 1, emoji: 'x', on: true }, 'not_found', 'ok', 'ok'],
    'pin message': [{ seq: 1 }, 'not_found', 'ok', 'ok'],
    'unpin message': [{ seq: 1 }, 'not_found', 'ok', 'ok'],
    'delete message': [{ seq: 1 }, 'not_found', 'forbidden', 'ok'],
  },
};

story('rights', {}, (it) => {
  const cast = async (people) => {
    const [owner, member, bystander, outsider, newcomer] = await people('owner', 'member', 'bystander', 'outsider', 'newcomer');
    return { owner, member, bystander, outsider, newcomer };
  };
  /** A fresh room of this kind with a message in it (its seq is 1, in a channel 3, because two have joined before); direct rooms are one per pair, so theirs is found again. */
  const open = async (kind, { owner, member, bystander }) => {
    const room = await owner.room(kind === 'direct' ? [member] : kind === 'group' ? [member, bystander] : [], kind === 'direct' ? {} : { kind, name: `a ${kind}` });
    if (kind === 'channel') for (const one of [member, bystander]) await one.api.ok(204, 'PUT', `/rooms/${room.id}/members/${one.username}`);
    await owner.says(room, 'first');
    return room.id;
  };

  for (const kind of ['group', 'channel', 'direct']) {
    it(`every REST verb on a ${kind}: outsider, member, owner, nobody, revoked token`, async ({ people, nobody, login }) => {
      const all = await cast(people);
      const revoked = await login('revoked');
      await revoked.api.ok(204, 'POST', '/users/logout');
      for (const [verb, [request, ...expected]] of Object.entries(REST[kind])) {
        for (const [n, role] of CALLERS.entries()) {
          if (expected[n] === undefined) continue;
          const room = await open(kind, all);
          const before = (await all.owner.sees(room)).head;
          const answer = await all[role].api.call(...request(room, { ...all, caller: all[role] }));
          const wanted = expected[n];
          if (typeof wanted === 'number') assert.equal(answer.status, wanted, `${role} may ${verb} (${kind}): ${answer.text}`);
          else {
            assert.equal(answer.body?.code, wanted, `${role} may not ${verb} (${kind}): ${answer.status} ${answer.text}`);
            assert.equal(answer.status, STATUS[wanted]);
            assert.equal((await all.owner.sees(room)).head, before, `${role}: a refused ${verb} changes nothing`);
          }
        }
        const room = await open(kind, all);
        const before = (await all.owner.sees(room)).head;
        for (const api of [nobody, revoked.api]) await api.refused('unauthenticated', ...request(room, { ...all, caller: all.member }));
        assert.equal((await all.owner.sees(room)).head, before);
      }
    });

    it(`every event on a ${kind}: outsider, member, owner, nobody`, async ({ people, wire }) => {
      const all = await cast(people);
      const wires = Object.fromEntries(await Promise.all(CALLERS.map(async (role) => [role, await all[role].connect()])));
      const stranger = wire({});
      await stranger.connected();
      for (const [event, [more, ...expected]] of Object.entries(SOCKET[kind])) {
        for (const [n, role] of CALLERS.entries()) {
          if (expected[n] === undefined) continue;
          const room = await open(kind, all);
          // who is in it acts when told of it: its gateway, which answers typing by itself, may be another process than the one that made the room
          if (role !== 'outsider') await wires[role].until('room created', (one) => one.room.id === room);
          const ack = await wires[role].ask(event, { room, ...more });
          assert.ok([expected[n]].flat().includes(ack.ok ? 'ok' : ack.error.code), `${role}: "${event}" on a ${kind}: ${JSON.stringify(ack)}`);
        }
        await stranger.refused('unauthenticated', event, { room: await open(kind, all), ...more });
      }
    });
  }

  it('a room that is not yours looks exactly like one that is not there', async ({ people }) => {
    const all = await cast(people);
    const room = await open('group', all);
    const strip = ({ detail, code, status, title, field }) => ({ detail, code, status, title, field });
    const [hidden, absent] = await Promise.all([room, '01900000-0000-7000-8000-000000000000'].map((id) => all.outsider.api.refused('not_found', 'GET', `/rooms/${id}`)));
    assert.deepEqual(strip(hidden), strip(absent));
  });

  it('who was removed is an outsider again', async ({ people }) => {
    const all = await cast(people);
    const room = await open('group', all);
    await all.owner.api.ok(204, 'DELETE', `/rooms/${room}/members/${all.member.username}`);
    for (const [verb, [request, expected]] of Object.entries(REST.group)) {
      await all.member.api.refused(expected, ...request(room, { ...all, caller: all.member })).catch((error) => { throw new Error(`${verb}: ${error.message}`); });
    }
  });

  it('a sender or username that names another is forbidden, on every event and call', async ({ people }) => {
    const all = await cast(people);
    const room = await open('group', all);
    const wire = await all.member.connect();
    for (const field of ['sender', 'username']) {
      await wire.refused('forbidden', 'message', { room, body: 'x', [field]: all.owner.username });
      await wire.must('message', { room, body: 'x', [field]: all.member.username });
    }
    for (const [event, more] of [['join room', {}], ['leave room', {}], ['read', { seq: 1 }], ['typing', { typing: true }], ['edit message', { seq: 1 }], ['delete message', { seq: 1 }], ['react', { seq: 1, emoji: 'x', on: true }], ['pin message', { seq: 1 }], ['unpin message', { seq: 1 }]]) {
      await wire.refused('forbidden', event, { room, ...more, username: all.owner.username });
    }
    await wire.refused('forbidden', 'create room', { usernames: [], name: 'x', username: all.owner.username });
    await all.member.api.refused('forbidden', 'POST', '/rooms', { usernames: [], name: 'x', sender: all.owner.username });
    await all.member.api.refused('forbidden', 'PUT', `/rooms/${room}/read`, { seq: 1, username: all.owner.username });
    await all.member.api.refused('forbidden', 'PUT', `/rooms/${room}/threads/1/read`, { seq: 1, username: all.owner.username });
    await all.owner.api.refused('forbidden', 'PATCH', `/rooms/${room}`, { name: 'x', username: all.member.username });
    await all.owner.api.refused('forbidden', 'PUT', `/rooms/${room}/members`, { usernames: [], username: all.member.username });
    await all.owner.api.refused('forbidden', 'PATCH', `/rooms/${room}/messages/1`, { body: 'x', username: all.member.username });
    await all.owner.api.refused('forbidden', 'POST', `/rooms/${room}/messages/delete`, { seqs: [1], sender: all.member.username });
    await all.owner.api.refused('forbidden', 'PATCH', '/users/me', { display_name: 'x', username: all.member.username });
  });

  it('a revoked token does nothing on a socket either', async ({ people, wire }) => {
    const [alice] = await people('alice');
    await alice.api.ok(204, 'POST', '/users/logout');
    const error = await wire({ auth: { token: alice.token } }).refusedToConnect();
    assert.equal(error.data.code, 'unauthenticated');
    const later = wire({});
    await later.connected();
    await later.refused('unauthenticated', 'authenticate', { token: alice.token });
    await later.refused('unauthenticated', 'create room', { usernames: [], name: 'x' });
  });
});
