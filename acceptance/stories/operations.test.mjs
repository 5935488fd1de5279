// Running it: probes, metrics, settings, stopping, tools, and what stands in the way of a start.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../lib/http.mjs';
import { freshFolder, guild, Server } from '../lib/server.mjs';
import { sqliteSays as sql } from '../lib/sql.mjs';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, within } from '../lib/wait.mjs';

const PASSWORD = 'correct horse battery';
const hash = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A start that must fail: answers what it said. Nothing may be left running or changed. */
async function failsToStart(options) {
  const server = new Server(options);
  await assert.rejects(server.start(), /ended at once/, 'the start should fail');
  const end = await server.exit;
  assert.equal(end.signal, null, server.log);
  assert.notEqual(end.code, 0);
  assert.equal(server.log.includes('panicked'), false, server.log);
  return server.log;
}

story('probes and documents', {}, (it) => {
  it('/healthz and /readyz say that it lives and can serve', async ({ nobody }) => {
    assert.equal((await nobody.get('/healthz')).status, 200);
    assert.equal((await nobody.get('/readyz')).status, 200);
  });

  it('/metrics speaks Prometheus and counts what an operator asks about', async ({ people, nobody }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [wire, other] = await Promise.all([alice.connect(), bob.connect({ transport: 'polling' })]);
    const room = await alice.room([bob]);
    for (let n = 0; n < 5; n += 1) await wire.must('message', { room: room.id, body: 'x' });
    await other.untilTrue('all of it', () => other.count('new message') === 5);
    const { text, type } = await nobody.get('/metrics');
    assert.match(type, /^text\/plain/);
    const names = [...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map(([, name]) => name);
    for (const [what, pattern] of Object.entries({
      connections: /connection/, 'users online': /online/, messages: /message/, deliveries: /deliver/, 'ack latency': /ack/, 'commit batch size': /batch|commit.*(size|rows|entries)/,
      'commit time': /commit.*second/, 'queue depths': /queue/, 'cut slow clients': /slow/, 'rate-limited calls': /rate_limited|limited/, 'login time': /login.*second/,
    })) assert.ok(names.some((name) => pattern.test(name)), `no metric for ${what} among ${names.join(' ')}`);
    for (const line of text.split('\n').filter(Boolean)) assert.match(line, /^(#|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [-+0-9.eE]+|.* (NaN|[+-]Inf)$)/, line);
    const value = (pattern) => text.split('\n').filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    assert.ok(value(/^guild_\w*connection\w*(\{.*\})? /) >= 2, 'both connections are counted');
  });

  it('the documents are complete, and every reference in them leads somewhere', async ({ nobody }) => {
    const openapi = (await nobody.get('/openapi.json')).body;
    assert.match(openapi.openapi, /^3\.1\./);
    for (const path of ['/users/login', '/users/logout', '/users/me', '/users/me/password', '/users/online', '/users', '/users/{username}', '/users/{username}/rooms', '/rooms', '/rooms/{id}', '/rooms/{id}/members', '/rooms/{id}/members/{username}', '/rooms/{id}/messages', '/rooms/{id}/read', '/messages/recent', '/healthz', '/readyz', '/metrics']) {
      const shape = path.replace(/\{\w+\}/g, '{}');
      assert.ok(Object.keys(openapi.paths).some((one) => one.replace(/\{\w+\}/g, '{}') === shape), `/openapi.json lacks ${path}`);
    }
    const asyncapi = (await nobody.get('/asyncapi.json')).body;
    assert.match(asyncapi.asyncapi, /^3\./);
    const text = JSON.stringify(asyncapi);
    for (const event of ['authenticate', 'create room', 'message', 'join room', 'leave room', 'read', 'typing', 'ready', 'room created', 'new message', 'member joined', 'member left', 'room updated', 'user online', 'user offline', 'user updated', 'resync', 'error']) assert.ok(text.includes(`"${event}"`), `/asyncapi.json lacks "${event}"`);
    for (const document of [openapi, asyncapi]) {
      const visit = (node) => {
        if (Array.isArray(node)) node.forEach(visit);
        else if (node && typeof node === 'object') {
          if (typeof node.$ref === 'string' && node.$ref.startsWith('#')) {
            const target = node.$ref.slice(2).split('/').reduce((at, part) => at?.[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')], document);
            assert.notEqual(target, undefined, node.$ref);
          }
          Object.values(node).forEach(visit);
        }
      };
      visit(document);
    }
  });

  it('the pages are served from the program alone: no foreign host', async ({ server, nobody }) => {
    assert.equal((await nobody.get('/docs')).headers.get('location'), '/docs/');
    for (const path of ['/', '/docs', '/docs/events', '/docs/errors']) {
      const page = await nobody.get(path, { redirect: 'follow' });
      assert.equal(page.status, 200, path);
      assert.match(page.type, /^text\/html/);
      const base = path.endsWith('/') || path.startsWith('/docs/') ? path : `${path}/`;
      const assets = [...page.text.matchAll(/<(?:script|link|img)\b[^>]*?\b(?:src|href)\s*=\s*["']([^"']+)["']/g)].map(([, url]) => url);
      for (const asset of assets) {
        if (asset.startsWith('data:') || asset.startsWith('#')) continue;
        const url = new URL(asset, new URL(base, server.url));
        assert.equal(url.origin, new URL(server.url).origin, `${path} asks a foreign host: ${asset}`);
        assert.equal((await fetch(url)).status, 200, `${path} needs ${asset}`);
      }
    }
  });

  it('the page at / brings the stock client and leaves no foreign host in its scripts', async ({ server, nobody }) => {
    const page = await nobody.get('/');
    const scripts = [...page.text.matchAll(/<script[^>]*\bsrc=["']([^"']+)["']/g)].map(([, url]) => new URL(url, server.url).href);
    const sources = await Promise.all(scripts.map(async (url) => (await fetch(url)).text()));
    assert.ok([page.text, ...sources].some((text) => /socket\.io/i.test(text)));
  });

  it('answers are not sniffed, and each has a request id that the log can be asked for', async ({ people }) => {
    const [alice] = await people('alice');
    const answer = await alice.api.get('/users/me');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.ok(answer.headers.get('x-request-id'));
  });
});

story('starting and stopping', { server: false, timeout: 240_000 }, (it) => {
  it('SIGTERM with messages in flight: exit 0 within 10 s; each send is either acknowledged and in the log, or not acknowledged', async ({ start, stage }) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    const [wire, listener] = await Promise.all([alice.connect({ checked: false }), bob.connect({ checked: false })]);
    const polling = await bob.connect({ transport: 'polling', checked: false });
    const acks = [];
    pipelined(20_000, async (n) => acks.push(await wire.ask('message', { room: room.id, body: String(n), nonce: `n-${n}` }, 60_000))).catch(() => {}); // the stop ends it
    await wire.untilTrue('some of it', () => wire.count('new message') > 100, 20_000);
    const end = await server.stop();
    assert.equal(end.code, 0, server.tail());
    assert.ok(end.ms < 10_000, `took ${Math.round(end.ms)} ms`);
    await Promise.all([wire, listener, polling].map((one) => within(5_000, one.closed, 'the end of the line')));
    const acked = acks.filter((ack) => ack.ok).map((ack) => ack.message);
    await server.start();
    const stored = new Map();
    for (let after = '0'; after !== null;) {
      const page = await alice.api.ok(200, 'GET', `/rooms/${room.id}/messages?limit=100&after=${after}`);
      for (const message of page.items) stored.set(message.nonce, message);
      after = page.next;
    }
    for (const message of acked) assert.equal(stored.get(message.nonce)?.seq, message.seq);
    assert.equal(server.run(['check']).code, 0);
    const again = await bob.connect({ cursor: listener.cursor, checked: false, ms: 30_000 });
    await again.untilTrue('the rest', () => listener.count('new message') + again.count('new message') === stored.size);
  });

  it('after a stop the database is one file, whole', async ({ start, stage }) => {
    for (let round = 0; round < 3; round += 1) {
      const server = await start();
      const [alice] = await stage.peopleOn(server, 'alice');
      const room = await alice.room([], { name: 'x' });
      for (let n = 0; n < 20; n += 1) await alice.says(room, 'x');
      await server.stop();
      assert.deepEqual(readdirSync(server.folder).filter((name) => /^guild\.db-/.test(name)), [], 'nothing is left beside it');
      const folder = freshFolder();
      copyFileSync(server.database, join(folder, 'guild.db'));
      const copy = await start({ folder });
      const answer = await fetch(`${copy.url}/rooms/${room.id}`, { headers: { authorization: `Bearer ${alice.token}` } });
      assert.equal((await answer.json()).head, 20);
    }
  });

  it('tells the clients before it stops', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    const wires = [await alice.connect(), await alice.connect({ transport: 'polling' })];
    await server.stop();
    for (const wire of wires) await within(5_000, wire.closed, 'the end of the line');
    assert.ok(wires[0].reason === 'io server disconnect' || wires[0].count('error') > 0 || wires[0].reason === 'transport close', wires[0].reason);
  });

  it('SIGINT stops as well, and with an idle server at once', async ({ start }) => {
    const server = await start();
    server.child.kill('SIGINT');
    const end = await within(10_000, server.exit, 'the end');
    assert.equal(end.code, 0);
  });

  it('a second server on the same file does not start, says so, and leaves the file alone', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    const said = await failsToStart({ folder: server.folder });
    assert.match(said, /guild\.db/);
    assert.match(said, /another|in use|already|lock/i);
    const room = await alice.room([], { name: 'still here' });
    assert.equal((await alice.says(room, 'x')).seq, 1);
    assert.equal(server.run(['check']).code, 0);
    await server.kill();
    await server.start();
  });

  it('an address in use stops the start with a clear line', async ({ start }) => {
    const server = await start();
    const said = await failsToStart({ settings: { GUILD_LISTEN: `127.0.0.1:${server.port}` } });
    assert.match(said, new RegExp(`127\\.0\\.0\\.1:${server.port}`));
  });

  it('files that are no database, of a newer version, or not to be written stop the start, untouched', async ({ start }) => {
    const garbage = freshFolder();
    writeFileSync(join(garbage, 'guild.db'), 'this is no database, but somebody may love it'.repeat(500));
    const before = hash(join(garbage, 'guild.db'));
    assert.match(await failsToStart({ folder: garbage }), /guild\.db/);
    assert.equal(hash(join(garbage, 'guild.db')), before, 'untouched');

    const server = await start();
    await server.stop();
    const newer = freshFolder();
    copyFileSync(server.database, join(newer, 'guild.db'));
    sql(join(newer, 'guild.db'), "INSERT INTO schema_steps (service, number, name) VALUES ('messages', 9999, 'of tomorrow')");
    const copy = hash(join(newer, 'guild.db'));
    assert.match(await failsToStart({ folder: newer }), /newer|version/i);
    assert.equal(hash(join(newer, 'guild.db')), copy, 'untouched');

    assert.match(await failsToStart({ settings: { GUILD_DATABASE_URL: 'sqlite:/no/such/folder/guild.db' } }), /\/no\/such\/folder/);
    const folder = freshFolder();
    mkdirSync(join(folder, 'guild.db'));
    assert.match(await failsToStart({ folder }), /guild\.db/);
  });

  it('a corrupt database is a clear line', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    const room = await alice.room([], { name: 'x' });
    for (let n = 0; n < 50; n += 1) await alice.says(room, 'x'.repeat(500));
    await server.stop();
    const bytes = readFileSync(server.database);
    bytes.fill(0x5a, 100, Math.min(bytes.length, 4096));
    writeFileSync(server.database, bytes);
    assert.match(await failsToStart({ folder: server.folder }), /guild\.db/);
    const check = server.run(['check']);
    assert.notEqual(check.code, 0);
  });

  it('a database in memory works, and is gone afterwards', async ({ start, stage }) => {
    const server = await start({ settings: { GUILD_DATABASE_URL: 'sqlite::memory:' } });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const [wire, other] = await Promise.all([alice.connect(), bob.connect()]);
    const { room } = await wire.must('create room', { usernames: [bob.username] });
    await wire.must('message', { room: room.id, body: 'x' });
    await other.until('new message');
    await server.stop();
    assert.deepEqual(readdirSync(server.folder).filter((name) => name.startsWith('guild.db')), []);
  });

  it('an absolute path works', async ({ start, stage }) => {
    const folder = freshFolder();
    const server = await start({ settings: { GUILD_DATABASE_URL: `sqlite://${join(folder, 'here.db')}` } });
    await stage.peopleOn(server, 'alice');
    assert.ok(existsSync(join(folder, 'here.db')));
  });
});

story('settings', { server: false }, (it) => {
  it('a wrong setting stops the start with its name, its value and what is allowed', async () => {
    const wrong = [
      [{ GUILD_AUTH_MODE: 'magic' }, /auth\.mode/, /magic/, /password.*open.*jwt/s],
      [{ GUILD_AUTH_REGISTRATION: 'sometimes' }, /auth\.registration/, /sometimes/, /open.*closed/s],
      [{ GUILD_LISTEN: 'nowhere' }, /listen/, /nowhere/, /127\.0\.0\.1|address|host/],
      [{ GUILD_LIMITS_SENDS_PER_SECOND: 'many' }, /limits\.sends_per_second/, /many/, /number/],
      [{ GUILD_LIMITS_SENDS_PER_SECOND: '-1' }, /limits\.sends_per_second/, /-1/, /0|number/],
      [{ GUILD_DATABASE_URL: 'mysql://x' }, /database\.url/, /mysql/, /sqlite/],
      [{ GUILD_ALLOWED_ORIGINS: 'app.example' }, /allowed_origins/, /app\.example/, /https:\/\//],
      [{ GUILD_TRUSTED_PROXIES: 'proxy' }, /trusted_proxies/, /proxy/, /address/],
      [{ GUILD_LOG: 'loud,,=' }, /log/, /loud/, /./],
      [{ GUILD_RUN: 'everything' }, /run/, /everything/, /chat/],
    ];
    for (const [settings, ...patterns] of wrong) {
      const said = await failsToStart({ settings });
      for (const pattern of patterns) assert.match(said, pattern, JSON.stringify(settings));
    }
  });

  it('an unknown setting stops the start, wherever it stands', async () => {
    assert.match(await failsToStart({ settings: { GUILD_LISTN: '127.0.0.1:0' } }), /GUILD_LISTN|listn/);
    assert.match(await failsToStart({ toml: '[limits]\nsends_per_secnd = 5\n' }), /sends_per_secnd/);
    assert.match(await failsToStart({ args: ['--listn', '127.0.0.1:0'] }), /listn/);
    assert.match(await failsToStart({ toml: 'listen = [\n' }), /guild\.toml/);
    assert.match(await failsToStart({ toml: '[auth]\nmode = "magic"\n' }), /guild\.toml/);
  });

  it('the file yields to the environment, and the environment to a flag', async ({ start, stage }) => {
    const toml = '[limits]\nmessage_chars = 5\nroom_usernames = 1\npresence_seconds = 3\n[auth]\nregistration = "open"\n';
    const longest = async (server) => {
      const [alice] = await stage.peopleOn(server, 'alice');
      const room = await alice.room([], { name: 'x' });
      let passed = 0;
      for (const length of [5, 6, 7]) if ((await alice.api.post(`/rooms/${room.id}/messages`, { body: 'x'.repeat(length) })).status === 201) passed = length;
      return passed;
    };
    assert.equal(await longest(await start({ toml })), 5, 'the file');
    assert.equal(await longest(await start({ toml, settings: { GUILD_LIMITS_MESSAGE_CHARS: '6' } })), 6, 'the environment');
    assert.equal(await longest(await start({ toml, settings: { GUILD_LIMITS_MESSAGE_CHARS: '6' }, args: ['--limits-message-chars', '7'] })), 7, 'a flag of a bare guild');
    assert.equal(await longest(await start({ toml, settings: { GUILD_LIMITS_MESSAGE_CHARS: '6' }, args: ['serve', '--limits-message-chars', '7'] })), 7, 'a flag of guild serve');
  });

  it('the defaults: loopback and port 8080, sqlite:guild.db, mode password', () => {
    const help = guild(['serve', '--help']);
    assert.equal(help.code, 0);
    for (const part of ['127.0.0.1:8080', 'sqlite:guild.db', 'GUILD_LISTEN', 'GUILD_AUTH_MODE', 'GUILD_LIMITS_SENDS_PER_SECOND', 'password', '131072']) assert.ok(help.stdout.includes(part), part);
    const root = guild(['--help']);
    assert.equal(root.code, 0);
    for (const part of ['serve', 'check', 'user']) assert.ok(root.stdout.includes(part), part);
    for (const command of [['check'], ['user'], ['user', 'add']]) assert.equal(guild([...command, '--help']).code, 0);
    assert.equal(guild(['--version']).code, 0);
    assert.notEqual(guild(['no-such-command']).code, 0);
  });

  it('the log is text, or JSON on request, each line one object', async ({ start, stage }) => {
    const names = guild(['serve', '--help']).stdout.match(/GUILD_LOG_\w+/g) ?? [];
    const format = names.find((name) => /FORMAT/.test(name));
    assert.ok(format, `a setting for the log's form; there are ${names}`);
    const server = await start({ settings: { [format]: 'json' } });
    await stage.peopleOn(server, 'alice');
    await server.stop();
    const lines = server.log.trim().split('\n');
    assert.ok(lines.length > 1);
    for (const line of lines) assert.equal(typeof JSON.parse(line), 'object', line);
  });
});

story('tools', { server: false, timeout: 180_000 }, (it) => {
  const filled = async (start, stage) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob], { name: 'x' });
    for (let n = 0; n < 20; n += 1) await alice.says(room, `message ${n}`, `n-${n}`);
    return { server, alice, bob, room };
  };

  it('guild check proves a sound log, while the server runs and when it does not', async ({ start, stage }) => {
    const { server } = await filled(start, stage);
    const live = server.run(['check']);
    assert.equal(live.code, 0, live.text);
    await server.stop();
    const before = hash(server.database);
    const check = server.run(['check']);
    assert.equal(check.code, 0, check.text);
    assert.equal(hash(server.database), before, 'it only reads');
    assert.notEqual(guild(['check'], { cwd: freshFolder() }).code, 0, 'no database is no sound database');
  });

  it('guild check finds a missing row, a doubled nonce, a wrong head', async ({ start, stage }) => {
    const { server } = await filled(start, stage);
    await server.stop();
    const tables = sql(server.database, "SELECT name FROM sqlite_master WHERE type='table'");
    const columnsOf = (table) => sql(server.database, `SELECT name FROM pragma_table_info('${table}')`);
    const log = tables.find((table) => ['seq', 'position'].every((name) => columnsOf(table).includes(name)));
    assert.ok(log, `the log's table among ${tables}`);
    const attempts = {
      'a row is gone': `DELETE FROM ${log} WHERE seq = 7`,
      'the last row is gone': `DELETE FROM ${log} WHERE seq = (SELECT max(seq) FROM ${log})`,
      'a seq is moved': `UPDATE ${log} SET seq = 5000 WHERE seq = 9`,
    };
    const rooms = tables.find((table) => columnsOf(table).includes('head'));
    if (rooms) attempts['a head is wrong'] = `UPDATE ${rooms} SET head = head + 1 WHERE head > 0`;
    for (const [what, statement] of Object.entries(attempts)) {
      const folder = freshFolder();
      for (const name of readdirSync(server.folder).filter((one) => one.startsWith('guild.db'))) copyFileSync(join(server.folder, name), join(folder, name));
      sql(join(folder, 'guild.db'), 'PRAGMA foreign_keys = OFF', 'PRAGMA ignore_check_constraints = ON', statement);
      const check = guild(['check'], { cwd: folder, settings: { GUILD_DATABASE_URL: 'sqlite:guild.db' } });
      assert.notEqual(check.code, 0, `${what}: ${check.text}`);
      assert.equal(check.text.includes('panicked'), false);
    }
  });

  it('guild user add, list and password', async ({ start }) => {
    const server = await start({ settings: { GUILD_AUTH_REGISTRATION: 'closed' } });
    const nobody = new Api(server);
    const add = server.run(['user', 'add', 'carol', '--password-stdin'], { input: `${PASSWORD}\n` });
    assert.equal(add.code, 0, add.text);
    const login = await nobody.ok(200, 'POST', '/users/login', { username: 'carol', password: PASSWORD });
    assert.notEqual(server.run(['user', 'add', 'carol', '--password-stdin'], { input: `${PASSWORD}\n` }).code, 0, 'a name that is taken');
    assert.notEqual(server.run(['user', 'add', 'not a name', '--password-stdin'], { input: `${PASSWORD}\n` }).code, 0);
    assert.notEqual(server.run(['user', 'add', 'dave', '--password-stdin'], { input: 'short\n' }).code, 0);
    const reserved = server.run(['user', 'add', 'Online', '--password-stdin'], { input: `${PASSWORD}\n` });
    assert.notEqual(reserved.code, 0);
    assert.match(reserved.text, /online is reserved/);
    const turned = server.run(['user', 'add', 'erin', '--display-name', '\u202enire', '--password-stdin'], { input: `${PASSWORD}\n` });
    assert.notEqual(turned.code, 0);
    assert.match(turned.text, /U\+202E/);
    const list = server.run(['user', 'list']);
    assert.equal(list.code, 0);
    assert.match(list.stdout, /carol/);
    assert.doesNotMatch(list.stdout, /dave|online |erin/);
    const changed = server.run(['user', 'password', 'carol', '--password-stdin'], { input: 'another good password\n' });
    assert.equal(changed.code, 0, changed.text);
    await nobody.refused('invalid_credentials', 'POST', '/users/login', { username: 'carol', password: PASSWORD });
    await nobody.ok(200, 'POST', '/users/login', { username: 'carol', password: 'another good password' });
    await eventually('her old logins ended', async () => (await nobody.as(login.token).get('/users/me')).status === 401, 3_000);
    assert.notEqual(server.run(['user', 'password', 'nobody-at-all', '--password-stdin'], { input: `${PASSWORD}\n` }).code, 0);
  });

  it('guild user disable locks out and cuts live sockets within about a second', async ({ start, stage }) => {
    const { server, alice, bob } = await filled(start, stage);
    const [wire, other] = await Promise.all([alice.connect(), bob.connect()]);
    const disable = server.run(['user', 'disable', alice.username]);
    assert.equal(disable.code, 0, disable.text);
    const began = performance.now();
    assert.equal((await wire.until('error', undefined, 5_000)).code, 'unauthenticated');
    await within(2_000, wire.closed, 'the cut');
    assert.ok(performance.now() - began < 2_500, `${Math.round(performance.now() - began)} ms`);
    await alice.api.refused('unauthenticated', 'GET', '/users/me');
    const login = await alice.api.as(undefined).post('/users/login', { username: alice.username, password: PASSWORD });
    assert.ok(['invalid_credentials', 'forbidden'].includes(login.body.code), login.text);
    assert.equal(other.io.connected, true);
    assert.notEqual(server.run(['user', 'disable', 'nobody-at-all']).code, 0);
  });
});
