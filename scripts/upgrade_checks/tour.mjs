// What people do besides talking: a login, a channel that is made, joined, renamed, read, searched and left. What was written at one
// process is read at all of them.

import assert from 'node:assert/strict';
import { Api } from '../../acceptance/lib/http.mjs';

/** At each users and each messages process by itself, whatever the version of the processes that those ask; `named` is what a process is called. */
export async function tour(server, [guest, host], named) {
  for (const [n, messages] of server.of('messages').entries()) {
    const users = server.of('users')[n];
    const at = (one, person) => new Api({ url: one.url, checked: false }, person?.token);
    const [asHost, asGuest] = [at(messages, host), at(messages, guest)];
    const login = await at(users).post('/users/login', { username: guest.username, password: guest.password });
    assert.equal(login.status, 200, `login at ${named(users)}: ${login.text}`);
    const { token } = login.body;
    await at(users, { token }).ok(200, 'GET', '/users/me');
    const channel = await asHost.ok(201, 'POST', '/rooms', { usernames: [], kind: 'channel', name: 'tour' });
    await asGuest.ok(204, 'PUT', `/rooms/${channel.id}/members/${guest.username}`);
    const message = await asHost.ok(201, 'POST', `/rooms/${channel.id}/messages`, { body: 'wherever you are' });
    await asHost.ok(200, 'PATCH', `/rooms/${channel.id}`, { name: 'renamed' });
    await asGuest.ok(200, 'PUT', `/rooms/${channel.id}/read`, { seq: message.seq });
    // Whatever was written at one process is read at all of them.
    for (const [m, other] of server.of('messages').entries()) {
      const reader = at(other, guest);
      const has = ({ items }) => assert.ok(items.some(({ id }) => id === message.id), `written at ${named(messages)}, read at ${named(other)}`);
      has(await reader.ok(200, 'GET', `/rooms/${channel.id}/messages`));
      has(await reader.ok(200, 'GET', '/messages/recent'));
      const { items } = await reader.ok(200, 'GET', '/messages/search?q=wherever');
      assert.ok(items.some((one) => JSON.stringify(one).includes(message.id)), `written at ${named(messages)}, found at ${named(other)}`);
      const { data } = await reader.ok(200, 'POST', '/graphql', { query: `{ room(id: "${channel.id}") { name lastMessage { body } } }` });
      assert.deepEqual(data.room, { name: 'renamed', lastMessage: { body: 'wherever you are' } });
      const rooms = await at(server.of('users')[m], guest).ok(200, 'GET', '/users/me/rooms');
      assert.ok(rooms.items.some(({ id }) => id === channel.id));
    }
    await asGuest.ok(204, 'DELETE', `/rooms/${channel.id}/members/${guest.username}`);
    await at(users, { token }).ok(204, 'POST', '/users/logout');
    const after = await at(users, { token }).get('/users/me');
    assert.equal(after.status, 401, `logged out at ${named(users)}`);
  }
}
