// Connections: how one authenticates, what an unauthenticated socket may do, and what each device is sent.

import assert from 'node:assert/strict';
import { request as ask } from 'node:http';
import WebSocket from 'ws';
import { assertInOrder, comparable } from '../lib/sockets.mjs';
import { story } from '../lib/story.mjs';
import { pipelined, within } from '../lib/wait.mjs';

story('sockets', {}, (it) => {
  it('a client connects with its token, or connects first and authenticates', async ({ people, wire }) => {
    const [alice] = await people('alice');
    const at = wire({ auth: { token: alice.token } });
    const ready = await at.ready();
    assert.equal(ready.user.id, alice.user.id);
    assert.equal(ready.resumed, false);
    assert.equal(typeof ready.server.version, 'string');
    assert.ok(Array.isArray(ready.server.features));
    const later = wire({});
    await later.connected();
    assert.equal(later.events.length, 0);
    const ack = await later.must('authenticate', { token: alice.token });
    assert.equal(ack.user.id, alice.user.id);
    assert.equal((await later.until('ready')).resumed, false);
  });

  it('a bad token is a connect_error whose data.code is unauthenticated', async ({ wire }) => {
    for (const client of [4, 3]) {
      for (const transport of ['websocket', 'polling']) {
        for (const auth of [{ token: 'nonsense' }, { token: '' }, { token: 'x'.repeat(5000) }]) {
          const error = await wire({ auth, client, transport }).refusedToConnect();
          assert.equal(error.data?.code, 'unauthenticated', `${JSON.stringify(auth).slice(0, 40)}: ${error.message} ${JSON.stringify(error.data)}`);
          assert.equal(typeof error.message, 'string');
        }
      }
    }
    for (const auth of [{ token: 5 }, { token: {} }, { token: ['x'] }]) {
      const error = await wire({ auth }).refusedToConnect();
      assert.ok(['unauthenticated', 'invalid_request'].includes(error.data?.code), JSON.stringify(error.data));
    }
    const later = wire({});
    await later.connected();
    await later.refused('unauthenticated', 'authenticate', { token: 'nonsense' });
    await later.refused('invalid_request', 'authenticate', { token: 7 });
  });

  it('a socket may try again after a bad token', async ({ people, wire }) => {
    const [alice] = await people('alice');
    const socket = wire({});
    await socket.connected();
    await socket.refused('unauthenticated', 'authenticate', { token: 'nonsense' });
    await socket.must('authenticate', { token: alice.token });
    await socket.until('ready');
  });

  it('an unauthenticated socket can do nothing and hears nothing', async ({ people, wire }) => {
    const [alice] = await people('alice');
    const room = await alice.room([], { kind: 'channel', name: 'public' });
    const socket = wire({});
    await socket.connected();
    for (const [event, request] of [['create room', { usernames: [], name: 'x' }], ['message', { room: room.id, body: 'x' }], ['join room', { room: room.id }], ['leave room', { room: room.id }], ['read', { room: room.id, seq: 0 }], ['typing', { room: room.id, typing: true }]]) {
      await socket.refused('unauthenticated', event, request);
    }
    await alice.says(room, 'x');
    await alice.connect();
    assert.equal(socket.events.length, 0);
    assert.equal(socket.io.connected, true);
  });

  it('a second authenticate as oneself is fine and replays nothing; as somebody else it is conflict', async ({ people, nobody }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const early = await alice.connect();
    await bob.says(room, 'one');
    await bob.says(room, 'two');
    await early.until('new message', ({ body }) => body === 'two');
    const { cursor } = early.all('ready')[0];
    await early.must('authenticate', { token: alice.token, cursor });
    const { token } = await nobody.ok(200, 'POST', '/users/login', { username: alice.username, password: alice.password });
    await early.must('authenticate', { token, cursor });
    await early.refused('conflict', 'authenticate', { token: bob.token });
    await early.settled(room.id);
    assert.equal(early.count('new message', ({ body }) => body !== 'settled'), 2, 'nothing was replayed');
    assert.equal(early.io.connected, true);
    await early.must('message', { room: room.id, body: 'still me' });
    await early.until('new message', ({ body, sender }) => body === 'still me' && sender === alice.username);
  });

  it('events without an acknowledgement work the same in silence', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    mine.emit('message', { room: room.id, body: 'unacknowledged' });
    await theirs.until('new message', ({ body }) => body === 'unacknowledged');
    mine.emit('message', { room: room.id, body: '' });
    mine.emit('message', { room: 'nonsense', body: 'x' });
    mine.emit('create room', { usernames: [bob.username], name: 'in silence' });
    await theirs.until('room created', ({ room: { name } }) => name === 'in silence');
    mine.emit('read', { room: room.id, seq: 1 });
    mine.emit('typing', { room: room.id, typing: true });
    await theirs.until('typing');
    await mine.settled(room.id);
    assert.equal(mine.count('error'), 0, 'a refusal without an acknowledgement stays silent');
    assert.equal(mine.io.connected, true);
  });

  it('an acknowledgement answers the same resource as REST, under its name', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const wire = await alice.connect();
    const made = await wire.must('create room', { usernames: [bob.username], name: 'same' });
    assert.deepEqual(Object.keys(made).sort(), ['created', 'ok', 'room']);
    assert.deepEqual(made.room, await alice.sees(made.room));
    const sent = await wire.must('message', { room: made.room.id, body: 'x' });
    assert.deepEqual(Object.keys(sent).sort(), ['message', 'ok']);
    assert.deepEqual([sent.message], (await alice.api.ok(200, 'GET', `/rooms/${made.room.id}/messages`)).items);
    const mark = await wire.must('read', { room: made.room.id, seq: 1 });
    assert.deepEqual(mark, { ok: true, read: 1, unread: 0 });
    assert.deepEqual(Object.keys(await wire.must('join room', { room: made.room.id })).sort(), ['ok', 'room']);
    assert.deepEqual(Object.keys(await wire.must('leave room', { room: made.room.id })).sort(), ['ok', 'room']);
    const refused = await wire.ask('message', { room: made.room.id, body: 'x' });
    assert.equal(refused.ok, false);
    assert.ok(Object.keys(refused.error).every((key) => ['code', 'detail', 'field', 'retry_after_ms', 'incident'].includes(key)));
  });

  it('several devices get everything, each exactly once, in the same order', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const rooms = [await alice.room([bob]), await alice.room([bob], { name: 'two' }), await alice.room([bob], { name: 'three' })];
    const devices = await Promise.all([bob.connect(), bob.connect({ transport: 'polling' }), bob.connect({ client: 3 }), bob.connect({ transport: 'upgrade' }), alice.connect()]);
    const sender = devices.at(-1);
    await pipelined(90, (n) => sender.must('message', { room: rooms[n % 3].id, body: String(n) }));
    await sender.settled(rooms[0].id);
    const tell = (wire) => comparable(wire.durable()).map(({ name, data }) => `${name} ${data.room?.id ?? data.room} ${data.seq ?? ''}`);
    for (const wire of devices) {
      await wire.untilTrue('everything', () => wire.durable().length >= 91);
      assert.equal(wire.durable().length, 91);
      assertInOrder(wire.durable(), Object.fromEntries(rooms.map(({ id }) => [id, 0])));
      assert.deepEqual(tell(wire), tell(sender), 'across rooms, too');
      assert.ok(wire.durable().every(({ data }) => typeof data.cursor === 'string'));
      assert.equal(new Set(wire.durable().map(({ data }) => data.cursor)).size, 91, 'each event moves the cursor');
    }
  });

  it('what a client sends right after the connection is not lost', async ({ people, wire }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      const socket = wire({ auth: { token: alice.token }, transport: n % 2 ? 'websocket' : 'polling' });
      const early = socket.must('message', { room: room.id, body: `early ${n}` });
      await early;
    }));
    assert.equal((await bob.sees(room)).unread, 20);
    const socket = wire({});
    const [auth, sent] = await Promise.all([socket.must('authenticate', { token: alice.token }), socket.must('message', { room: room.id, body: 'after authenticate' })]);
    assert.equal(auth.user.id, alice.user.id);
    assert.equal(sent.message.seq, 21, "one client's events are handled in their order");
  });

  it('the heartbeat is every 25 s, with 20 s of patience', async ({ server }) => {
    const answer = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
    const open = JSON.parse((await answer.text()).slice(1));
    assert.equal(open.pingInterval, 25_000);
    assert.equal(open.pingTimeout, 20_000);
    assert.deepEqual(open.upgrades, ['websocket']);
    assert.equal(typeof open.sid, 'string');
    assert.ok(open.maxPayload === undefined || open.maxPayload >= 128 * 1024);
  });

  it('older protocols and other namespaces are refused', async ({ server, people }) => {
    const answer = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling`);
    assert.equal(answer.ok, false);
    const [alice] = await people('alice');
    const raw = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const heard = [];
    const refused = new Promise((done) => raw.on('message', (data) => {
      heard.push(data.toString());
      if (data.toString().startsWith('44')) done(data.toString());
    }));
    await new Promise((done) => raw.on('open', done));
    raw.send(`40/admin,${JSON.stringify({ token: alice.token })}`);
    assert.match(await within(5_000, refused, () => `a CONNECT_ERROR of the namespace; heard ${heard}`), /^44\/admin,/);
    raw.close();
  });

  it('a WebSocket handshake of another version is told version 13, and a key is 16 bytes', async ({ server }) => {
    const handshake = (path, headers) => new Promise((done, fail) => {
      // a line of its own: one that has asked for a WebSocket stays with whom it was joined to
      const request = ask(`${server.url}${path}`, { agent: false, headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-protocol': 'graphql-transport-ws', ...headers } });
      request.on('response', (answer) => {
        answer.resume();
        done(answer);
      });
      request.on('upgrade', (answer, socket) => {
        socket.destroy();
        done(answer);
      });
      request.on('error', fail);
      request.end();
    });
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    for (const path of ['/socket.io/?EIO=4&transport=websocket', '/graphql']) {
      const right = await handshake(path, { 'sec-websocket-version': '13', 'sec-websocket-key': key });
      assert.equal(right.statusCode, 101, path);
      assert.equal(right.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', path);
      for (const version of ['8', '14', '']) {
        const other = await handshake(path, { 'sec-websocket-version': version, 'sec-websocket-key': key });
        assert.equal(other.statusCode, 426, `${path}, version ${version}`);
        assert.equal(other.headers['sec-websocket-version'], '13', `${path}, version ${version}`);
      }
      for (const wrong of ['hello', 'dGhlIHNhbXBsZSBub24=', 'dGhlIHNhbXBsZSBub25jZTE=', 'YQ==', 'dGhlIHNhbXBsZSBub25jZSEhIQ==']) {
        const answer = await handshake(path, { 'sec-websocket-version': '13', 'sec-websocket-key': wrong });
        assert.equal(answer.statusCode, 400, `${path}, key ${wrong}`);
      }
    }
  });

  it('an unauthenticated socket is cut after the time for it, and told why', async ({ start, stage }) => {
    const server = await start({ settings: { GUILD_LIMITS_UNAUTHENTICATED_SECONDS: '1' } });
    const [alice] = await stage.peopleOn(server, 'alice');
    for (const transport of ['websocket', 'polling']) {
      const socket = stage.wire(server, { transport });
      await socket.connected();
      const began = performance.now();
      assert.equal((await socket.until('error', undefined, 5_000)).code, 'unauthenticated');
      await within(5_000, socket.closed, 'the cut');
      assert.ok(performance.now() - began > 500);
    }
    // neither does one that never says CONNECT stay
    const silent = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    await within(8_000, new Promise((done) => silent.on('close', done)), 'the cut of a line without CONNECT');
    const good = await alice.connect();
    await new Promise((done) => setTimeout(done, 1_500));
    assert.equal(good.io.connected, true, 'who is authenticated stays');
  });

  it('a disconnect by the client ends its events', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    theirs.io.disconnect();
    await mine.must('message', { room: room.id, body: 'nobody hears' });
    const again = await bob.connect({ cursor: theirs.cursor });
    assert.equal(again.count('new message'), 1);
  });
});
