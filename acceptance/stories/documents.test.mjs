// The documents in docs/: they are what the program serves, tools that nobody here wrote accept them, the pages beside them name every call
// and event, and the examples on the pages run as they stand.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Parser } from '@asyncapi/parser';
import Ajv from 'ajv';
import { contractOf } from '../lib/contract.mjs';
import { shapeOf, POSTMAN } from '../lib/documents.mjs';
import { story } from '../lib/story.mjs';

const run = promisify(execFile);
const docs = new URL('../../docs/', import.meta.url);
const text = (name) => readFileSync(new URL(name, docs), 'utf8');
const json = (name) => JSON.parse(text(name));
/** The address that the pages name. */
const PAGES = 'http://127.0.0.1:8080';
/** Fields of every event that a client may send and that no page lists. */
const ONESELF = ['sender', 'username'];
/** Fields of every acknowledgement that says yes. */
const EVERY_YES = ['ok', '[warnings]'];

/** The pieces of code on a page: [{language, code}]. */
const pieces = (page) => [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language, code }));
const code = (page, language) => pieces(page).filter((one) => one.language === language).map((one) => one.code);

/** The rows of the table below a heading: the code in each cell's backticks, or the cell. */
function rows(page, heading) {
  const table = page.slice(page.indexOf(`## ${heading}\n`)).split('\n\n').find((part) => part.startsWith('| '));
  return table.split('\n').slice(2).filter(Boolean).map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
}

const bare = (cell) => cell.replaceAll('`', '');
const fields = (cell) => bare(cell).split(',').map((one) => one.trim()).filter(Boolean).sort();

/** A schema's fields as the pages write them: those that may be missing in brackets. */
function fieldsOf(document, schema) {
  if (schema.$ref) return fieldsOf(document, schema.$ref.slice(2).split('/').reduce((one, key) => one[key], document));
  const parts = (schema.allOf ?? []).flatMap((one) => fieldsOf(document, one));
  return [...parts, ...Object.keys(schema.properties ?? {}).map((name) => (schema.required?.includes(name) ? name : `[${name}]`))].sort();
}

/** The program's version stands for nothing in a document. */
const unversioned = (document) => JSON.parse(JSON.stringify(document), (_, value) => (value === document.info.version ? '0.0.0' : value));

story('documents', {}, (it) => {
  it('what is served is what docs/ has', async ({ nobody }) => {
    for (const name of ['openapi.json', 'asyncapi.json']) {
      assert.deepEqual(unversioned((await nobody.get(`/${name}`)).body), json(name), `docs/${name} is old, or the program is; CONTRIBUTING.md says how to write it`);
    }
  });

  it('every example of an event is what its schema says', async ({ server }) => {
    const contract = await contractOf(server);
    let examples = 0;
    for (const [id, message] of Object.entries(contract.asyncapi.components.messages)) {
      for (const { payload } of message.examples ?? []) {
        contract.check('asyncapi', `#/components/messages/${id}/payload`, payload, `an example of ${id}`);
        examples += 1;
      }
    }
    assert.ok(examples >= Object.keys(contract.asyncapi.components.messages).length, `only ${examples} examples`);
  });

  it('the schemas of the events require what is needed, and nothing else', async ({ server }) => {
    const contract = await contractOf(server);
    const errors = (message, payload, lenient) => contract.errors('asyncapi', `#/components/messages/${message}/payload`, payload, lenient);
    const takes = (message, payload) => assert.equal(errors(message, payload, true), undefined, `${message} refuses ${JSON.stringify(payload)}`);
    const refuses = (message, payload) => assert.ok(errors(message, payload, true), `${message} takes ${JSON.stringify(payload)}`);
    takes('client_message', { room: 'x', body: 'y', unknown: 1 });
    refuses('client_message', { room: 'x' });
    refuses('client_message', { room: 'x', body: 7 });
    refuses('client_message', { room: 'x', body: 'y', reply_to: 0 });
    refuses('client_message', { room: 'x', body: 'y', thread: 0 });
    takes('client_message', { room: 'x', body: 'y', mentions: { users: ['bob'], room: true } });
    refuses('client_message', { room: 'x', body: 'y', mentions: 'bob' });
    refuses('client_message', { room: 'x', body: 'y', mentions: { room: 'yes' } });
    takes('client_edit_message', { room: 'x', seq: 1, format: null, metadata: null, mentions: null });
    refuses('client_edit_message', { room: 'x', seq: 1, body: null });
    takes('client_create_room', {});
    refuses('client_create_room', { kind: 'party' });
    refuses('client_message_ack', { ok: true });
    refuses('client_message_ack', { ok: false, message: {} });
    refuses('client_typing_ack', { ok: false });
    takes('client_typing_ack', { ok: true });
    takes('client_typing_ack', { ok: true, warnings: [{ code: 'unknown_field', field: 'colour', detail: 'ignored' }] });
    refuses('client_typing_ack', { ok: true, warnings: [{ code: 'unknown_field' }] });
    takes('client_message_ack', { ...contract.asyncapi.components.messages.client_message_ack.examples[0].payload, warnings: [{ code: 'mention_dropped', field: 'mentions', detail: 'only its owner' }] });
    const created = contract.asyncapi.components.messages.server_room_created.examples[0].payload;
    takes('server_room_created', created);
    for (const field of ['name', 'last_message', 'head', 'usernames', 'mentions']) {
      const { [field]: _, ...room } = created.room;
      refuses('server_room_created', { ...created, room });
    }
  });

  it('AsyncAPI\'s own parser has nothing against the events', async ({ nobody }) => {
    const { document, diagnostics } = await new Parser().parse((await nobody.get('/asyncapi.json')).text);
    // 0 is an error, 1 a warning; the rest is advice
    assert.deepEqual(diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => `${path.join('/')}: ${message}`), []);
    assert.ok(document.operations().all().length > 15);
  });

  it('the Postman collection is what scripts/postman makes of OpenAPI, in Postman\'s form', async () => {
    const { stdout } = await run(process.execPath, [fileURLToPath(new URL('../../scripts/postman', import.meta.url)), '-']);
    const collection = json('postman.json');
    assert.deepEqual(JSON.parse(stdout), collection, 'docs/postman.json is old; write it with scripts/postman');
    const validate = new Ajv({ allErrors: true }).compile(POSTMAN);
    assert.ok(validate(collection), JSON.stringify(validate.errors));
  });

  it('every request of the Postman collection is one that the server understands', async ({ nobody, server }) => {
    const collection = json('postman.json');
    const variables = Object.fromEntries(collection.variable.map(({ key, value }) => [key, value]));
    const filled = (value) => value.replace(/\{\{(\$?\w+)\}\}/g, (_, name) => (name === '$guid' ? crypto.randomUUID() : variables[name]));
    const requests = collection.item.flatMap(({ item }) => item);
    // a person would begin with the login, a room and a message, and end with what takes things away
    const turns = [/POST.*users.login$/, /POST.*rooms$/, /POST.*messages$|PUT.*me.state/, /$^/, /DELETE.*(reactions|pins|follow)/, /messages.delete$|DELETE.*messages/, /DELETE/, /logout$/];
    const turn = ({ request: { method, url } }) => turns.findIndex((one) => one.test(`${method} ${url.raw}`));
    const when = (one) => (turn(one) < 0 ? 3 : turn(one));
    for (const { name, request, event } of requests.sort((a, b) => when(a) - when(b))) {
      const path = `/${request.url.path.join('/')}`.replace(/:(\w+)/g, (_, key) => filled(request.url.variable.find((one) => one.key === key).value));
      const asked = new URLSearchParams((request.url.query ?? []).filter(({ disabled }) => !disabled).map(({ key, value }) => [key, value]));
      const api = request.auth?.type === 'noauth' ? nobody : nobody.as(variables.token);
      const answer = await api.call(request.method, `${path}${asked.size ? `?${asked}` : ''}`, request.body && JSON.parse(filled(request.body.raw)));
      assert.ok(answer.status < 400, `${name} (${request.method} ${path}) on ${server.url}: ${answer.status} ${answer.text.slice(0, 300)}`);
      if (event) {
        const pm = { response: { json: () => answer.body }, collectionVariables: { set: (key, value) => { variables[key] = value; } } };
        new Function('pm', event[0].script.exec.join('\n'))(pm);
      }
    }
    assert.match(variables.token, /^.{20,}$/);
    assert.notEqual(variables.room, collection.variable.find(({ key }) => key === 'room').value, 'the new room was kept');
  });

  it('docs/rest.md names every call for clients', async () => {
    const { paths } = json('openapi.json');
    const wanted = Object.entries(paths).flatMap(([path, item]) => Object.entries(item)
      .filter(([, { tags }]) => !['operations', 'documents'].includes(tags?.[0]))
      .map(([method]) => `${method.toUpperCase()} ${path}`));
    const named = rows(text('rest.md'), 'Every call').flatMap(([calls]) => calls.split(', ').map(bare));
    assert.deepEqual(named.sort(), wanted.sort());
  });

  it('docs/events.md names every event and its fields', async ({ server }) => {
    const document = json('asyncapi.json');
    const { events } = await contractOf(server);
    const payload = (pointer) => fieldsOf(document, { $ref: pointer });
    const emitted = Object.fromEntries(rows(text('events.md'), 'What you emit').map(([name, takes, adds]) => [bare(name), [fields(takes), fields(adds)]]));
    const own = (name, list) => (name === 'authenticate' ? list : list.filter((one) => !ONESELF.includes(one.replace(/[[\]]/g, ''))));
    const takes = (name, { request, replies }) => {
      const [done] = replies.map((pointer) => payload(`${pointer}/oneOf/0`));
      return [own(name, payload(request)), done.filter((one) => !EVERY_YES.includes(one))];
    };
    assert.deepEqual(emitted, Object.fromEntries([...events.client].map(([name, one]) => [name, takes(name, one)])));
    const heard = Object.fromEntries(rows(text('events.md'), 'What you hear').map(([name, carries]) => [bare(name), fields(carries)]));
    assert.deepEqual(heard, Object.fromEntries([...events.server].map(([name, pointer]) => [name, payload(pointer)])));
  });

  it('the examples of docs/rest.md run, and answer what it shows', async ({ start }) => {
    const { url } = await start();
    // In one shell, as a person would type them; what each prints is told apart by a line between.
    const LINE = '-- the next --';
    const all = pieces(text('rest.md'));
    const script = all.filter(({ language }) => language === 'sh').map((one) => `${one.code}\necho; echo '${LINE}'`).join('\n');
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script.replaceAll(PAGES, url)], { timeout: 30_000 });
    const printed = stdout.split(LINE).slice(0, -1);
    let at = -1;
    let compared = 0;
    for (const { language, code: piece } of all) {
      if (language === 'sh') at += 1;
      if (language !== 'json') continue;
      const answers = printed[at].trim().split('\n').map((line) => JSON.parse(line));
      const shown = JSON.parse(piece);
      for (const answer of answers) assert.deepEqual(shapeOf(answer), shapeOf(shown));
      if ('code' in shown) assert.deepEqual(answers[0], shown, 'a problem is told in these very words');
      if (answers.length > 1) assert.deepEqual(answers[1], answers[0], 'a repeated send is the same message');
      compared += 1;
    }
    assert.ok(compared >= 6, `${compared} answers`);
  });

  for (const page of ['events.md', 'rich.md']) {
    it(`the program of docs/${page} runs, and prints what it shows`, async ({ start }) => {
      const { url } = await start();
      // below acceptance/, where node finds the client
      const file = fileURLToPath(new URL(`../.state/${page}-${process.pid}.mjs`, import.meta.url));
      mkdirSync(new URL('../.state/', import.meta.url), { recursive: true });
      writeFileSync(file, code(text(page), 'js').join('\n').replaceAll(PAGES, url));
      try {
        const { stdout, stderr } = await run(process.execPath, [file], { timeout: 30_000 });
        assert.equal(stdout, code(text(page), 'text')[0], stderr);
      } finally {
        rmSync(file, { force: true });
      }
    });
  }
});
