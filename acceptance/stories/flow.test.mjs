// The seed's flow, word for word: connect; POST /users/login; authenticate; list one's rooms; who is online; create room
// with the other's username; both hear `room created`; message; both hear `new message`. It must work with every stock
// client over every transport.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { story } from '../lib/story.mjs';
import { eventually } from '../lib/wait.mjs';

const PYTHON = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
const PYTHON_FLOW = fileURLToPath(new URL('../python/flow.py', import.meta.url));

async function theFlow({ server, wire, nobody, client, transport }, me, other) {
  // connect first, log in afterwards, authenticate the open socket: the seed's order
  const [mine, theirs] = [wire({ client, transport }), wire({ client, transport })];
  await Promise.all([mine.connected(), theirs.connected()]);

  const first = await nobody.post('/users/login', { username: me, password: 'the password of me' });
  assert.equal(first.status, 201, 'a login creates the user that does not exist yet');
  assert.equal(first.body.user.username, me);
  const second = await nobody.ok(201, 'POST', '/users/login', { username: other, password: 'the password of other' });

  const { user } = await mine.must('authenticate', { token: first.body.token });
  assert.deepEqual({ ...user, online: undefined }, { ...first.body.user, online: undefined });
  await theirs.must('authenticate', { token: second.token });
  const ready = await mine.until('ready');
  assert.equal(ready.user.username, me);
  assert.equal(ready.resumed, false);
  assert.equal(typeof ready.cursor, 'string');
  await theirs.until('ready');

  const api = nobody.as(first.body.token);
  assert.deepEqual(await api.ok(200, 'GET', `/users/${me}/rooms`), { items: [], next: null });
  await eventually('both are online', async () => {
    const online = (await api.ok(200, 'GET', '/users/online?limit=100')).items.map((one) => one.username);
    return online.includes(me) && online.includes(other);
  });

  const made = await mine.must('create room', { usernames: [other] });
  assert.equal(made.created, true);
  const heard = await Promise.all([mine, theirs].map((one) => one.until('room created', ({ room }) => room.id === made.room.id)));
  for (const { room } of heard) {
    assert.equal(room.kind, 'direct');
    assert.equal(room.created_by, me);
    assert.deepEqual([...room.usernames].sort(), [me, other].sort());
  }

  const sent = await mine.must('message', { room: made.room.id, body: 'Hello, you' });
  assert.equal(sent.message.sender, me);
  assert.equal(sent.message.seq, 1);
  for (const one of [mine, theirs]) {
    const message = await one.until('new message', ({ room }) => room === made.room.id);
    assert.equal(message.id, sent.message.id);
    assert.equal(message.body, 'Hello, you');
    assert.equal(message.sender, me);
    assert.equal(message.created_at, sent.message.created_at);
  }
  const answer = await theirs.must('message', { room: made.room.id, body: 'Hello, me' });
  assert.equal(answer.message.seq, 2);
  await mine.until('new message', ({ id }) => id === answer.message.id);

  if (transport === 'upgrade') {
    await eventually('the connection is upgraded to websocket', () => mine.io.io.engine.transport.name === 'websocket');
    await mine.must('message', { room: made.room.id, body: 'after the upgrade' });
    await theirs.until('new message', ({ body }) => body === 'after the upgrade');
  } else {
    assert.equal(mine.io.io.engine.transport.name, transport);
  }
  assert.equal(server.alive, true);
}

story("the seed's flow", {}, (it) => {
  for (const client of [4, 3]) {
    for (const transport of ['websocket', 'polling', 'upgrade']) {
      it(`works with the JavaScript client ${client} over ${transport}`, async ({ server, wire, nobody }) => {
        await theFlow({ server, wire, nobody, client, transport }, `me-${client}-${transport}`, `other-${client}-${transport}`);
      });
    }
  }

  it('works between clients of different ages and transports', async ({ people }) => {
    const [old, young] = await people('old', 'young');
    const [left, right] = await Promise.all([old.connect({ client: 3, transport: 'polling' }), young.connect({ client: 4 })]);
    const { room } = await left.must('create room', { usernames: [young.username] });
    await right.until('room created', (one) => one.room.id === room.id);
    await right.must('message', { room: room.id, body: 'over there' });
    await left.until('new message', (one) => one.body === 'over there');
  });

  for (const transport of ['websocket', 'polling', 'upgrade']) {
    it(`works with the Python client over ${transport}`, async ({ server }) => {
      assert.ok(existsSync(PYTHON), 'acceptance/.venv is missing; scripts/test makes it: python3 -m venv acceptance/.venv && acceptance/.venv/bin/pip install -r acceptance/requirements.txt');
      const said = await new Promise((done) => {
        const child = spawn(PYTHON, [PYTHON_FLOW, server.url, transport], { stdio: ['ignore', 'pipe', 'pipe'] });
        let text = '';
        child.stdout.on('data', (chunk) => { text += chunk; });
        child.stderr.on('data', (chunk) => { text += chunk; });
        child.on('close', (code) => done({ code, text }));
      });
      assert.equal(said.code, 0, said.text);
      assert.match(said.text, /the flow works/);
    });
  }
});
