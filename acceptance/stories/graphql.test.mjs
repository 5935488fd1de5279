// GraphQL: the audits of graphql-http, pages and rights, newMessage and roomEvents with the stock graphql-ws client: every message and event
// once, in order.
// The examples of docs/graphql.md are run as they stand there.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { buildSchema, getIntrospectionQuery, parse, validate } from 'graphql';
import { serverAudits } from 'graphql-http';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { story } from '../lib/story.mjs';
import { eventually, pipelined, within } from '../lib/wait.mjs';

const docs = new URL('../../docs/', import.meta.url);

/** Asks; the answer may hold no errors. */
async function ask(person, query, variables) {
  const { body } = await person.api.post('/graphql', { query, variables });
  assert.equal(body.errors, undefined, JSON.stringify(body.errors));
  return body.data;
}

/** The one error of a request that is refused; `data` is what came all the same. */
async function refusal(person, query, variables) {
  const { body } = await person.api.post('/graphql', { query, variables });
  assert.equal(body.errors?.length, 1, JSON.stringify(body));
  return { ...body.errors[0], data: body.data };
}

/** A stock client, and what its socket was closed with. One that is not `lazy` keeps its socket while nothing runs on it. */
function client(person, { token = person.token, lazy = true } = {}) {
  const closed = Promise.withResolvers?.() ?? deferred();
  const made = createClient({
    url: `${person.server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
    lazy,
    onNonLazyError: () => {},
    on: { closed: (event) => closed.resolve(event) },
  });
  return Object.assign(made, { closed: closed.promise });
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** Listens; `heard` fills as messages come, `over` tells how it ended. */
function listen(one, query, variables) {
  const heard = [];
  const over = deferred();
  const stop = one.subscribe({ query, variables }, {
    next: (result) => heard.push(result),
    error: (error) => over.resolve({ error }),
    complete: () => over.resolve({ complete: true }),
  });
  return { heard, stop, over: over.promise };
}

const NEW = 'subscription ($room: ID) { newMessage(room: $room) { seq body nonce sender { username displayName } room { id } } }';

const EVENTS = `subscription ($room: ID!) { roomEvents(room: $room) { __typename
  ... on NewMessage { seq room { id } message { seq body nonce sender { username } } }
  ... on MessageEdited { seq ref by { username } message { rev body nonce reactions { emoji mine } } }
  ... on MessageDeleted { seq ref by { username } reason message { rev body deletedBy { username } reactions { emoji } } }
  ... on ReactionsChanged { seq ref by { username } emoji on reactions { emoji count usernames mine } }
  ... on MessagePinned { seq ref by { username } }
  ... on MessageUnpinned { seq ref by { username } }
  ... on MemberJoined { seq user { username } }
  ... on MemberLeft { seq user { username } }
  ... on RoomUpdated { seq by { username } name topic metadata }
  ... on UnknownEvent { seq kind } } }`;

/** A subscription that has begun: somebody has talked until it was heard. What it hears from then on is `messages()`. */
async function begun(one, listener, speaker, room, variables, query = NEW) {
  const sub = listen(one, query, variables);
  const told = ({ data, errors }) => (assert.equal(errors, undefined, JSON.stringify(errors)), data.newMessage ?? data.roomEvents);
  let last;
  await eventually('the subscription has begun', async () => {
    last = await speaker.says(room, 'is anybody there?');
    await eventually('it is heard', () => sub.heard.length > 0, 500).catch(() => {});
    return sub.heard.length > 0;
  });
  await eventually('the last of them is heard', () => told(sub.heard.at(-1)).seq === last.seq);
  const before = sub.heard.length;
  return { ...sub, messages: () => sub.heard.slice(before).map(told) };
}

story('graphql', { timeout: 240_000 }, (it) => {
  it('every audit of graphql-http passes', async ({ server, people }) => {
    const [ann] = await people('ann');
    const fetchFn = (url, options = {}) => fetch(url, { ...options, headers: { ...options.headers, authorization: `Bearer ${ann.token}` } });
    const audits = serverAudits({ url: `${server.url}/graphql`, fetchFn });
    assert.ok(audits.length > 50, `${audits.length} audits`);
    const wrong = [];
    for (const audit of audits) {
      const result = await audit.fn();
      if (result.status !== 'ok') wrong.push(`${audit.id} ${audit.name}: ${result.status}, ${result.reason}`);
    }
    assert.deepEqual(wrong, []);
  });

  it('the examples of docs/graphql.md work as they stand', async ({ people }) => {
    const [ann, bob] = await people('ann', 'bob');
    const room = await ann.room([bob], { name: 'plans' });
    for (let n = 1; n <= 5; n += 1) await bob.says(room, `message ${n}`);
    const text = readFileSync(new URL('graphql.md', docs), 'utf8');
    const examples = [...text.matchAll(/```graphql\n([\s\S]*?)```/g)].map(([, example]) => example);
    assert.ok(examples.length >= 6, `${examples.length} examples`);
    const variables = { room: room.id, username: bob.username, before: '4', after: '2' };
    const own = (example) => Object.fromEntries(Object.entries(variables).filter(([name]) => example.includes(`$${name}`)));
    const schema = buildSchema(readFileSync(new URL('schema.graphql', docs), 'utf8'));
    let listened = 0;
    for (const example of examples) {
      assert.deepEqual(validate(schema, parse(example)).map(String), [], example);
      if (/^subscription/m.test(example)) {
        const one = client(ann);
        const sub = listen(one, example, own(example));
        await eventually('the example hears', async () => {
          await bob.says(room, 'hello');
          return sub.heard.length > 0;
        }, 10_000, 100);
        assert.equal(sub.heard[0].errors, undefined, JSON.stringify(sub.heard[0]));
        listened += 1;
        await one.dispose();
      } else {
        const data = await ask(ann, example, own(example));
        assert.ok(Object.values(data).every((value) => value !== null), `${example}\n${JSON.stringify(data)}`);
      }
    }
    assert.ok(listened > 0);
  });

  it('the schema is what it says of itself', async ({ people, nobody }) => {
    const [ann] = await people('ann');
    const { __schema } = await ask(ann, getIntrospectionQuery());
    assert.ok(__schema.types.some(({ name }) => name === 'MessageConnection'));
    const sdl = await nobody.get('/graphql/schema.graphql', { documented: false });
    assert.equal(sdl.text, readFileSync(new URL('schema.graphql', docs), 'utf8'));
  });

  it('a room is paged in both directions, and each page says what lies beside it', async ({ people }) => {
    const [ann, bob] = await people('ann', 'bob');
    const room = await ann.room([bob], { kind: 'group' });
    for (let n = 1; n <= 7; n += 1) await (n % 2 ? ann : bob).says(room, `${n}`);
    const page = async (args) => {
      const query = `query ($id: ID!) { room(id: $id) { messages${args} { edges { cursor node { body seq sender { username } } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }`;
      const { edges, pageInfo } = (await ask(ann, query, { id: room.id })).room.messages;
      assert.equal(pageInfo.endCursor, edges.at(-1)?.cursor ?? null);
      assert.equal(pageInfo.startCursor, edges[0]?.cursor ?? null);
      return [edges.map(({ node }) => node.body).join(''), pageInfo.hasPreviousPage, pageInfo.hasNextPage, pageInfo];
    };
    let [bodies, previous, next, info] = await page('(first: 3)');
    assert.deepEqual([bodies, previous, next], ['123', false, true]);
    [bodies, previous, next, info] = await page(`(first: 3, after: "${info.endCursor}")`);
    assert.deepEqual([bodies, previous, next], ['456', true, true]);
    [bodies, previous, next, info] = await page(`(first: 3, after: "${info.endCursor}")`);
    assert.deepEqual([bodies, previous, next], ['7', true, false]);
    [bodies, previous, next, info] = await page('(last: 4)');
    assert.deepEqual([bodies, previous, next], ['4567', true, false]);
    [bodies, previous, next] = await page(`(last: 4, before: "${info.startCursor}")`);
    assert.deepEqual([bodies, previous, next], ['123', false, true]);
    assert.deepEqual((await page('')).slice(0, 3), ['1234567', false, false]);
    for (const [args, field] of [['(first: 0)', 'first'], ['(last: 101)', 'last'], ['(first: 1, last: 1)', 'last'], ['(after: "x")', 'after']]) {
      const wrong = await refusal(ann, `query ($id: ID!) { room(id: $id) { messages${args} { edges { cursor } } } }`, { id: room.id });
      assert.deepEqual([wrong.extensions.code, wrong.extensions.field, wrong.data.room.messages], ['invalid_request', field, null]);
    }
  });

  it('rooms, members and people are paged by their cursors', async ({ people }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const rooms = [];
    for (const name of ['a', 'b', 'c']) rooms.unshift((await ann.room([bob, eve], { kind: 'group', name })).id);
    await ann.says(rooms[2], 'wake up');
    const order = [rooms[2], rooms[0], rooms[1]];
    const seen = [];
    for (let after = null, more = true; more;) {
      const { edges, pageInfo } = (await ask(ann, 'query ($after: String) { rooms(first: 2, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }', { after })).rooms;
      seen.push(...edges.map(({ node }) => node.id));
      [after, more] = [pageInfo.endCursor, pageInfo.hasNextPage];
    }
    assert.deepEqual(seen, order);
    const members = 'query ($id: ID!, $after: String) { room(id: $id) { members(first: 2, after: $after) { edges { cursor node { username online } } pageInfo { hasNextPage } } } }';
    const first = (await ask(ann, members, { id: rooms[0] })).room.members;
    const second = (await ask(ann, members, { id: rooms[0], after: first.edges[1].cursor })).room.members;
    assert.deepEqual([first.pageInfo.hasNextPage, second.pageInfo.hasNextPage], [true, false]);
    assert.deepEqual([...first.edges, ...second.edges].map(({ node }) => node.username), [ann, bob, eve].map((one) => one.username));
    const again = (await ask(ann, members, { id: rooms[0], after: first.edges[0].cursor })).room.members;
    assert.deepEqual(again.edges.map(({ node }) => node.username), [bob, eve].map((one) => one.username));
    await bob.connect();
    const { online } = await ask(ann, '{ online(first: 100) { nodes { username online } } }');
    assert.ok(online.nodes.some(({ username, online: is }) => username === bob.username && is));
  });

  it('pins are paged by their cursors, the newest pin first, and shown to members alone', async ({ people }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const room = await ann.room([bob], { kind: 'group' });
    for (let n = 1; n <= 3; n += 1) await ann.says(room, `${n}`);
    for (const seq of [2, 3, 1]) await bob.api.ok(204, 'PUT', `/rooms/${room.id}/pins/${seq}`);
    await ann.room([bob], { kind: 'group' });
    const query = `query ($after: String) { rooms { nodes { id pins(first: 2, after: $after) {
      edges { cursor node { body pinnedBy { username } room { id } } } pageInfo { hasPreviousPage hasNextPage endCursor } } } } }`;
    const page = async (after) => (await ask(ann, query, { after })).rooms.nodes.map(({ id, pins }) => [id === room.id, pins]);
    const [[, none], [isIt, first]] = await page(null);
    assert.deepEqual([isIt, none.edges], [true, []]);
    assert.deepEqual(first.edges.map(({ node }) => node), ['1', '3'].map((body) => ({ body, pinnedBy: { username: bob.username }, room: { id: room.id } })));
    assert.deepEqual(first.pageInfo, { hasPreviousPage: false, hasNextPage: true, endCursor: first.edges[1].cursor });
    const [, [, second]] = await page(first.pageInfo.endCursor);
    assert.deepEqual([second.edges.map(({ node }) => node.body), second.pageInfo.hasPreviousPage, second.pageInfo.hasNextPage], [['2'], true, false]);
    const one = 'query ($id: ID!, $after: String, $first: Int) { room(id: $id) { pins(first: $first, after: $after) { nodes { body } } } }';
    assert.equal((await ask(eve, one, { id: room.id })).room, null);
    for (const [field, wrong] of [['first', { first: 0 }], ['after', { after: 'x' }]]) {
      const { extensions, data } = await refusal(ann, one, { id: room.id, ...wrong });
      assert.deepEqual([extensions.code, extensions.field, data.room.pins], ['invalid_request', field, null]);
    }
    const channel = await ann.room([], { kind: 'channel', name: 'news' });
    assert.equal((await refusal(eve, one, { id: channel.id })).extensions.code, 'forbidden');
  });

  it('search finds in one\'s own rooms, page by page, with the match marked', async ({ people }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const room = await ann.room([bob], { kind: 'group' });
    for (const body of ['the first café', 'no match', 'another cafeteria', 'a third Café']) await ann.says(room, body);
    const look = `query ($after: String, $room: ID, $from: String) { search(q: "cafe*", first: 2, after: $after, room: $room, from: $from) {
      nodes { message { body sender { username } room { id } } excerpt { text matched } } next } }`;
    const bodies = ({ search }) => search.nodes.map(({ message }) => message.body);
    const first = await ask(bob, look);
    assert.deepEqual(bodies(first), ['a third Café', 'another cafeteria']);
    assert.deepEqual(first.search.nodes[0].message, { body: 'a third Café', sender: { username: ann.username }, room: { id: room.id } });
    assert.deepEqual(first.search.nodes[0].excerpt.filter(({ matched }) => matched).map(({ text }) => text), ['Café']);
    assert.deepEqual(bodies(await ask(bob, look, { after: first.search.next })), ['the first café']);
    assert.deepEqual(bodies(await ask(bob, look, { room: room.id, from: bob.username })), []);
    assert.deepEqual(bodies(await ask(eve, look)), []);
    assert.equal((await refusal(eve, look, { room: room.id })).extensions.code, 'not_found');
    assert.equal((await refusal(bob, '{ search(q: " ") { next } }')).extensions.code, 'invalid_request');
  });

  it('any character may be written as an escape, over every edge', async ({ people }) => {
    const [ann, bob] = await people('ann', 'bob');
    const room = await ann.room([bob], { kind: 'group' });
    await ann.says(room, 'good 👍🏽 news');
    await ann.says(room, 'none');
    const wanted = { data: { search: { nodes: [{ message: { body: 'good 👍🏽 news' } }] } } };
    const one = client(bob, { lazy: false });
    // As Python's json.dumps writes it, as the specification's newer form is, and as it is.
    for (const q of ['"\\ud83d\\udc4d"', '"\\u{1F44D}"', '"👍"']) {
      const query = `{ search(q: ${q}) { nodes { message { body } } } }`;
      assert.deepEqual((await bob.api.post('/graphql', { query })).body, wanted, q);
      assert.deepEqual((await bob.api.post('/graphql', [{ query }, { query }], { documented: false })).body, [wanted, wanted], q);
      assert.deepEqual((await bob.api.get(`/graphql?query=${encodeURIComponent(query)}`)).body, wanted, q);
      const { heard, over } = listen(one, query);
      assert.deepEqual([await within(10_000, over, 'the answer'), heard], [{ complete: true }, [wanted]], q);
    }
    assert.deepEqual(await ask(bob, 'query ($q: String!) { search(q: $q) { nodes { message { body } } } }', { q: '👍' }), wanted.data);
    for (const [q, said] of [['"\\ud83d"', /half of a pair/], ['"\\udc4d\\ud83d"', /half of a pair/], ['"\\u{110000}"', /is no character/], ['"\\u{d83d}"', /is no character/]]) {
      const wrong = await refusal(bob, `{ search(q: ${q}) { next } }`);
      assert.match(wrong.message, said);
      assert.deepEqual([wrong.extensions.code, wrong.locations], ['invalid_request', [{ line: 1, column: 14 }]]);
      const { heard, over } = listen(one, `{ search(q: ${q}) { next } }`);
      assert.match((await within(10_000, over, 'the refusal')).error[0].message, said);
      assert.deepEqual(heard, []);
    }
    await one.dispose();
    assert.equal((await within(10_000, one.closed, 'the end of the socket')).code, 1000, 'a goodbye is answered');
  });

  it('a page of long messages ends early, and no request costs more than some tens of megabytes', async ({ people, server }) => {
    const [ann] = await people('ann');
    const long = '👍'.repeat(8_000);
    for (let n = 0; n < 5; n += 1) {
      const room = await ann.room([], { kind: 'group', name: `${n}` });
      await pipelined(60, () => ann.api.call('POST', `/rooms/${room.id}/messages`, { body: long }, { documented: false }), 8);
    }
    const list = 'rooms(first: 5) { nodes { messages(last: 60) { nodes { seq body } pageInfo { hasPreviousPage startCursor } } } }';
    const page = await ask(ann, `{ ${list} }`);
    for (const { messages: { nodes, pageInfo } } of page.rooms.nodes) {
      assert.ok(nodes.length >= 1 && nodes.length < 60, `${nodes.length}`);
      assert.deepEqual([nodes.at(-1).seq, pageInfo], [60, { hasPreviousPage: true, startCursor: `${nodes[0].seq}` }]);
      assert.equal(nodes[0].body, long);
    }
    const processes = server.processes.filter(({ service }) => service === undefined || service === 'messages');
    const memory = (what) => processes.map(({ child }) => Number(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(new RegExp(`${what}:\\s+(\\d+) kB`))[1]) / 1024);
    const aliases = `{ ${Array.from({ length: 25 }, (_, n) => `a${n}: rooms(first: 5) { nodes { messages(last: 60) { nodes { body } } } }`).join(' ')} }`;
    const bodies = `{ rooms(first: 5) { nodes { messages(last: 60) { nodes { ${Array.from({ length: 30 }, (_, n) => `a${n}: body`).join(' ')} } } } } }`;
    const calls = {
      'twenty-five lists': [{ query: aliases }],
      'thirty names for each body': [{ query: bodies }],
      'a batch of ten lists': Array.from({ length: 10 }, () => ({ query: `{ ${list} }` })),
      'a batch of the worst': Array.from({ length: 10 }, (_, n) => ({ query: n % 2 ? bodies : aliases })),
    };
    for (const [what, requests] of Object.entries(calls)) {
      for (const { child } of processes) writeFileSync(`/proc/${child.pid}/clear_refs`, '5');
      const before = memory('VmRSS');
      const answer = await ann.api.post('/graphql', requests.length > 1 ? requests : requests[0], { documented: false });
      const grown = memory('VmHWM').map((peak, n) => peak - before[n]);
      const codes = [answer.body].flat().flatMap(({ errors }) => errors ?? []).map(({ extensions: { code } }) => code);
      assert.deepEqual([...new Set(codes)], ['too_large'], what);
      assert.ok(answer.text.length < 8 << 20, `${what}: an answer of ${answer.text.length} bytes`);
      assert.ok(Math.max(...grown) < 60, `${what}: memory grew by ${grown.map(Math.round)} MiB`);
    }
    assert.equal((await ask(ann, `{ ${list} }`)).rooms.nodes.length, 5, 'the next request has its own bound');
  }, { timeout: 90_000 });

  it('one sees what REST shows, and no more', async ({ people, nobody, server }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const room = await ann.room([bob], { kind: 'group' });
    await ann.says(room, 'secret', 'my-nonce');
    const look = 'query ($id: ID!) { room(id: $id) { id lastMessage { body nonce sender { username } } messages { nodes { nonce } } } }';
    assert.equal((await ask(eve, look, { id: room.id })).room, null);
    assert.equal((await ask(eve, look, { id: 'no-id' })).room, null);
    assert.equal((await ask(ann, look, { id: room.id })).room.messages.nodes[0].nonce, 'my-nonce');
    assert.equal((await ask(bob, look, { id: room.id })).room.messages.nodes[0].nonce, null);
    assert.deepEqual((await ask(bob, '{ recentMessages(first: 1) { body sender { username } } }')).recentMessages, [{ body: 'secret', sender: { username: ann.username } }]);

    const channel = await ann.room([], { kind: 'channel', name: 'news' });
    await ann.says(channel, 'for members');
    const shut = await refusal(eve, 'query ($id: ID!) { room(id: $id) { name lastMessage { body } messages { nodes { body } } } }', { id: channel.id });
    assert.deepEqual([shut.extensions.code, shut.path, shut.data.room], ['forbidden', ['room', 'messages'], { name: 'news', lastMessage: null, messages: null }]);

    assert.equal((await ask(eve, 'query ($name: String!) { user(username: $name) { id } }', { name: 'nobody-of-this-name' })).user, null);
    for (const api of [nobody, nobody.as('no-token')]) {
      const answer = await api.post('/graphql', { query: '{ me { id } }' });
      assert.deepEqual([answer.status, answer.body.errors[0].extensions.code, answer.body.data], [401, 'unauthenticated', undefined]);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
    assert.equal((await nobody.get(`/graphql?query=${encodeURIComponent('{ me { id } }')}`)).status, 401);
    const foreign = await fetch(`${server.url}/graphql`, { method: 'POST', headers: { origin: 'https://evil.example', 'content-type': 'application/json' }, body: '{}' });
    assert.equal(foreign.status, 403);
  });

  it('what is too much is refused by what it says', async ({ people }) => {
    const [ann] = await people('ann');
    const deep = `{ rooms { nodes { ${'messages { nodes { room { '.repeat(7)} id ${'} } }'.repeat(7)} } } }`;
    const aliases = `{ ${Array.from({ length: 1000 }, (_, n) => `a${n}: me { id }`).join(' ')} }`;
    const circle = '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }';
    const doubling = `{ ...f0 } ${Array.from({ length: 60 }, (_, n) => `fragment f${n} on Query { ...f${n + 1} ...f${n + 1} }`).join(' ')} fragment f60 on Query { me { id } }`;
    const schema = '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }';
    const brackets = `{ user(username: ${'['.repeat(60_000)}`;
    const wide = '{ rooms(first: 100) { nodes { messages(first: 100) { nodes { body sender { id } } } } } }';
    for (const query of [deep, aliases, circle, doubling, schema, brackets, wide]) {
      const began = performance.now();
      const { extensions, data } = await refusal(ann, query);
      assert.equal(extensions.code, 'invalid_request', query.slice(0, 60));
      assert.equal(data, undefined);
      assert.ok(performance.now() - began < 2_000, `${query.slice(0, 60)} took ${performance.now() - began} ms`);
    }
    const batch = (count) => ann.api.post('/graphql', Array.from({ length: count }, () => ({ query: '{ me { username } }' })), { documented: false });
    assert.deepEqual((await batch(10)).body, Array.from({ length: 10 }, () => ({ data: { me: { username: ann.username } } })));
    const huge = await batch(11);
    assert.deepEqual([huge.status, huge.body.errors[0].extensions.code], [400, 'invalid_request']);
    assert.equal((await ann.api.post('/graphql', { query: `{ me { id } } # ${'x'.repeat(140_000)}` })).status, 413);
  });

  it('newMessage hears every message once and in order, and none of other rooms', async ({ people }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const room = await ann.room([bob], { kind: 'group' });
    const foreign = await bob.room([eve], { kind: 'group' });
    const one = client(ann);
    const sub = await begun(one, ann, bob, room, {});
    const sent = [];
    await pipelined(200, async (n) => {
      const message = await (n % 2 ? ann : bob).says(room, `${n}`, n === 1 ? 'mine' : undefined);
      sent.push(message);
      if (n % 10 === 0) await bob.says(foreign, 'not for ann');
    }, 8);
    const late = await bob.room([ann], { kind: 'group' });
    await bob.says(late, 'a room that was made meanwhile');
    await eventually('all is heard', () => sub.messages().length >= sent.length + 1);
    const heard = sub.messages();
    const seqs = heard.filter((message) => message.room.id === room.id).map(({ seq }) => seq);
    assert.deepEqual(seqs, sent.map(({ seq }) => seq).sort((a, b) => a - b));
    assert.deepEqual(heard.filter((message) => message.room.id !== room.id).map(({ body }) => body), ['a room that was made meanwhile']);
    for (const { seq, body, sender, nonce } of heard.filter((message) => message.room.id === room.id)) {
      const original = sent.find((message) => message.seq === seq);
      assert.deepEqual([body, sender.username, nonce], [original.body, original.sender, original.nonce ?? null]);
    }
    await one.dispose();
  }, { timeout: 90_000 });

  it('a room\'s id may be in upper case, in queries and in subscriptions', async ({ people }) => {
    const [ann, bob] = await people('ann', 'bob');
    const room = await ann.room([bob], { kind: 'group', name: 'upper' });
    await bob.says(room, 'a needle');
    const upper = room.id.toUpperCase();
    const query = 'query ($room: ID!) { room(id: $room) { id } search(q: "needle", room: $room) { nodes { message { room { id } } } } }';
    const { data, errors } = (await ann.api.post('/graphql', { query, variables: { room: upper } })).body;
    assert.equal(errors, undefined);
    assert.equal(data.room.id, room.id);
    assert.equal(data.search.nodes[0].message.room.id, room.id);
    const one = client(ann);
    const sub = await begun(one, ann, bob, room, { room: upper });
    await bob.says(room, 'heard');
    await eventually('it is heard', () => sub.messages().some(({ body, room: { id } }) => body === 'heard' && id === room.id));
    await one.dispose();
  });

  it('newMessage of a room ends with the membership, and needs one', async ({ people }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const room = await ann.room([bob], { kind: 'group' });
    const other = await ann.room([bob], { kind: 'group' });
    const one = client(bob);
    const sub = await begun(one, bob, ann, room, { room: room.id });
    await ann.says(other, 'elsewhere');
    await ann.says(room, 'the last one');
    await ann.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${bob.username}`);
    await ann.says(room, 'without bob');
    assert.deepEqual(await within(10_000, sub.over, 'the end of the subscription'), { complete: true });
    assert.deepEqual(sub.messages().map(({ body }) => body), ['the last one']);
    await one.dispose();

    const outside = client(eve);
    const refused = listen(outside, NEW, { room: room.id });
    const { error } = await within(10_000, refused.over, 'the refusal');
    assert.equal((error ?? refused.heard[0].errors)[0].extensions.code, 'not_found');
    await outside.dispose();
  });

  it('roomEvents hears all that happens in a room as the page of its events has it, and ends with the membership', async ({ people }) => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const room = await ann.room([bob], { kind: 'group', name: 'plans' });
    const other = await ann.room([bob], { kind: 'group' });
    const clients = [client(ann), client(bob)];
    const subs = [await begun(clients[0], ann, bob, room, { room: room.id }, EVENTS), await begun(clients[1], bob, ann, room, { room: room.id }, EVENTS)];
    const { seq } = await ann.says(room, 'frist', 'mine');
    const told = (sub) => sub.messages().filter((event) => event.seq >= seq);
    let count = 0;
    // Each is heard before the next is done, so that each is told as it was just then.
    const heard = async () => {
      count += 1;
      await eventually('both have heard it', () => subs.every((sub) => told(sub).length === count));
      return subs.map((sub) => told(sub).at(-1));
    };
    const does = async (who, method, path, body) => {
      await who.api.ok(method === 'PATCH' || path.includes('reactions') ? 200 : 204, method, `/rooms/${room.id}${path}`, body);
      return heard();
    };
    const [anns, bobs] = [{ username: ann.username }, { username: bob.username }];
    const message = { seq, body: 'frist', sender: anns };
    assert.deepEqual(await heard(), ['mine', null].map((nonce) => ({ __typename: 'NewMessage', seq, room: { id: room.id }, message: { ...message, nonce } })));
    await ann.says(other, 'elsewhere');
    const reactions = (mine) => [{ emoji: 'x', count: 1, usernames: [bob.username], mine }];
    assert.deepEqual(await does(bob, 'PUT', `/messages/${seq}/reactions/x`), [false, true].map((mine) => (
      { __typename: 'ReactionsChanged', seq: seq + 1, ref: seq, by: bobs, emoji: 'x', on: true, reactions: reactions(mine) })));
    assert.deepEqual(await does(ann, 'PATCH', `/messages/${seq}`, { body: 'first' }), [false, true].map((mine) => (
      { __typename: 'MessageEdited', seq: seq + 2, ref: seq, by: anns, message: { rev: seq + 2, body: 'first', nonce: null, reactions: [{ emoji: 'x', mine }] } })));
    const both = (event) => [event, event];
    assert.deepEqual(await does(bob, 'PUT', `/pins/${seq}`), both({ __typename: 'MessagePinned', seq: seq + 3, ref: seq, by: bobs }));
    assert.deepEqual(await does(ann, 'DELETE', `/pins/${seq}`), both({ __typename: 'MessageUnpinned', seq: seq + 4, ref: seq, by: anns }));
    assert.deepEqual(await does(ann, 'PUT', `/members/${eve.username}`), both({ __typename: 'MemberJoined', seq: seq + 5, user: { username: eve.username } }));
    assert.deepEqual(await does(ann, 'PATCH', '', { topic: 'tea', metadata: { a: 1 } }), both({ __typename: 'RoomUpdated', seq: seq + 6, by: anns, name: 'plans', topic: 'tea', metadata: { a: 1 } }));
    assert.deepEqual(await does(ann, 'DELETE', `/messages/${seq}?reason=typo`), both({
      __typename: 'MessageDeleted', seq: seq + 7, ref: seq, by: anns, reason: 'typo', message: { rev: seq + 7, body: '', deletedBy: anns, reactions: [] },
    }));
    assert.deepEqual(await does(ann, 'DELETE', `/members/${eve.username}`), both({ __typename: 'MemberLeft', seq: seq + 8, user: { username: eve.username } }));
    assert.deepEqual(await does(ann, 'DELETE', `/members/${bob.username}`), both({ __typename: 'MemberLeft', seq: seq + 9, user: bobs }));
    assert.deepEqual(await within(10_000, subs[1].over, 'the end of the subscription'), { complete: true });
    await ann.says(room, 'without bob');
    const { items } = await ann.api.ok(200, 'GET', `/rooms/${room.id}/events?after=${seq - 1}`);
    const name = ({ __typename }) => __typename.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
    await eventually('ann has heard the last one', () => told(subs[0]).length === items.length);
    assert.deepEqual(told(subs[0]).map((event) => [name(event), event.seq]), items.map(({ event, data }) => [event, data.seq]));
    assert.equal(told(subs[1]).length, items.length - 1, 'bob hears no more');
    for (const one of clients) await one.dispose();

    const outside = client(eve);
    const refused = listen(outside, EVENTS, { room: room.id });
    const { error } = await within(10_000, refused.over, 'the refusal');
    assert.equal((error ?? refused.heard[0].errors)[0].extensions.code, 'not_found');
    await outside.dispose();
  }, { timeout: 90_000 });

  it('a socket lives as long as its token', async ({ people }) => {
    const [ann, bob] = await people('ann', 'bob');
    const room = await ann.room([bob], { kind: 'group' });
    const one = client(ann);
    await begun(one, ann, bob, room, {});
    const began = performance.now();
    await ann.api.ok(204, 'POST', '/users/logout');
    const { code, reason } = await within(10_000, one.closed, 'the end of the socket');
    assert.equal(code, 4401);
    assert.match(reason, /^unauthenticated/);
    assert.ok(performance.now() - began < 1_000, `${performance.now() - began} ms`);

    for (const token of [ann.token, 'no-token']) {
      const refused = client(ann, { token });
      const { over } = listen(refused, NEW, {});
      await within(10_000, over, 'the refusal');
      assert.equal((await within(10_000, refused.closed, 'the end of the socket')).code, 4403);
    }
  });

  it('who breaks the protocol is told how', async ({ people, server }) => {
    const [ann] = await people('ann');
    const closedAfter = async (messages, protocol = 'graphql-transport-ws') => {
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, protocol);
      const closed = deferred();
      socket.on('close', (code) => closed.resolve(code));
      socket.on('error', (error) => closed.resolve(error.message));
      socket.on('open', () => messages.forEach((message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message))));
      return within(10_000, closed.promise, 'the end of the socket');
    };
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${ann.token}` } };
    const subscribe = { id: '1', type: 'subscribe', payload: { query: 'subscription { newMessage { seq } }' } };
    assert.equal(await closedAfter([subscribe]), 4401);
    assert.equal(await closedAfter([init, init]), 4429);
    assert.equal(await closedAfter([init, subscribe, subscribe]), 4409);
    assert.equal(await closedAfter(['no JSON']), 4400);
    assert.equal(await closedAfter([init, { type: 'unknown' }]), 4400);
    assert.equal(await closedAfter([{ type: 'connection_init' }]), 4403);
    // Who is still sending when the server closes may see the connection reset (1006) before it has read why.
    const tooLarge = await closedAfter([`{"type":"ping","payload":{"x":"${'x'.repeat(140_000)}"}}`]);
    assert(tooLarge === 1009 || tooLarge === 1006, `${tooLarge}`);
    assert.match(await closedAfter([], 'graphql-ws'), /400/);
    const one = client(ann);
    const subs = Array.from({ length: 21 }, () => listen(one, 'subscription { newMessage { seq } }'));
    const { error } = await within(10_000, Promise.race(subs.map(({ over }) => over)), 'the refusal of the last');
    assert.equal(error[0].extensions.code, 'rate_limited');
    await one.dispose();
  });

  it('there is a page to try it, which loads nothing from elsewhere', async ({ nobody }) => {
    const page = await nobody.get('/graphql');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'.*script-src 'self'/);
    const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path).filter((path) => !path.startsWith('data:'));
    assert.ok(named.length >= 3);
    for (const path of named) {
      assert.match(path, /^\//);
      assert.ok((await nobody.get(path, { documented: false, redirect: 'follow' })).status < 400, path);
    }
  });
});
