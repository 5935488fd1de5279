// Accounts and tokens in the default mode: logging in, names, passwords, and what happens when a token ends.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { within } from '../lib/wait.mjs';

const PASSWORD = 'correct horse battery';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A socket whose token ended is told so, and cut, within a second. */
async function isCutAsUnauthenticated(wire, since = performance.now()) {
  const error = await wire.until('error', undefined, 3_000);
  assert.equal(error.code, 'unauthenticated');
  assert.equal(typeof error.detail, 'string');
  await within(3_000, wire.closed, 'the cut');
  assert.ok(performance.now() - since < 1_500, `the cut took ${Math.round(performance.now() - since)} ms; a second is promised`);
}

story('accounts', {}, (it) => {
  it('a login creates the user on first sight (201) and logs in afterwards (200)', async ({ nobody }) => {
    const first = await nobody.post('/users/login', { username: 'first.sight', password: PASSWORD });
    assert.equal(first.status, 201);
    const second = await nobody.post('/users/login', { username: 'first.sight', password: PASSWORD });
    assert.equal(second.status, 200);
    assert.equal(second.body.user.id, first.body.user.id);
    assert.notEqual(second.body.token, first.body.token, 'each login has a token of its own');
    assert.deepEqual(Object.keys(first.body).sort(), ['expires_at', 'token', 'user']);
    assert.match(first.body.user.id, UUID7);
    assert.match(first.body.user.created_at, TIME);
    assert.match(first.body.expires_at, TIME);
    assert.ok(Date.parse(first.body.expires_at) > Date.now());
    assert.equal(first.body.user.display_name, 'first.sight', 'the display name is at first the username');
    assert.ok(Buffer.from(first.body.token, 'base64url').length >= 32, 'a token is 256 random bits');
  });

  it('a wrong password is invalid_credentials', async ({ nobody }) => {
    await nobody.ok(201, 'POST', '/users/login', { username: 'guarded', password: PASSWORD });
    await nobody.refused('invalid_credentials', 'POST', '/users/login', { username: 'guarded', password: 'another password' });
  });

  it('usernames are lower-cased on the way in, everywhere', async ({ nobody, people }) => {
    const { user, token } = await nobody.ok(201, 'POST', '/users/login', { username: 'MiXeD.Case_1', password: PASSWORD });
    assert.equal(user.username, 'mixed.case_1');
    await nobody.ok(200, 'POST', '/users/login', { username: 'mixed.CASE_1', password: PASSWORD });
    const [alice] = await people('alice');
    const api = alice.api;
    assert.equal((await api.ok(200, 'GET', '/users/MIXED.case_1')).username, 'mixed.case_1');
    const room = await api.ok(201, 'POST', '/rooms', { usernames: ['Mixed.Case_1'] });
    assert.ok(room.usernames.includes('mixed.case_1'));
    assert.equal((await nobody.as(token).get('/users/MIXED.CASE_1/rooms')).status, 200);
  });

  it('usernames outside the rules are refused, with the field', async ({ nobody }) => {
    const wrong = ['', '.a', 'a.', '-a', 'a_', 'a b', 'ä', 'İ', 'a/b', 'x'.repeat(33), 'a\0b', '🙂', 5, null, ['a'], {}];
    for (const username of wrong) {
      const problem = await nobody.refused('invalid_request', 'POST', '/users/login', { username, password: PASSWORD });
      assert.equal(problem.field, 'username', `field of ${JSON.stringify(username)}`);
    }
    for (const username of ['a', '7', 'x'.repeat(32), 'a.b-c_d', '0.0']) {
      const answer = await nobody.post('/users/login', { username, password: PASSWORD });
      assert.equal(answer.status, 201, `${username}: ${answer.text}`);
    }
    const missing = await nobody.refused('invalid_request', 'POST', '/users/login', { password: PASSWORD });
    assert.equal(missing.field, 'username');
  });

  it('usernames that are words of addresses are reserved, in any case', async ({ nobody, people }) => {
    for (const username of ['me', 'online', 'login', 'logout', 'password', 'rooms', 'Me', 'ONLINE']) {
      const problem = await nobody.refused('invalid_request', 'POST', '/users/login', { username, password: PASSWORD });
      assert.equal(problem.field, 'username');
      assert.match(problem.detail, /reserved/);
    }
    const [alice] = await people('alice');
    await alice.api.ok(200, 'GET', '/users/online');
    const { items } = await alice.api.ok(200, 'GET', '/users?prefix=me&limit=100');
    assert.ok(items.every(({ username }) => username !== 'me'));
    await nobody.ok(201, 'POST', '/users/login', { username: 'me.too', password: PASSWORD });
  });

  it('passwords are 8-128 characters', async ({ nobody }) => {
    for (const password of ['', '1234567', 'x'.repeat(129), 12345678, null]) {
      const problem = await nobody.refused('invalid_request', 'POST', '/users/login', { username: 'short', password });
      assert.equal(problem.field, 'password', JSON.stringify(password));
    }
    const missing = await nobody.refused('invalid_request', 'POST', '/users/login', { username: 'short' });
    assert.equal(missing.field, 'password');
    assert.equal((await nobody.post('/users/login', { username: 'eight', password: '12345678' })).status, 201);
    assert.equal((await nobody.post('/users/login', { username: 'many', password: 'ü'.repeat(128) })).status, 201);
    assert.equal((await nobody.post('/users/login', { username: 'many', password: 'ü'.repeat(128) })).status, 200);
  });

  it('nothing but the login, the documents and the probes works without a token', async ({ nobody }) => {
    const calls = [
      ['POST', '/users/logout'], ['GET', '/users/me'], ['PATCH', '/users/me', { display_name: 'x' }],
      ['PUT', '/users/me/password', { current_password: PASSWORD, new_password: PASSWORD }],
      ['GET', '/users/online'], ['GET', '/users'], ['GET', '/users/alice'], ['GET', '/users/alice/rooms'], ['GET', '/rooms'],
      ['POST', '/rooms', { usernames: ['alice'] }], ['GET', '/messages/recent'],
    ];
    for (const [method, path, body] of calls) {
      await nobody.refused('unauthenticated', method, path, body);
      await nobody.as('nonsense').refused('unauthenticated', method, path, body);
      await nobody.refused('unauthenticated', method, path, body, { headers: { authorization: 'Basic YTpi' } });
    }
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/asyncapi.json', '/docs', '/docs/events', '/']) {
      const answer = await nobody.get(path, { redirect: 'follow' });
      assert.equal(answer.status, 200, path);
    }
  });

  it('a token in the URL is no token', async ({ people, nobody }) => {
    const [alice] = await people('alice');
    for (const name of ['token', 'access_token', 'authorization']) {
      await nobody.refused('unauthenticated', 'GET', `/users/me?${name}=${encodeURIComponent(alice.token)}`);
    }
  });

  it('me is who the token says', async ({ people }) => {
    const [alice] = await people('alice');
    const me = await alice.api.ok(200, 'GET', '/users/me');
    assert.equal(me.username, alice.username);
    assert.equal(me.id, alice.user.id);
    assert.equal((await alice.api.ok(200, 'GET', `/users/${alice.username}`)).id, me.id);
  });

  it('the display name is 1-64 characters, not blank', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const changed = await alice.api.ok(200, 'PATCH', '/users/me', { display_name: 'Alice 🙂 of Wonderland' });
    assert.equal(changed.display_name, 'Alice 🙂 of Wonderland');
    assert.equal((await bob.api.ok(200, 'GET', `/users/${alice.username}`)).display_name, 'Alice 🙂 of Wonderland');
    await alice.api.ok(200, 'PATCH', '/users/me', { display_name: '😀'.repeat(64) });
    for (const display_name of ['', ' \t', 'x'.repeat(65), 'a\0b', 7, null]) {
      const problem = await alice.api.refused('invalid_request', 'PATCH', '/users/me', { display_name });
      assert.equal(problem.field, 'display_name', JSON.stringify(display_name));
    }
    assert.equal((await alice.api.ok(200, 'GET', '/users/me')).display_name, '😀'.repeat(64));
  });

  it('a display name shows, in one line and one direction; emoji may be what they are made of', async ({ people }) => {
    const [alice] = await people('alice');
    const wrong = ['\u200b', '\u2800', '\u00ad', '\ufeff', '\u3164', '\u200d', '\ufe0f', '\u0301', 'a\nb', 'a\rb', 'a\tb', 'a\u0007b', 'a\u0085b', 'a\u2028b',
      '\u202eecila', 'a\u2066b', 'a\u200fb', 'a\u200bb', 'a\u200db', 'a\ue000b', '\u{e0041}'];
    for (const display_name of wrong) {
      const problem = await alice.api.refused('invalid_request', 'PATCH', '/users/me', { display_name });
      assert.equal(problem.field, 'display_name', JSON.stringify(display_name));
    }
    const right = ['❤️', '👩‍🚀', '👩🏽‍❤️‍💋‍👨🏿', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'Zoë', 'أحمد', 'می‌خواهم', 'ශ්‍රී', '葛󠄀', '™ ①'];
    for (const display_name of right) {
      assert.equal((await alice.api.ok(200, 'PATCH', '/users/me', { display_name })).display_name, display_name);
      assert.equal((await alice.api.ok(200, 'GET', `/users/${alice.username}`)).display_name, display_name);
    }
    const { display_name } = await alice.api.ok(200, 'PATCH', '/users/me', { display_name: '\u00a0 Alice \u3000 of\u2003Wonderland ' });
    assert.equal(display_name, 'Alice of Wonderland', 'spaces are plain, single, and inside');
  });

  it('the directory lists users by prefix, in pages', async ({ nobody, people }) => {
    const [alice] = await people('alice');
    for (const n of [3, 1, 2, 4, 5]) await nobody.ok(201, 'POST', '/users/login', { username: `dir.${n}`, password: PASSWORD });
    const first = await alice.api.ok(200, 'GET', '/users?prefix=dir.&limit=2');
    assert.deepEqual(first.items.map((one) => one.username), ['dir.1', 'dir.2']);
    const found = [...first.items];
    for (let next = first.next; next !== null;) {
      const page = await alice.api.ok(200, 'GET', `/users?prefix=dir.&limit=2&after=${encodeURIComponent(next)}`);
      found.push(...page.items);
      next = page.next;
    }
    assert.deepEqual(found.map((one) => one.username), ['dir.1', 'dir.2', 'dir.3', 'dir.4', 'dir.5']);
    assert.deepEqual((await alice.api.ok(200, 'GET', '/users?prefix=DIR.3')).items.map((one) => one.username), ['dir.3']);
    assert.deepEqual(await alice.api.ok(200, 'GET', '/users?prefix=nobody-is-called-so'), { items: [], next: null });
    assert.deepEqual((await alice.api.ok(200, 'GET', '/users?prefix=%25')).items, [], 'a prefix is no pattern');
    assert.deepEqual((await alice.api.ok(200, 'GET', '/users?prefix=dir_')).items, [], 'a prefix is no pattern');
    await alice.api.refused('not_found', 'GET', '/users/nobody-is-called-so');
    await alice.api.refused('not_found', 'GET', '/users/not%20a%20username');
    for (const limit of ['0', '101', '-1', 'many', '1.5', '']) {
      const problem = await alice.api.refused('invalid_request', 'GET', `/users?limit=${limit}`);
      assert.equal(problem.field, 'limit', `limit=${limit}`);
    }
  });

  it('another one is named neither at a login nor in a body', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    await alice.api.refused('forbidden', 'POST', `/rooms/${room.id}/messages`, { body: 'x', sender: bob.username });
    await alice.api.refused('forbidden', 'POST', `/rooms/${room.id}/messages`, { body: 'x', username: bob.username });
    await alice.api.ok(201, 'POST', `/rooms/${room.id}/messages`, { body: 'x', sender: alice.username, username: alice.username.toUpperCase() });
  });

  it('logging out revokes this token and cuts its sockets, and no others', async ({ people, nobody }) => {
    const [alice] = await people('alice');
    const other = await nobody.ok(200, 'POST', '/users/login', { username: alice.username, password: PASSWORD });
    const [cut, kept] = [await alice.connect(), alice.wire({ auth: { token: other.token } })];
    await kept.ready();
    const began = performance.now();
    assert.equal((await alice.api.post('/users/logout')).status, 204);
    await isCutAsUnauthenticated(cut, began);
    await alice.api.refused('unauthenticated', 'GET', '/users/me');
    await nobody.as(other.token).ok(200, 'GET', '/users/me');
    const error = await alice.wire({ auth: { token: alice.token } }).refusedToConnect();
    assert.equal(error.data.code, 'unauthenticated');
    assert.equal(kept.io.connected, true);
    await kept.must('create room', { usernames: [], name: 'still here' });
  });

  it('a new password revokes the other tokens and cuts their sockets within a second', async ({ people, nobody }) => {
    const [alice] = await people('alice');
    const other = await nobody.ok(200, 'POST', '/users/login', { username: alice.username, password: PASSWORD });
    const kept = await alice.connect();
    const cut = alice.wire({ auth: { token: other.token } });
    await cut.ready();
    const wrong = await alice.api.put('/users/me/password', { current_password: 'not my password', new_password: 'a better password' });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.body.code, 'invalid_credentials');
    const short = await alice.api.refused('invalid_request', 'PUT', '/users/me/password', { current_password: PASSWORD, new_password: 'short' });
    assert.equal(short.field, 'new_password');
    assert.equal(cut.io.connected, true);

    const changed = await alice.api.put('/users/me/password', { current_password: PASSWORD, new_password: 'a better password' });
    assert.equal(changed.status, 204);
    await isCutAsUnauthenticated(cut);
    await nobody.as(other.token).refused('unauthenticated', 'GET', '/users/me');
    await alice.api.ok(200, 'GET', '/users/me');
    await kept.must('create room', { usernames: [], name: 'still here' });
    await nobody.refused('invalid_credentials', 'POST', '/users/login', { username: alice.username, password: PASSWORD });
    await nobody.ok(200, 'POST', '/users/login', { username: alice.username, password: 'a better password' });
  });

  it('closed registration lets nobody new in', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    server.settings.GUILD_AUTH_REGISTRATION = 'closed';
    await server.restart();
    const nobody = alice.api.as(undefined);
    const answer = await nobody.post('/users/login', { username: 'newcomer', password: PASSWORD });
    assert.ok(['forbidden', 'invalid_credentials'].includes(answer.body.code), answer.text);
    await nobody.ok(200, 'POST', '/users/login', { username: alice.username, password: PASSWORD });
    await alice.api.refused('not_found', 'GET', '/users/newcomer');
  });

  it('accounts and tokens outlive the server', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    await server.kill();
    await server.start();
    await alice.api.ok(200, 'GET', '/users/me');
    await alice.connect();
    await alice.api.as(undefined).refused('invalid_credentials', 'POST', '/users/login', { username: alice.username, password: 'another one' });
  });

  it('tokens are stored hashed, and neither tokens nor passwords are in the log', async ({ start, stage }) => {
    const server = await start({ settings: { GUILD_LOG: 'debug' } });
    const [alice] = await stage.peopleOn(server, 'alice');
    await alice.connect();
    await alice.says(await alice.room([], { name: 'private' }), 'what nobody else shall read');
    await server.stop();
    const stored = server.stored();
    assert.ok(stored.some(({ bytes }) => bytes.includes('what nobody else shall read')), 'this is where things are kept');
    const bits = Buffer.from(alice.token, 'base64url');
    for (const { name, bytes } of stored) {
      for (const secret of [alice.token, PASSWORD]) assert.equal(bytes.includes(secret), false, `${name} holds a secret as it is`);
      for (const form of [bits, bits.toString('hex')]) assert.equal(bytes.includes(form), false, `${name} holds a token's bits as they are`);
    }
    for (const secret of [alice.token, PASSWORD]) assert.equal(server.log.includes(secret), false, 'the log holds a secret');
  });
});
