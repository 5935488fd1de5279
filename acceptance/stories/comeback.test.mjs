// Clients that cannot be served now and come back by themselves, and connections that leave nothing behind. All clients are stock
// ones with their own defaults, but for the shorter delays.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, sleep, within } from '../lib/wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const python = join(here, '../.venv/bin/python3');

/** Comes back as a stock client does, only sooner. */
const RECONNECTS = { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 1_000 };

const limited = (sockets, more = {}) => ({ settings: { GUILD_LIMITS_SOCKETS_PER_ADDRESS: String(sockets), ...more } });

/** A raw transport that has its open packet; answers the socket. */
function transport(server) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  return new Promise((done, fail) => {
    socket.once('message', () => done(socket));
    socket.once('error', fail);
  });
}

/** Says this, and answers the first packet that begins so. */
function say(socket, packet, answer) {
  const heard = new Promise((done, fail) => {
    socket.on('message', (data) => data.toString().startsWith(answer) && done(data.toString()));
    socket.once('close', () => fail(new Error(`closed instead of ${answer}`)));
    socket.once('error', fail);
  });
  socket.send(packet);
  return within(20_000, heard, answer);
}

/** The Python client: it connects, and says what it hears, line by line; ends when it is `ready`. */
function pythonClient(server, token, first) {
  const child = spawn(python, [join(here, '../python/comeback.py'), server.url, token, first], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [text, wrong] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
  child.stderr.setEncoding('utf8').on('data', (chunk) => { wrong += chunk; });
  const ended = new Promise((done) => { child.on('close', done); });
  return {
    get heard() { return text.split('\n').filter(Boolean); },
    ended: async () => {
      assert.equal(await within(60_000, ended, () => `the end of the Python client; it said: ${text}${wrong}`), 0, text + wrong);
    },
  };
}

story('comeback', { server: false, timeout: 300_000 }, (it) => {
  it('who finds an address full is told so, stays away from nothing, and is served when there is a place', async ({ start, stage }) => {
    const server = await start(limited(8));
    const [alice] = await stage.peopleOn(server, 'alice');
    const first = await Promise.all(Array.from({ length: 8 }, () => alice.connect()));
    // first of all, because it does not come back from a refused transport when it has never been connected
    const snake = pythonClient(server, alice.token, 'connects');
    await eventually('the Python client was told', () => snake.heard.includes('error rate_limited'), 30_000);
    const newcomers = [[4, 'websocket'], [4, 'polling'], [4, 'upgrade'], [3, 'websocket'], [3, 'polling']].map(([client, kind]) => {
      const wire = alice.wire({ auth: { token: alice.token }, client, transport: kind, extra: RECONNECTS });
      wire.firstClosed = wire.closed;
      wire.kind = `socket.io-client ${client}, ${kind}`;
      wire.io.on('connect_error', (error) => { wire.refused ??= error; });
      return wire;
    });
    await Promise.all(newcomers.map(async (wire) => {
      const error = await wire.until('error', undefined, 30_000);
      assert.equal(error.code, 'rate_limited', wire.kind);
      assert.match(error.detail, /8 sockets/);
      const reason = await within(10_000, wire.firstClosed, `${wire.kind}: the cut`);
      assert.ok(['transport close', 'transport error'].includes(reason), `${wire.kind}: ${reason}`);
    }));
    for (const wire of first) {
      assert.equal(wire.io.connected, true, 'who has a place keeps it');
      wire.close();
    }
    await Promise.all(newcomers.map(async (wire) => {
      await wire.until('ready', undefined, 30_000);
      assert.equal(wire.refused?.data, undefined, `${wire.kind}: never refused at CONNECT`);
    }));
    await snake.ended();
  }, { timeout: 120_000 });

  it('who opens transports in a loop gets 429 with Retry-After, and stock clients come back from it', async ({ start, stage }) => {
    const server = await start(limited(3));
    const [alice] = await stage.peopleOn(server, 'alice');
    const open = () => fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
    const drain = async () => {
      for (let n = 0; n < 20; n += 1) {
        const answer = await open();
        if (answer.status === 429) return answer;
        const { sid } = JSON.parse((await answer.text()).slice(1));
        await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: '1' });
      }
      throw new Error('nothing stops a loop');
    };
    const refused = await drain();
    assert.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
    assert.equal((await refused.json()).code, 'rate_limited');
    for (const [client, kind] of [[4, 'websocket'], [4, 'polling'], [3, 'websocket'], [3, 'polling']]) {
      await drain();
      const wire = alice.wire({ auth: { token: alice.token }, client, transport: kind, extra: RECONNECTS });
      const error = await wire.refusedToConnect();
      assert.equal(error.data, undefined, `${client} ${kind}: it is no answer to CONNECT`);
      await wire.until('ready', undefined, 20_000);
      wire.close();
    }
    await drain();
    const snake = pythonClient(server, alice.token, 'retries');
    await snake.ended();
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /guild_rate_limited_total\{what="opens"\} [1-9]/);
  }, { timeout: 120_000 });

  it('all sockets of an address may come back at once', async ({ start, stage }) => {
    const server = await start(limited(50));
    const [alice] = await stage.peopleOn(server, 'alice');
    const wires = await Promise.all(Array.from({ length: 50 }, () => alice.connect({ extra: RECONNECTS })));
    let errors = 0;
    for (const wire of wires) wire.io.io.on('reconnect_error', () => { errors += 1; });
    // as a network would that is away for a moment
    await Promise.all(wires.map((wire) => wire.drop()));
    await Promise.all(wires.map((wire) => wire.untilTrue('ready again', () => wire.count('ready') === 2, 20_000)));
    assert.equal(errors, 0);
    assert.equal(wires.reduce((sum, wire) => sum + wire.count('error'), 0), 0, 'nobody was refused');
  });

  it('the place of a connection that has gone is free at once, whoever it was', async ({ start, stage }) => {
    const server = await start(limited(1));
    const [alice] = await stage.peopleOn(server, 'alice');
    const nobody = stage.wire(server, {});
    await nobody.connected();
    nobody.close();
    await eventually('its place is given back', async () => /^guild_connections 0$/m.test(await (await fetch(`${server.url}/metrics`)).text()));
    const somebody = await alice.connect({ ms: 5_000 });
    assert.equal(somebody.count('error'), 0);
  });

  it('thousands of connections come and go, and leave neither places nor memory behind', async ({ start, stage }) => {
    const count = 5_000;
    const server = await start(limited(count, { GUILD_LIMITS_UNAUTHENTICATED_SECONDS: '600' }));
    const [alice] = await stage.peopleOn(server, 'alice');
    const memory = () => Number(readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024;
    const auth = JSON.stringify({ token: alice.token });
    // in turn: says nothing more; authenticates by the event; never says CONNECT
    const comeAndGo = async (n) => {
      const socket = await transport(server);
      if (n % 3 < 2) await say(socket, '40', '40');
      if (n % 3 === 1) await say(socket, `420["authenticate",${auth}]`, '430[{"ok":true');
      socket.terminate();
    };
    await pipelined(600, comeAndGo);
    await sleep(1_000);
    const before = memory();
    await pipelined(count, comeAndGo);
    await eventually('all of them have gone', async () => /^guild_connections 0$/m.test(await (await fetch(`${server.url}/metrics`)).text()), 10_000);
    // what lingers on a socket after its close does so for 2 s
    await sleep(3_000);
    const growth = memory() - before;
    assert.ok(growth < 30, `${growth.toFixed(0)} MiB stay behind`);
    assert.equal((await alice.connect()).count('error'), 0);
  }, { timeout: 120_000 });
});
