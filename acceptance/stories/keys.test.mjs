// The keys by which a host application signs, while the server runs: in a file that changes, at an address that is fetched, on SIGHUP.

import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../lib/http.mjs';
import { Provider } from '../lib/provider.mjs';
import { failsToStart, freshFolder } from '../lib/server.mjs';
import { story } from '../lib/story.mjs';
import { eventually } from '../lib/wait.mjs';

// It waits for what happens every few seconds.
story('keys', { server: false, timeout: 400_000 }, (it) => {
  it('a JWKS file that changed is read again, by itself and for a key that is not in it; a broken one is not', async ({ start }) => {
    const folder = freshFolder();
    const file = join(folder, 'keys.json');
    const provider = new Provider().key('one');
    writeFileSync(file, provider.set());
    const server = await start({ folder, settings: { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_JWKS: file } });
    const first = provider.token('one', { sub: 'anna' });
    await new Api(server, first).ok(200, 'GET', '/users/me');
    writeFileSync(file, '{"keys": [');
    await eventually('the broken file is told', () => /keys\.json[^\n]*cannot be used|cannot be used[^\n]*keys\.json/.test(server.log), 15_000);
    await new Api(server, first).ok(200, 'GET', '/users/me');
    provider.key('two');
    const second = provider.token('two', { sub: 'anna' });
    provider.drop('one');
    writeFileSync(join(folder, 'new.json'), provider.set());
    renameSync(join(folder, 'new.json'), file);
    await eventually('the new key is known', async () => (await new Api(server, second).get('/users/me')).status === 200, 15_000);
    await eventually('the former key is no key any more, also for a token that was taken by it', async () =>
      (await new Api(server, first).get('/users/me')).status === 401, 15_000);
  });

  it('SIGHUP reads the keys again and ends nothing, in any mode', async ({ start, stage }) => {
    const provider = await new Provider().key('one').start();
    try {
      const settings = { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_JWKS_URL: provider.url, GUILD_AUTH_JWT_JWKS_ALLOW: '127.0.0.1', GUILD_AUTH_JWT_JWKS_INSECURE: 'true' };
      const server = await start({ settings });
      const token = provider.token('one', { sub: 'anna' });
      const wire = stage.wire(server, { auth: { token } });
      await wire.ready();
      provider.key('two').drop('one');
      for (const { child } of server.processes) child.kill('SIGHUP');
      await eventually('the keys are read again', async () => (await new Api(server, token).get('/users/me')).status === 401);
      await new Api(server, provider.token('two', { sub: 'berta' })).ok(200, 'GET', '/users/me');
      assert.ok(wire.io.connected, 'sockets stay');
      assert.ok(server.processes.every((one) => one.alive));
    } finally {
      await provider.close();
    }
    const plain = await start();
    const [alice] = await stage.peopleOn(plain, 'alice');
    const wire = await alice.connect();
    for (let n = 0; n < 3; n += 1) for (const { child } of plain.processes) child.kill('SIGHUP');
    await eventually('it is heard', () => /SIGHUP/.test(plain.log));
    await alice.api.ok(200, 'GET', '/users/me');
    assert.ok(wire.io.connected);
    assert.ok(plain.processes.every((one) => one.alive));
  });

  it('the keys at auth.jwt.jwks_url are fetched, exchanged, and shared by all who ask at once', async ({ start, stage }) => {
    const provider = await new Provider().key('one').start();
    provider.instead = (_, answer) => answer.writeHead(503).end();
    const settings = { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_JWKS_URL: provider.url, GUILD_AUTH_JWT_JWKS_ALLOW: '127.0.0.0/8', GUILD_AUTH_JWT_JWKS_INSECURE: 'true' };
    try {
      const server = await start({ settings });
      const first = provider.token('one', { sub: 'anna' });
      await new Api(server, first).refused('busy', 'GET', '/users/me');
      const waits = stage.wire(server, { auth: { token: first }, extra: { reconnection: true, reconnectionDelay: 200 } });
      provider.instead = undefined;
      await eventually('the keys are there', async () => (await new Api(server, first).get('/users/me')).status === 200, 15_000);
      assert.equal((await waits.ready(15_000)).user.username, 'anna', 'who came too early is let in without doing anything');

      const answered = provider.asked;
      provider.key('two');
      const second = provider.token('two', { sub: 'anna' });
      await eventually('the new key is fetched', async () => (await new Api(server, second).get('/users/me')).status === 200, 25_000, 250);
      const processes = server.of('users').length || 1;
      assert.ok(provider.asked - answered <= processes, `${provider.asked - answered} fetches for one new key`);

      const before = provider.asked;
      const strangers = Array.from({ length: 20 }, (_, n) => new Provider().key(`stranger ${n}`).token(`stranger ${n}`, { sub: 'eve' }));
      const answers = await Promise.all(strangers.map((one) => new Api(server, one).get('/users/me')));
      assert.ok(answers.every(({ status }) => status === 401), answers.map(({ status }) => status).join());
      assert.ok(provider.asked - before <= processes, `${provider.asked - before} fetches for 20 unknown keys`);

      provider.instead = (_, answer) => answer.writeHead(302, { location: '/elsewhere' }).end();
      await new Api(server, second).ok(200, 'GET', '/users/me');
      const failed = provider.asked;
      await eventually('a key that cannot be looked up is busy', async () => {
        const { status, body } = await new Api(server, strangers[0]).get('/users/me');
        return status === 503 && body.code === 'busy';
      }, 25_000, 500);
      assert.ok(provider.asked > failed);
      await server.logs(/redirects are not followed/);
    } finally {
      await provider.close();
    }
  }, { timeout: 120_000 });

  it('auth.jwt.jwks_url may be https with a certificate that the system trusts, and no other', async ({ start }) => {
    const provider = await new Provider().key('one').start({ secure: true });
    const settings = { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_JWKS_URL: provider.url, GUILD_AUTH_JWT_JWKS_ALLOW: '127.0.0.1,::1' };
    try {
      const trusted = await start({ settings: { ...settings, SSL_CERT_FILE: provider.authority } });
      await new Api(trusted, provider.token('one', { sub: 'anna' })).ok(200, 'GET', '/users/me');
      const stranger = await start({ settings });
      await new Api(stranger, provider.token('one', { sub: 'anna' })).refused('busy', 'GET', '/users/me');
      await stranger.logs(/TLS with localhost failed/);
    } finally {
      await provider.close();
    }
  });

  it('auth.jwt.jwks_url leads to no inner address that is not allowed', async ({ start }) => {
    const provider = await new Provider().key('one').start();
    const settings = { GUILD_AUTH_MODE: 'jwt', GUILD_AUTH_JWT_JWKS_INSECURE: 'true' };
    const wrong = (url, more = {}) => failsToStart({ as: 'near', settings: { ...settings, GUILD_AUTH_JWT_JWKS_URL: url, ...more } });
    try {
      for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', '10.0.0.1']) {
        assert.match(await wrong(`http://${host}:${provider.port}/`), /auth\.jwt\.jwks_url[^\n]*no public address/, host);
      }
      assert.match(await wrong(provider.url, { GUILD_AUTH_JWT_JWKS_INSECURE: 'false' }), /jwks_url[^\n]*only https/);
      assert.match(await wrong('ftp://host.example/'), /jwks_url/);
      const server = await start({ settings: { ...settings, GUILD_AUTH_JWT_JWKS_URL: `http://localhost:${provider.port}/` } });
      await new Api(server, provider.token('one', { sub: 'anna' })).refused('busy', 'GET', '/users/me');
      await server.logs(/localhost is at (127\.0\.0\.1|::1), which is no public address/);
      assert.equal(provider.asked, 0);
    } finally {
      await provider.close();
    }
  });
});
