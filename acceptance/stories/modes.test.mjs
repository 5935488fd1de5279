// The other ways in: `open` for demos, `jwt` where the host application signs the tokens, and both at once.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../lib/http.mjs';
import { inSeconds, jwt, keyPair } from '../lib/jwt.mjs';
import { failsToStart, freshFolder } from '../lib/server.mjs';
import { story } from '../lib/story.mjs';
import { within } from '../lib/wait.mjs';

const PASSWORD = 'correct horse battery';
const SECRET = 'a secret of the host application, 32 bytes or more';

story('mode open', { server: false }, (it) => {
  const open = { settings: { GUILD_AUTH_MODE: 'open' } };

  it('a username is enough, at the login and on the socket', async ({ start, wire, stage }) => {
    const server = await start(open);
    const nobody = new Api(server);
    const login = await nobody.post('/users/login', { username: 'alice' });
    assert.equal(login.status, 201);
    assert.equal((await nobody.post('/users/login', { username: 'alice' })).status, 200);
    await nobody.as(login.body.token).ok(200, 'GET', '/users/me');
    const byToken = stage.wire(server, { auth: { token: login.body.token } });
    await byToken.ready();
    const atConnect = stage.wire(server, { auth: { username: 'alice' } });
    assert.equal((await atConnect.ready()).user.username, 'alice');
    const later = stage.wire(server, {});
    await later.connected();
    const { user } = await later.must('authenticate', { username: 'Bob' });
    assert.equal(user.username, 'bob', 'and it creates who does not exist yet');
    const { room } = await later.must('create room', { usernames: ['alice'] });
    await atConnect.until('room created', (one) => one.room.id === room.id);
    await byToken.until('room created', (one) => one.room.id === room.id);
    const strange = stage.wire(server, { auth: { username: 'not a username' } });
    assert.ok(['invalid_request', 'unauthenticated'].includes((await strange.refusedToConnect()).data.code));
  });

  it('says so loudly at the start', async ({ start }) => {
    const server = await start(open);
    await server.logs(/WARN[^\n]*open|open[^\n]*WARN/);
  });

  it('listens on loopback only, unless auth.open_to_network is true', async ({ start }) => {
    const said = await failsToStart({ settings: { ...open.settings, GUILD_LISTEN: '0.0.0.0:0' } });
    assert.match(said, /open_to_network/);
    const server = await start({ settings: { ...open.settings, GUILD_LISTEN: '0.0.0.0:0', GUILD_AUTH_OPEN_TO_NETWORK: 'true' } });
    assert.equal((await new Api(server).get('/healthz')).status, 200);
  });

  it('refuses to start on a database that holds passwords', async ({ start, stage }) => {
    const server = await start();
    await stage.peopleOn(server, 'alice');
    await server.stop();
    const said = await failsToStart({ folder: server.folder, ...open });
    assert.match(said, /password/);
    server.settings.GUILD_AUTH_MODE = 'password';
    await server.start();
  });

  it('its users cannot be logged in or claimed in password mode', async ({ start }) => {
    const server = await start(open);
    const nobody = new Api(server);
    await nobody.ok(201, 'POST', '/users/login', { username: 'alice' });
    server.settings.GUILD_AUTH_MODE = 'password';
    await server.restart();
    await nobody.refused('invalid_credentials', 'POST', '/users/login', { username: 'alice', password: PASSWORD });
    await nobody.ok(201, 'POST', '/users/login', { username: 'bob', password: PASSWORD });
  });

  it('a reserved username is taken by nobody, at the login and on the socket', async ({ start, stage }) => {
    const server = await start(open);
    for (const username of ['me', 'Online', 'login', 'logout']) {
      const refused = await new Api(server).refused('invalid_request', 'POST', '/users/login', { username });
      assert.equal(refused.field, 'username');
    }
    assert.equal((await stage.wire(server, { auth: { username: 'me' } }).refusedToConnect()).data.code, 'invalid_request');
    const later = stage.wire(server, {});
    await later.connected();
    await later.refused('invalid_request', 'authenticate', { username: 'online' });
  });

  it('a username alone is no proof in password mode', async ({ start, stage }) => {
    const server = await start();
    const [alice] = await stage.peopleOn(server, 'alice');
    const refused = await stage.wire(server, { auth: { username: alice.username } }).refusedToConnect();
    assert.equal(refused.data.code, 'unauthenticated');
    const later = stage.wire(server, {});
    await later.connected();
    await later.refused('unauthenticated', 'authenticate', { username: alice.username });
  });
});

story('mode jwt', { server: false }, (it) => {
  const hs = (more = {}) => ({ settings: { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_SECRET: SECRET, ...more } });
  const token = (claims, more = {}) => jwt({ exp: inSeconds(600), ...claims }, { key: SECRET, ...more });

  it('the host application signs the tokens, and users appear on first sight', async ({ start, stage }) => {
    const server = await start(hs());
    const anna = token({ sub: 'anna', iss: 'https://host.example' });
    const api = new Api(server, anna);
    const me = await api.ok(200, 'GET', '/users/me');
    assert.equal(me.username, 'anna');
    assert.equal((await api.ok(200, 'GET', '/users/me')).id, me.id, 'the same subject is the same user');
    const again = new Api(server, token({ sub: 'anna', iss: 'https://host.example' }));
    assert.equal((await again.ok(200, 'GET', '/users/me')).id, me.id, 'with another token too');
    const berta = new Api(server, token({ sub: '4711', iss: 'https://host.example', username: 'Berta' }));
    assert.equal((await berta.ok(200, 'GET', '/users/me')).username, 'berta', 'the claim username comes first');
    const wire = stage.wire(server, { auth: { token: anna } });
    assert.equal((await wire.ready()).user.id, me.id);
    const { room } = await wire.must('create room', { usernames: ['berta'] });
    await wire.must('message', { room: room.id, body: 'signed' });
    assert.equal((await berta.ok(200, 'GET', `/rooms/${room.id}/messages`)).items[0].sender, 'anna');
  });

  it('a subject that is no username needs the claim', async ({ start }) => {
    const server = await start(hs());
    const answer = await new Api(server, token({ sub: 'Not A Username!' })).get('/users/me');
    assert.equal(answer.status, 401, answer.text);
    await new Api(server, token({ sub: 'Not A Username!', username: 'valid' })).ok(200, 'GET', '/users/me');
    assert.equal((await new Api(server, token({ sub: 'x', username: 'not valid' })).get('/users/me')).status, 401);
    assert.equal((await new Api(server, token({ username: 'no-subject' })).get('/users/me')).status, 401);
  });

  it('tokens that are late, unsigned, endless, changed or of another key are refused', async ({ start, stage }) => {
    const server = await start(hs());
    const pair = keyPair('RS256');
    const good = token({ sub: 'anna' });
    const [head, claims, signature] = good.split('.');
    const wrong = {
      expired: token({ sub: 'anna', exp: inSeconds(-3600) }),
      'without exp': jwt({ sub: 'anna' }, { key: SECRET }),
      'exp that is no number': jwt({ sub: 'anna', exp: 'tomorrow' }, { key: SECRET }),
      'alg none': jwt({ sub: 'anna', exp: inSeconds(600) }, { alg: 'none' }),
      'alg none with a signature': `${jwt({ sub: 'anna', exp: inSeconds(600) }, { alg: 'none' })}${signature}`,
      'another secret': token({ sub: 'anna' }, { key: `${SECRET}!` }),
      'another algorithm': token({ sub: 'anna' }, { alg: 'RS256', key: pair.privateKey }),
      'changed claims': `${head}.${Buffer.from(JSON.stringify({ sub: 'berta', exp: inSeconds(600) })).toString('base64url')}.${signature}`,
      'cut off': good.slice(0, -4),
      'half a token': `${head}.${claims}`,
      nonsense: 'a.b.c',
    };
    for (const [what, bad] of Object.entries(wrong)) {
      const answer = await new Api(server, bad).get('/users/me');
      assert.equal(answer.body?.code, 'unauthenticated', `${what}: ${answer.text}`);
      const error = await stage.wire(server, { auth: { token: bad } }).refusedToConnect();
      assert.equal(error.data.code, 'unauthenticated', what);
    }
    await new Api(server, good).ok(200, 'GET', '/users/me');
  });

  it('aud and iss are checked where they are set', async ({ start }) => {
    const server = await start(hs({ GUILD_AUTH_JWT_AUDIENCE: 'guild', GUILD_AUTH_JWT_ISSUER: 'https://host.example' }));
    const right = { sub: 'anna', aud: 'guild', iss: 'https://host.example' };
    await new Api(server, token(right)).ok(200, 'GET', '/users/me');
    await new Api(server, token({ ...right, aud: ['other', 'guild'] })).ok(200, 'GET', '/users/me');
    for (const change of [{ aud: 'other' }, { aud: undefined }, { iss: 'https://evil.example' }, { iss: undefined }]) {
      await new Api(server, token({ ...right, ...change })).refused('unauthenticated', 'GET', '/users/me');
    }
  });

  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    it(`takes ${alg} by a public key in a PEM file, and nothing signed with that file as a secret`, async ({ start }) => {
      const folder = freshFolder();
      const [pair, stranger] = [keyPair(alg), keyPair(alg)];
      writeFileSync(join(folder, 'key.pem'), pair.pem);
      const server = await start({ folder, settings: { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_PUBLIC_KEY: join(folder, 'key.pem') } });
      const claims = { sub: 'anna', exp: inSeconds(600) };
      await new Api(server, jwt(claims, { alg, key: pair.privateKey })).ok(200, 'GET', '/users/me');
      await new Api(server, jwt(claims, { alg, key: stranger.privateKey })).refused('unauthenticated', 'GET', '/users/me');
      await new Api(server, jwt(claims, { alg: 'HS256', key: pair.pem })).refused('unauthenticated', 'GET', '/users/me');
      await new Api(server, jwt(claims, { alg: 'none' })).refused('unauthenticated', 'GET', '/users/me');
    });
  }

  it('takes the keys of a JWKS file, by their kid', async ({ start }) => {
    const folder = freshFolder();
    const pairs = ['RS256', 'ES256', 'EdDSA'].map(keyPair);
    const keys = pairs.map(({ alg, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid: `key-${alg}`, alg, use: 'sig' }));
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys }));
    const server = await start({ folder, settings: { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_JWKS: join(folder, 'keys.json') } });
    for (const { alg, privateKey } of pairs) {
      await new Api(server, jwt({ sub: 'anna', exp: inSeconds(600) }, { alg, key: privateKey, kid: `key-${alg}` })).ok(200, 'GET', '/users/me');
    }
    const [{ privateKey }] = pairs;
    await new Api(server, jwt({ sub: 'anna', exp: inSeconds(600) }, { alg: 'RS256', key: privateKey, kid: 'no-such-key' })).refused('unauthenticated', 'GET', '/users/me');
    await new Api(server, jwt({ sub: 'anna', exp: inSeconds(600) }, { alg: 'RS256', key: privateKey, kid: 'key-ES256' })).refused('unauthenticated', 'GET', '/users/me');
  });

  it('refuses to start without a key', async () => {
    assert.match(await failsToStart({ settings: { GUILD_AUTH_MODE: 'jwt' } }), /jwt/);
    assert.match(await failsToStart({ settings: { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_PUBLIC_KEY: '/no/such/key.pem' } }), /no\/such\/key\.pem/);
  });

  it('times in milliseconds are refused with a word about it, on every edge', async ({ start, stage }) => {
    const server = await start(hs());
    for (const name of ['exp', 'nbf', 'iat']) {
      const wrong = token({ sub: 'anna', [name]: Date.now() + 600_000 });
      const problem = await new Api(server, wrong).refused('unauthenticated', 'GET', '/users/me');
      assert.match(problem.detail, new RegExp(`${name} is in milliseconds`));
      const error = await stage.wire(server, { auth: { token: wrong } }).refusedToConnect();
      assert.equal(error.data.code, 'unauthenticated');
    }
  });

  it('a token of a clock that is a little ahead is taken, and the setting says how much', async ({ start }) => {
    const server = await start(hs());
    for (const name of ['nbf', 'iat']) {
      await new Api(server, token({ sub: 'anna', [name]: inSeconds(30) })).ok(200, 'GET', '/users/me');
      await new Api(server, token({ sub: 'anna', [name]: inSeconds(120) })).refused('unauthenticated', 'GET', '/users/me');
    }
    const strict = await start(hs({ GUILD_AUTH_JWT_LEEWAY_SECONDS: '0' }));
    await new Api(strict, token({ sub: 'anna', nbf: inSeconds(30) })).refused('unauthenticated', 'GET', '/users/me');
    await new Api(strict, token({ sub: 'anna', nbf: inSeconds(0), iat: inSeconds(0) })).ok(200, 'GET', '/users/me');
  });

  it('a reserved username is taken by no token', async ({ start, stage }) => {
    const server = await start(hs());
    const me = token({ sub: '7', username: 'me' });
    assert.equal((await new Api(server, me).refused('invalid_request', 'GET', '/users/me')).field, 'username');
    assert.equal((await stage.wire(server, { auth: { token: me } }).refusedToConnect()).data.code, 'invalid_request');
  });

  it('a logout ends a token and its sockets, for the other processes and after a restart too', async ({ start, stage }) => {
    const server = await start(hs());
    const anna = token({ sub: 'anna' });
    const wire = stage.wire(server, { auth: { token: anna } });
    await wire.ready();
    assert.equal((await new Api(server, anna).post('/users/logout')).status, 204);
    assert.equal((await wire.until('error')).code, 'unauthenticated');
    for (let n = 0; n < 4; n += 1) await new Api(server, anna).refused('unauthenticated', 'GET', '/users/me');
    await server.restart();
    await new Api(server, anna).refused('unauthenticated', 'GET', '/users/me');
  });

  it("a socket is cut at its token's exp", async ({ start, stage }) => {
    const server = await start(hs());
    const exp = inSeconds(3);
    const wire = stage.wire(server, { auth: { token: token({ sub: 'anna', exp }) } });
    await wire.ready();
    const error = await wire.until('error', undefined, 8_000);
    assert.equal(error.code, 'unauthenticated');
    await within(3_000, wire.closed, 'the cut');
    const late = Date.now() - exp * 1000;
    assert.ok(late > -250 && late < 2_000, `cut ${late} ms after exp`);
  });

  it('the login call is forbidden', async ({ start }) => {
    const server = await start(hs());
    await new Api(server).refused('forbidden', 'POST', '/users/login', { username: 'alice', password: PASSWORD });
  });

  it('a username that belongs to a user of another origin is a conflict', async ({ start, stage }) => {
    const server = await start(hs());
    await new Api(server, token({ sub: '1', iss: 'https://one.example', username: 'anna' })).ok(200, 'GET', '/users/me');
    for (const other of [token({ sub: '1', iss: 'https://two.example', username: 'anna' }), token({ sub: '2', iss: 'https://one.example', username: 'anna' })]) {
      await new Api(server, other).refused('conflict', 'GET', '/users/me');
      const error = await stage.wire(server, { auth: { token: other } }).refusedToConnect();
      assert.equal(error.data.code, 'conflict');
      const later = stage.wire(server, {});
      await later.connected();
      await later.refused('conflict', 'authenticate', { token: other });
    }
  });

  it('subjects are taken exactly as written', async ({ start }) => {
    const server = await start(hs());
    const lower = await new Api(server, token({ sub: 'k1', username: 'first' })).ok(200, 'GET', '/users/me');
    const upper = await new Api(server, token({ sub: 'K1', username: 'second' })).ok(200, 'GET', '/users/me');
    assert.notEqual(lower.id, upper.id);
  });

  it('password,jwt takes both, and each keeps its own users', async ({ start }) => {
    const server = await start(hs({ GUILD_AUTH_MODE: 'password,jwt' }));
    const nobody = new Api(server);
    const login = await nobody.ok(201, 'POST', '/users/login', { username: 'alice', password: PASSWORD });
    await nobody.as(login.token).ok(200, 'GET', '/users/me');
    await nobody.as(token({ sub: 'anna' })).ok(200, 'GET', '/users/me');
    await nobody.as(token({ sub: 'alice' })).refused('conflict', 'GET', '/users/me');
    await nobody.refused('invalid_credentials', 'POST', '/users/login', { username: 'anna', password: PASSWORD });
  });
});
