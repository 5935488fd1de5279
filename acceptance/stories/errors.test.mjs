// What is malformed or hostile gets the error that the contract names, and no connection but its own suffers.

import assert from 'node:assert/strict';
import { connect as tcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import WebSocket from 'ws';
import { story } from '../lib/story.mjs';
import { sleep, within } from '../lib/wait.mjs';

const NOWHERE = '01900000-0000-7000-8000-000000000000';
const JSON_TYPE = { 'content-type': 'application/json' };

story('errors', {}, (it) => {
  it('every refusal is a problem of RFC 9457 with its code, status and title', async ({ people, nobody }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'x' });
    await alice.says(room, 'x', 'k');
    const titles = {};
    const note = ({ code, title }) => { titles[code] = title; };
    note(await alice.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages`, { body: '' }));
    note(await nobody.refused('unauthenticated', 'GET', '/users/me'));
    note(await nobody.refused('invalid_credentials', 'POST', '/users/login', { username: alice.username, password: 'not the password' }));
    note(await bob.api.refused('forbidden', 'PATCH', `/rooms/${room.id}`, { name: 'y' }));
    note(await alice.api.refused('not_found', 'GET', `/rooms/${NOWHERE}`));
    note(await alice.api.refused('method_not_allowed', 'DELETE', '/users/me'));
    note(await alice.api.refused('nonce_conflict', 'POST', `/rooms/${room.id}/messages`, { body: 'y', nonce: 'k' }));
    note(await alice.api.refused('too_large', 'POST', `/rooms/${room.id}/messages`, { body: 'x'.repeat(200_000) }));
    note(await alice.api.refused('unsupported_media_type', 'POST', `/rooms/${room.id}/messages`, undefined, { raw: 'body=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }));
    assert.equal(new Set(Object.values(titles)).size, Object.keys(titles).length, 'each code has a title of its own');
  });

  it('an unknown route is not_found, whoever asks', async ({ people, nobody }) => {
    const [alice] = await people('alice');
    for (const path of ['/nothing', '/users/me/nothing', '/rooms/x/y/z', '/v1/rooms', '/%2e%2e/etc/passwd', `/${'a'.repeat(4000)}`, '/rooms/']) {
      await alice.api.refused('not_found', 'GET', path);
      await nobody.refused('not_found', 'GET', path);
    }
    await alice.api.refused('not_found', 'POST', '/nothing', { x: 1 });
  });

  it('a known path with another method is method_not_allowed, and Allow names those that work', async ({ people }) => {
    const [alice] = await people('alice');
    for (const [method, path] of [['DELETE', '/users/me'], ['PUT', '/rooms'], ['GET', '/users/login'], ['POST', '/users/me'], ['POST', `/rooms/${NOWHERE}/members`], ['PATCH', '/messages/recent'], ['POST', '/healthz']]) {
      const answer = await alice.api.call(method, path, method === 'GET' ? undefined : {});
      assert.equal(answer.status, 405, `${method} ${path}: ${answer.text}`);
      assert.equal(answer.body.code, 'method_not_allowed');
      assert.ok(answer.headers.get('allow'), 'Allow');
      assert.equal(answer.headers.get('allow').includes(method), false);
    }
  });

  it('bodies that are no JSON: wrong type, malformed, empty, not an object, bad UTF-8', async ({ people }) => {
    const [alice] = await people('alice');
    const room = await alice.room([], { name: 'x' });
    const path = `/rooms/${room.id}/messages`;
    const send = (raw, headers = JSON_TYPE) => alice.api.post(path, undefined, { raw, headers });
    for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/jsonx']) {
      const answer = await send('{"body":"x"}', { 'content-type': type });
      assert.equal(answer.body.code, 'unsupported_media_type', type);
    }
    assert.equal((await alice.api.post(path, undefined, { raw: Buffer.from('{"body":"x"}'), headers: { 'content-type': null } })).body.code, 'unsupported_media_type', 'no type at all');
    for (const type of ['application/json; charset=utf-8', 'Application/JSON']) assert.equal((await send('{"body":"x"}', { 'content-type': type })).status, 201, type);
    for (const raw of ['{', '', '{"body":"x"', '{"body":"x"}}', "{'body':'x'}", '{"body":"\\ud800"}', '[]', '"x"', 'null', '5', 'true', '{"body":"x",}', Buffer.from([0xff, 0xfe]), Buffer.from('{"body":"\xff"}', 'latin1')]) {
      const answer = await send(raw);
      assert.equal(answer.body?.code, 'invalid_request', `${raw}: ${answer.status} ${answer.text}`);
    }
    assert.equal((await alice.sees(room)).head, 2);
  });

  it('an encoded body is unsupported_media_type, on every edge; and bytes that are no text are told for what they are', async ({ people, server }) => {
    const [alice] = await people('alice');
    const room = await alice.room([], { name: 'x' });
    const edges = { [`/rooms/${room.id}/messages`]: { body: 'x' }, '/graphql': { query: '{ me { id } }' }, '/users/login': { username: alice.username, password: alice.password } };
    for (const [path, request] of Object.entries(edges)) {
      const text = JSON.stringify(request);
      const send = (raw, headers = {}) => alice.api.post(path, undefined, { raw, headers: { ...JSON_TYPE, ...headers } });
      for (const coding of ['gzip', 'br', 'GZIP', 'identity, gzip', 'utf-8']) {
        const refused = await alice.api.post(path, undefined, { raw: gzipSync(text), headers: { ...JSON_TYPE, 'content-encoding': coding } });
        assert.deepEqual([refused.status, refused.body.code], [415, 'unsupported_media_type'], `${path} ${coding}: ${refused.text}`);
        assert.equal(refused.headers.get('accept-encoding'), 'identity');
        assert.match(refused.body.detail, /Content-Encoding/);
      }
      assert.ok((await send(text, { 'content-encoding': 'identity' })).status < 300, path);
      assert.ok((await send(`\ufeff${text}`)).status < 300, `${path}: a byte order mark is passed over (RFC 8259, section 8.1)`);
      for (const [raw, what] of [[gzipSync(text), /gzip/], [Buffer.from(text, 'utf16le'), /UTF-16/], [Buffer.from(`\ufeff${text}`, 'utf16le'), /UTF-16/], [Buffer.from('{"\xff"', 'latin1'), /not UTF-8/]]) {
        const refused = await send(raw);
        assert.equal(refused.status, 400, `${path} ${what}: ${refused.text}`);
        const { code, detail } = refused.body.code ? refused.body : { code: refused.body.errors[0].extensions.code, detail: refused.body.errors[0].message };
        assert.equal(code, 'invalid_request');
        assert.match(detail, /^the body is /);
        assert.match(detail, what);
      }
    }
    const polling = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(polling)).text()).slice(1));
    const refused = await fetch(`${polling}&sid=${sid}`, { method: 'POST', body: gzipSync('40'), headers: { 'content-encoding': 'gzip', 'content-type': 'text/plain;charset=UTF-8' } });
    assert.equal(refused.status, 415);
    assert.equal((await refused.json()).code, 'unsupported_media_type');
    assert.equal((await fetch(`${polling}&sid=${sid}`, { method: 'POST', body: '40' })).status, 200, 'the session is none the worse for it');
    const get = await fetch(`${server.url}/users/me`, { headers: { authorization: `Bearer ${alice.token}`, 'content-encoding': 'gzip' } });
    assert.equal(get.status, 200, 'without a body nothing is encoded');
  });

  it('a page that no list has given is invalid_request, by the parameter\'s name', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob], { name: 'x' });
    for (let n = 0; n < 3; n += 1) await alice.says(room, `hello ${n}`);
    const garbage = ['abc', '!!', '0', '-1', '1.5', '%00', '%F0%9F%91%8D', '..', 'null', '7fffffffffffffff', '1-1', `${room.id}x`, '+1'];
    const lists = {
      '/rooms': 'after', '/users/me/rooms': 'after', [`/rooms/${room.id}/members`]: 'after', [`/rooms/${room.id}/reads`]: 'after', '/users/me/mentions': 'after', '/messages/search?q=hello': 'before',
    };
    for (const [path, field] of Object.entries(lists)) {
      for (const text of [...garbage, '']) {
        const { field: named } = await alice.api.refused('invalid_request', 'GET', `${path}${path.includes('?') ? '&' : '?'}${field}=${text}`);
        assert.equal(named, field, `${path} ${text}`);
      }
    }
    // Usernames and seqs are places themselves, so here fewer texts are garbage.
    for (const path of ['/users', '/users/online']) {
      for (const text of ['!!', '-1', '%00', '..', '', 'a b', 'x'.repeat(33)]) assert.equal((await alice.api.refused('invalid_request', 'GET', `${path}?after=${text}`)).field, 'after', `${path} ${text}`);
    }
    for (const field of ['after', 'before']) {
      for (const text of ['abc', '!!', '-1', '1.5', '%00', '..', 'null', '', '9223372036854775808', '0x10']) {
        assert.equal((await alice.api.refused('invalid_request', 'GET', `/rooms/${room.id}/messages?${field}=${text}`)).field, field, text);
      }
    }
    const fields = { 'rooms(after: $a)': '', 'online(after: $a)': '', 'search(q: "hello", after: $a)': 'next', 'room(id: $id) { members(after: $a)': '', 'room(id: $id) { messages(after: $a)': '', 'room(id: $id) { messages(before: $a)': '' };
    for (const [field, selection] of Object.entries(fields)) {
      const query = `query ($a: String${field.includes('$id') ? ', $id: ID!' : ''}) { ${field} { ${selection || 'pageInfo { hasNextPage }'} } ${field.includes('$id') ? '}' : ''} }`;
      for (const a of ['!!', '-1', '', '+7', '007', 'a b']) {
        // A username may look like a number.
        if (field.startsWith('online') && a === '007') continue;
        const { body } = await alice.api.post('/graphql', { query, variables: { a, id: field.includes('$id') ? room.id : undefined } });
        assert.equal(body.errors?.[0].extensions.code, 'invalid_request', `${field} ${a}: ${JSON.stringify(body)}`);
        assert.equal(body.errors[0].extensions.field, field.includes('before') ? 'before' : 'after', `${field} ${a}`);
      }
    }
  });

  it('a value of the wrong type is named by its field', async ({ people, nobody }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await alice.connect();
    const calls = [
      ['username', () => nobody.refused('invalid_request', 'POST', '/users/login', { username: 5, password: 'correct horse' })],
      ['display_name', () => alice.api.refused('invalid_request', 'PATCH', '/users/me', { display_name: [] })],
      ['status', () => alice.api.refused('invalid_request', 'PATCH', '/users/me', { status: 5 })],
      ['metadata', () => alice.api.refused('invalid_request', 'PATCH', '/users/me', { metadata: [] })],
      ['current_password', () => alice.api.refused('invalid_request', 'PUT', '/users/me/password', { current_password: 5, new_password: 'correct horse' })],
      ['new_password', () => alice.api.refused('invalid_request', 'PUT', '/users/me/password', { current_password: 'correct horse' })],
      ['seq', () => alice.api.refused('invalid_request', 'PUT', `/rooms/${room.id}/read`, { seq: 'one' })],
      ['seq', () => alice.api.refused('invalid_request', 'PUT', `/rooms/${room.id}/read`, {})],
      ['usernames', () => alice.api.refused('invalid_request', 'POST', '/rooms', { usernames: { a: 1 } })],
      ['name', () => alice.api.refused('invalid_request', 'POST', '/rooms', { usernames: [bob.username], name: 5 })],
      ['nonce', () => alice.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages`, { body: 'x', nonce: {} })],
      ['room', () => wire.refused('invalid_request', 'message', { room: 5, body: 'x' })],
      ['room', () => wire.refused('invalid_request', 'message', { body: 'x' })],
      ['body', () => wire.refused('invalid_request', 'message', { room: room.id })],
      ['seq', () => wire.refused('invalid_request', 'read', { room: room.id, seq: '1' })],
      ['typing', () => wire.refused('invalid_request', 'typing', { room: room.id })],
      ['usernames', () => wire.refused('invalid_request', 'create room', { usernames: [['x']] })],
    ];
    for (const [field, call] of calls) assert.ok((await call()).field?.startsWith(field), field);
  });

  it('an event takes exactly one object', async ({ people }) => {
    const [alice] = await people('alice');
    const room = await alice.room([], { name: 'x' });
    const wire = await alice.connect({ checked: false });
    const ask = (...args) => within(5_000, new Promise((done) => wire.io.emit(...args, done)), JSON.stringify(args));
    for (const request of [undefined, null, 'x', 5, [], [{ room: room.id, body: 'x' }]]) {
      for (const event of ['message', 'create room', 'read', 'typing', 'join room', 'leave room', 'authenticate']) {
        const ack = await ask(event, request);
        assert.equal(ack.ok, false, `${event} ${JSON.stringify(request)}`);
        assert.equal(ack.error.code, 'invalid_request');
      }
    }
    assert.equal((await ask('message')).error.code, 'invalid_request');
    assert.equal((await ask('message', 'too', 'many', { room: room.id, body: 'x' })).error.code, 'invalid_request');
    assert.equal((await ask('message', Buffer.from('binary'))).error.code, 'invalid_request');
    assert.equal((await ask('message', { room: room.id, body: Buffer.from('binary') })).error.code, 'invalid_request');
    for (const event of ['nothing', '', 'new message', '__proto__', 'x'.repeat(10_000), 'ready']) {
      const ack = await ask(event, {});
      assert.equal(ack.ok, false, event);
      assert.ok(['not_found', 'invalid_request'].includes(ack.error.code), `${event.slice(0, 20)}: ${JSON.stringify(ack)}`);
    }
    await wire.must('message', { room: room.id, body: 'still here' });
  });

  it('deep nesting, huge numbers, odd keys and long strings are refused or ignored, not obeyed', async ({ people }) => {
    const [alice] = await people('alice');
    const room = await alice.room([], { name: 'x' });
    const path = `/rooms/${room.id}`;
    const post = (raw, to = `${path}/messages`, method = 'POST') => alice.api.call(method, to, undefined, { raw, headers: JSON_TYPE });
    const deep = (open, close, count) => open.repeat(count) + close.repeat(count);
    for (const raw of [deep('[', ']', 50_000), deep('{"a":', '', 20_000), `{"body":"x","deep":${deep('[', ']', 50_000)}}`, `{"body":${deep('{"a":', '', 20_000)}`, '1'.repeat(100_000)]) {
      const answer = await post(raw);
      assert.ok([400, 413, 201].includes(answer.status), `${raw.slice(0, 20)}…: ${answer.status}`);
    }
    for (const seq of ['1e400', '-1e400', '99999999999999999999999999', '1.0000001', '-0', '1e2', '9223372036854775807', '9223372036854775808', 'NaN']) {
      const answer = await post(`{"seq":${seq}}`, `${path}/read`, 'PUT');
      assert.ok([200, 400].includes(answer.status), `seq ${seq}: ${answer.status} ${answer.text}`);
    }
    await alice.api.ok(201, 'POST', `${path}/messages`, JSON.parse('{"body":"x","__proto__":{"a":1},"constructor":5,"":null}'));
    const twice = await post('{"body":"first","body":"second"}');
    assert.ok([201, 400].includes(twice.status));
    for (const query of ['limit=1&limit=2', 'limit=%00', 'before=%F0%28%8C%28', 'after=%', 'limit', `${'x'.repeat(5_000)}=1`, 'limit=1;DROP TABLE log']) {
      const answer = await alice.api.get(`${path}/messages?${query}`);
      assert.ok([200, 400].includes(answer.status), `${query.slice(0, 30)}: ${answer.status} ${answer.text}`);
    }
    // `café` of another charset is another text, and must not be looked for in silence.
    for (const [query, field] of [[`/messages/search?q=caf%E9`, 'q'], ['/users?prefix=%ff', 'prefix'], ['/messages/recent?from=%C3', 'from']]) {
      assert.equal((await alice.api.refused('invalid_request', 'GET', query)).field, field);
    }
    const wire = await alice.connect({ checked: false });
    const ack = await within(10_000, Promise.race([wire.closed, new Promise((done) => wire.io.emit('message', { room: room.id, body: 'x', deep: JSON.parse(deep('[', ']', 500)) }, done))]), 'an answer or the cut');
    if (typeof ack === 'object') assert.ok(ack.ok === true || ack.error.code === 'invalid_request', JSON.stringify(ack).slice(0, 300));
  });

  it('bearer tokens of odd shapes are unauthenticated', async ({ nobody }) => {
    for (const authorization of ['Bearer', 'Bearer ', 'bearer x', 'Bearer a b', `Bearer ${'x'.repeat(6_000)}`, 'Token x', 'Bearer \u00e9', 'Bearer null', 'Bearer undefined']) {
      const answer = await nobody.get('/users/me', { headers: { authorization } });
      assert.equal(answer.body?.code, 'unauthenticated', `${authorization.slice(0, 20)}: ${answer.status} ${answer.text}`);
    }
  });

  it('thousands of weird packets hurt nobody but their sender', async ({ people, server }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    const packets = [
      '', '4', '40', '42', '42[', '42[]', '42["message"]', '42["message",', '420', '420["message",{}]', '42999999999999999999999["message",{}]',
      '42-1["message",{}]', '43', '430[]', '43["x"]', '44', '41', '45', '451-["message",{"_placeholder":true,"num":0}]', '4599-["x"]', '46', '47',
      '2', '3', '3probe', '2probe', '5', '6', '1', '0', '9', 'x', '42/admin,["x",{}]', '42/,["message",{}]', '40{"token":5}', '40{', '40null', '40[]',
      '40{"token":"x","cursor":{}}', '42[{"a":1}]', '42[null,{}]', '42[5]', `42["message",${'['.repeat(3000)}`, `42["message",${'['.repeat(50_000)}${']'.repeat(50_000)}]`, `420["read",${'{"a":'.repeat(15_000)}1${'}'.repeat(15_000)}]`, '42["message",{"room":"x","body":"\\u0000"}]',
      '42["\\ud800",{}]', '\u0000\u0001', '🙂', `42["${'x'.repeat(20_000)}",{}]`,
    ];
    const talk = (handshake) => new Promise((done) => {
      const raw = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      raw.on('error', done);
      raw.on('close', done);
      raw.on('open', () => {
        if (handshake) raw.send(`40${JSON.stringify({ token: alice.token })}`);
        for (const packet of handshake ? packets : [...packets].reverse()) raw.send(packet, () => {});
        for (const bytes of [Buffer.alloc(0), Buffer.alloc(10_000, 255), Buffer.from([4, 2])]) raw.send(bytes, () => {});
        setTimeout(() => { raw.terminate(); done(); }, 300);
      });
    });
    for (let round = 0; round < 6; round += 1) await Promise.all(Array.from({ length: 10 }, (_, n) => talk(n % 2)));
    // each packet alone on a fresh, authenticated line, so that none hides behind the one before
    for (let n = 0; n < packets.length; n += 12) {
      await Promise.all(packets.slice(n, n + 12).map((packet) => new Promise((done) => {
        const raw = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
        raw.on('error', done);
        raw.on('close', done);
        raw.on('message', (data) => {
          if (!data.toString().startsWith('42["ready"')) return;
          for (let k = 0; k < 20; k += 1) raw.send(packet, () => {});
          setTimeout(() => { raw.terminate(); done(); }, 150);
        });
        raw.on('open', () => raw.send(`40${JSON.stringify({ token: alice.token })}`));
        setTimeout(() => { raw.terminate(); done(); }, 5_000);
      })));
    }
    const { message } = await mine.must('message', { room: room.id, body: 'unaffected' });
    await theirs.until('new message', ({ id }) => id === message.id);
    assert.equal(mine.io.connected && theirs.io.connected, true);
    assert.equal(server.alive, true);
    assert.equal(server.log.includes('panicked'), false);
  });

  it('broken HTTP and half-open lines hurt nobody', async ({ people, server }) => {
    const [alice] = await people('alice');
    const bytes = [
      'GET / HTTP/1.1\r\n\r\n', 'NONSENSE\r\n\r\n', '\u0016\u0003\u0001', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      'POST /users/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"user',
      'POST /users/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      'POST /users/login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n', 'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
      'GET /socket.io/?EIO=4&transport=polling&sid=nonsense HTTP/1.1\r\nhost: x\r\n\r\n', 'POST /socket.io/?EIO=4&transport=polling&sid=nonsense HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n40',
      'GET /socket.io/?EIO=9&transport=carrier-pigeon HTTP/1.1\r\nhost: x\r\n\r\n', 'GET /socket.io/ HTTP/1.1\r\nhost: x\r\n\r\n',
    ];
    const lines = bytes.map((text) => {
      const line = tcp(server.port, '127.0.0.1', () => line.write(text));
      line.on('error', () => {});
      line.on('data', () => {});
      return line;
    });
    await sleep(300);
    await alice.api.ok(200, 'GET', '/users/me');
    await alice.connect();
    for (const line of lines) line.destroy();
    assert.equal(server.alive, true);
  });
});
