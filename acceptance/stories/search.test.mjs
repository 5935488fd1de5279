// Search: every row of the table in docs/search.md and its examples, rights, pages, and texts that would break a query language.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { shapeOf } from '../lib/documents.mjs';
import { story } from '../lib/story.mjs';
import { pipelined } from '../lib/wait.mjs';

const DOCS = readFileSync(new URL('../../docs/search.md', import.meta.url), 'utf8');

/** The rows of the documentation's tables: a query, what it finds, what it does not. */
function documented() {
  const tables = DOCS.split('| `q` | finds |').slice(1);
  const rows = tables.flatMap((table) => table.slice(0, table.indexOf('\n\n')).split('\n').slice(2));
  return rows.map((row) => row.split('|').slice(1, 4).map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')));
}

const search = (person, query) => person.api.ok(200, 'GET', `/messages/search?${new URLSearchParams(query)}`);
const searchByGraphql = async (person, variables) => {
  const query = 'query ($q: String!, $room: ID) { search(q: $q, room: $room) { nodes { message { body } excerpt { text matched } } } }';
  const { body } = await person.api.post('/graphql', { query, variables });
  assert.equal(body.errors, undefined, JSON.stringify(body.errors));
  return body.data.search.nodes;
};
const bodies = async (person, q) => (await search(person, { q })).items.map(({ message }) => message.body);
const shown = ({ excerpt }) => excerpt.map(({ text, matched }) => (matched ? `[${text}]` : text)).join('');

/** All pages, one behind the other. */
async function all(person, query) {
  const items = [];
  for (let before; before !== null; ) {
    const page = await search(person, { ...query, ...(before && { before }) });
    items.push(...page.items);
    before = page.next;
  }
  return items;
}

story('search', {}, (it) => {
  it('before is the next of a page, and nothing else is taken for one', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    await pipelined(25, (n) => alice.says(room, `hello ${n}`));
    for (const before of ['abc', '1', 'ffff', '1-1-1-1', 'null', '', ' ', '0', '-1', '7fffffffffffffff', '👍', room.id]) {
      const { field } = await bob.api.refused('invalid_request', 'GET', `/messages/search?${new URLSearchParams({ q: 'hello', before })}`);
      assert.equal(field, 'before', before);
    }
    assert.equal((await all(bob, { q: 'hello', limit: 4 })).length, 25, 'every next is taken');
  });

  it('finds what the documentation says, and nothing else', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const rows = documented();
    assert.ok(rows.length >= 25, 'the tables are there');
    for (const [q, finds, misses] of rows) {
      const room = await alice.room([bob], { name: q });
      await alice.says(room, misses);
      await alice.says(room, finds);
      const { items } = await search(bob, { q, room: room.id });
      assert.deepEqual(items.map(({ message }) => message.body), [finds], q);
      assert.ok(items[0].excerpt.some(({ matched }) => matched), q);
      assert.equal(items[0].excerpt.map(({ text }) => text).join(''), finds, 'the pieces are the text');
      const nodes = await searchByGraphql(bob, { q, room: room.id });
      assert.deepEqual(nodes, items.map(({ message: { body }, excerpt }) => ({ message: { body }, excerpt })), `${q} over GraphQL`);
    }
  });

  it('the examples of the documentation run as they stand', async ({ people, server }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    for (const body of ['Good morning!', 'a good morning', 'Good evening!']) await alice.says(room, body);
    const [, path] = DOCS.match(/^GET (\S+)$/m);
    const [, answer] = DOCS.match(/```json\n([\s\S]*?)```/);
    const found = await bob.api.ok(200, 'GET', path);
    assert.deepEqual(shapeOf(found), shapeOf(JSON.parse(answer)));
    assert.equal(found.items.length, 2);

    const [shows, pages] = [...DOCS.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);
    const element = (tag) => ({ tag, children: [], append(one) { this.children.push(one); } });
    const line = new Function('item', 'document', `${shows}; return line`)(found.items[1], { createElement: element });
    assert.deepEqual(line.children.map(({ tag, textContent }) => `${tag}:${textContent}`), ['mark:Good', 'span: ', 'mark:morning', 'span:!']);

    const fetchHere = (where, options) => fetch(server.url + where, options);
    const results = new Function('fetch', 'token', `${pages}; return search`)(fetchHere, bob.token)('good');
    const seen = [];
    for await (const { message } of results) seen.push(message.body);
    assert.deepEqual(seen, ['Good evening!', 'a good morning', 'Good morning!']);
  });

  it('a result is the message as its reader sees it, with the match marked', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const sent = await alice.says(room, '<b>Guten</b> Morgen, Zoë', 'n-1');
    const [mine] = (await search(alice, { q: 'zoe guten' })).items;
    assert.deepEqual(mine.message, sent);
    assert.equal(shown(mine), '<b>[Guten]</b> Morgen, [Zoë]');
    const [theirs] = (await search(bob, { q: 'morg*', from: alice.username })).items;
    assert.equal('nonce' in theirs.message, false);
    assert.equal(shown(theirs), '<b>Guten</b> [Morgen], Zoë');
    assert.deepEqual((await search(bob, { q: 'morgen', from: bob.username })).items, []);
  });

  it('an acknowledged message is found at once, by every member and nobody else', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const room = await alice.room([bob]);
    const wire = await alice.connect();
    for (let n = 0; n < 20; n += 1) {
      await wire.must('message', { room: room.id, body: `needle${n} in the hay` });
      assert.equal((await bodies(bob, `needle${n}`)).length, 1);
      assert.deepEqual(await bodies(carol, `needle${n}`), []);
    }
    await carol.api.refused('not_found', 'GET', `/messages/search?q=needle1&room=${room.id}`);
    await carol.api.refused('not_found', 'GET', '/messages/search?q=needle1&room=none');
    await carol.api.refused('not_found', 'GET', '/messages/search?q=needle1&from=nobody-of-that-name');
    const channel = await alice.room([], { kind: 'channel', name: 'hay' });
    await alice.says(channel, 'needle in the channel');
    await carol.api.refused('forbidden', 'GET', `/messages/search?q=needle&room=${channel.id}`);
    const membership = `/rooms/${channel.id}/members/${carol.username}`;
    await carol.api.ok(204, 'PUT', membership);
    assert.deepEqual(await bodies(carol, 'needle'), ['needle in the channel'], 'the history from before one came too');
    await carol.api.ok(204, 'DELETE', membership);
    assert.deepEqual(await bodies(carol, 'needle'), []);
  });

  it('a sender, and what is pinned, are found with words and without', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const [room, other] = [await alice.room([bob]), await alice.room([bob, carol])];
    const said = [];
    for (const [person, where, body] of [
      [alice, room, 'tea at four'], [bob, room, 'coffee at five'], [alice, other, 'tea at six'], [carol, other, 'tea at seven'], [alice, room, 'water'],
    ]) said.push(await person.says(where, body));
    for (const n of [4, 0, 3]) await alice.api.ok(204, 'PUT', `/rooms/${said[n].room}/pins/${said[n].seq}`);
    await alice.api.ok(200, 'PATCH', `/rooms/${room.id}/messages/${said[0].seq}`, { body: 'tea at noon' });

    // Messages of two rooms may have been committed in one millisecond.
    const texts = async (person, query) => (await all(person, query)).map(({ message: { body } }) => body).sort();
    const mine = ['tea at noon', 'tea at six', 'water'];
    for (const name of ['sender', 'from']) {
      assert.deepEqual(await texts(bob, { [name]: alice.username }), mine);
      assert.deepEqual(await texts(bob, { [name]: alice.username, limit: 1 }), mine);
      assert.deepEqual(await texts(bob, { [name]: alice.username, q: 'tea' }), ['tea at noon', 'tea at six']);
    }
    assert.deepEqual(await texts(carol, { sender: alice.username }), ['tea at six'], 'in rooms of one\'s own');
    assert.deepEqual(await texts(bob, { pinned: true }), ['tea at noon', 'tea at seven', 'water']);
    assert.deepEqual(await texts(bob, { pinned: true, limit: 1, q: '' }), ['tea at noon', 'tea at seven', 'water']);
    assert.deepEqual(await texts(bob, { pinned: true, room: room.id, sender: alice.username, q: 'te*' }), ['tea at noon']);
    const inRoom = (await search(bob, { pinned: true, room: room.id })).items;
    assert.deepEqual(inRoom.map(({ message: { body } }) => body), ['water', 'tea at noon'], 'newest first');
    assert.deepEqual(inRoom[0].excerpt, [{ text: 'water', matched: false }], 'without words it is the beginning');
    const query = 'query ($sender: String, $pinned: Boolean) { search(sender: $sender, pinned: $pinned) { nodes { message { body } excerpt { text matched } } } }';
    const { body: { data, errors } } = await bob.api.post('/graphql', { query, variables: { sender: alice.username, pinned: true } });
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.deepEqual(data.search.nodes.map(({ message: { body } }) => body), ['water', 'tea at noon']);

    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/pins/${said[4].seq}`);
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/messages/${said[0].seq}`);
    assert.deepEqual(await texts(bob, { pinned: true }), ['tea at seven']);
    assert.deepEqual(await texts(bob, { sender: alice.username }), ['tea at six', 'water'], 'what is deleted is not found');
    for (const [wrong, field] of [
      [{ sender: alice.username, from: bob.username }, 'sender'], [{ room: room.id }, 'q'], [{ pinned: false }, 'q'], [{ pinned: true, q: '*' }, 'q'], [{ pinned: 'yes' }, 'pinned'],
    ]) {
      const refused = await bob.api.refused('invalid_request', 'GET', `/messages/search?${new URLSearchParams(wrong)}`);
      assert.equal(refused.field, field, JSON.stringify(wrong));
    }
  });

  it('excerpts cut no emoji, accent or flag apart', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    const clusters = ['👩‍👩‍👧‍👦', 'e\u0301', '🇩🇪', 'ยุ', 'क्षि', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'];
    const around = (n) => Array.from({ length: 150 }, (_, at) => clusters[(at * (n + 1)) % clusters.length]).join('');
    const whole = new Intl.Segmenter('en', { granularity: 'grapheme' });
    for (let n = 0; n < 7; n += 1) {
      const body = `${around(n)} needle${n} ${around(n + 2)}`;
      await alice.says(room, body);
      const [{ excerpt }] = (await search(bob, { q: `needle${n}` })).items;
      assert.equal(excerpt.find(({ matched }) => matched).text, `needle${n}`);
      const inner = excerpt.map(({ text }) => text).join('').replace(/^…|…$/g, '');
      const from = body.indexOf(inner);
      assert.ok(from > 0 && from + inner.length < body.length, 'it is a part of the text');
      const borders = new Set([...whole.segment(body)].map(({ index }) => index));
      assert.ok(borders.has(from) && borders.has(from + inner.length), `${inner} begins and ends with a whole character`);
    }
  });

  it('pages hold everything once, newest first, whatever comes meanwhile', async ({ people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    const rooms = [await alice.room([bob]), await alice.room([carol]), await alice.room([bob, carol])];
    const wire = await alice.connect();
    const sent = await pipelined(400, async (n) => (await wire.must('message', { room: rooms[n % 3].id, body: n % 4 ? `plain ${n}` : `fourth ${n}` }, 30_000)).message);
    const wanted = sent.filter(({ body }) => body.startsWith('fourth')).map(({ id }) => id).sort();
    const first = await search(alice, { q: 'fourth', limit: 30 });
    await wire.must('message', { room: rooms[0].id, body: 'fourth of another time' });
    const rest = await all(alice, { q: 'fourth', limit: 30, before: first.next });
    const found = [...first.items, ...rest].map(({ message }) => message);
    assert.deepEqual(found.map(({ id }) => id).sort(), wanted);
    for (let n = 1; n < found.length; n += 1) assert.ok(found[n - 1].created_at >= found[n].created_at, 'newest first');
    assert.equal((await all(bob, { q: 'plain', limit: 7 })).length, 200);
  });

  it('no text is wrong syntax; one without anything to look for is refused', async ({ people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const room = await alice.room([bob]);
    await alice.says(room, 'say "x" (or) NOT y* and \\ ; DROP TABLE words');
    for (const q of ['"x', 'x OR y', '(x)', 'NOT y', 'x"*', '*x', '\\ and', "x' --", 'drop; table', 'x\0y', 'say:x', '^say', 'x & y | ! <->', '%x', 'x'.repeat(500)]) {
      await search(alice, { q });
    }
    assert.equal((await bodies(alice, 'NOT y')).length, 1, 'no word is an operator');
    for (const q of ['', ' ', '*', '""', '()', '\0', 'y*', '\u0640', '\u02bc', '\u200b', '…', 'x'.repeat(501), 'x'.repeat(8_000)]) {
      const { field } = await alice.api.refused('invalid_request', 'GET', `/messages/search?${new URLSearchParams({ q })}`);
      assert.equal(field, 'q', q.slice(0, 20));
    }
    assert.equal((await alice.api.refused('invalid_request', 'GET', '/messages/search')).field, 'q');
    for (const [field, value] of [['limit', '0'], ['limit', '101'], ['before', 'yesterday']]) {
      assert.equal((await alice.api.refused('invalid_request', 'GET', `/messages/search?q=x&${field}=${value}`)).field, field);
    }
  });
});
