// Everything that /openapi.json describes is asked by a program that has read nothing else: valid and invalid requests of each call, more
// than a thousand. No answer may be a server's error, or have a status, type, header or body that the document does not give it; what
// the document forbids must be refused. schemathesis.toml says what is asked, python/documents.py what exists.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freshFolder } from '../lib/server.mjs';
import { story } from '../lib/story.mjs';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const PROGRAM = here('.venv/bin/schemathesis');

/** Somebody with a room of each kind, one of them not theirs, messages, and people to add: what python/documents.py knows of. */
async function fixture(people) {
  const [asker, ...others] = await people('asker', 'bob', 'carol');
  const [bob] = others;
  const rooms = [
    await asker.room([bob], { kind: 'group', name: 'tea' }),
    await asker.room([bob]),
    await bob.room([], { kind: 'channel', name: 'news' }),
  ];
  for (const room of rooms) await bob.says(room, 'good morning');
  const { token, username, password } = asker;
  return { token, username, password, usernames: others.map((one) => one.username), rooms: rooms.map(({ id }) => id) };
}

/** Asks all that a document describes; answers {code, text}. */
async function ask(server, people, document, args = []) {
  assert.ok(existsSync(PROGRAM), 'acceptance/.venv has no schemathesis; scripts/test makes it: python3 -m venv acceptance/.venv && acceptance/.venv/bin/pip install -r acceptance/requirements.txt');
  const cwd = freshFolder();
  const file = join(cwd, 'openapi.json');
  writeFileSync(file, JSON.stringify(document));
  const env = {
    ...process.env,
    PYTHONPATH: here('python'),
    PYTHONDONTWRITEBYTECODE: '1',
    GUILD_URL: server.url,
    GUILD_FIXTURE: JSON.stringify(await fixture(people)),
  };
  return new Promise((done) => {
    const child = spawn(PROGRAM, ['--config-file', here('schemathesis.toml'), 'run', file, '--url', server.url, '--no-color', ...args], { cwd, env });
    let text = '';
    child.stdout.on('data', (chunk) => { text += chunk; });
    child.stderr.on('data', (chunk) => { text += chunk; });
    child.on('close', (code) => done({ code, text }));
  });
}

const served = (nobody) => nobody.ok(200, 'GET', '/openapi.json');

story('schemathesis', { timeout: 300_000 }, (it) => {
  it('finds no server error and no undocumented answer', async ({ server, nobody, people, t }) => {
    const { code, text } = await ask(server, people, await served(nobody));
    // All of it, where the runner shows only the beginning.
    if (code !== 0) writeFileSync(here('.state/schemathesis.txt'), text);
    assert.equal(code, 0, `${text.match(/=+ SUMMARY[^]*/)?.[0] ?? text}\nthe rest: acceptance/.state/schemathesis.txt`);
    const [, asked, passed] = text.match(/(\d+) generated, (\d+) passed/) ?? [];
    assert.ok(Number(asked) > 1000, `enough was asked: ${text}`);
    assert.equal(passed, asked);
    t.diagnostic(`schemathesis: ${asked} requests`);
  }, { timeout: 180_000 });

  for (const [what, spoil, finding] of [
    ['a status is missing', ({ responses }) => { delete responses[404]; }, /Undocumented status code/],
    ['a field has another type', ({ responses }) => { responses[200].content['application/json'].schema = { type: 'object', required: ['nick'] }; }, /Response violates schema/],
  ]) {
    it(`would find it where ${what}`, async ({ server, nobody, people }) => {
      const document = await served(nobody);
      spoil(document.paths['/users/{username}'].get);
      const { code, text } = await ask(server, people, document, ['--include-operation-id', 'getUser', '--max-examples', '5', '--no-shrink']);
      assert.equal(code, 1, text);
      assert.match(text, finding);
    });
  }
});
