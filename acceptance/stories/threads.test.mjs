// Threads: messages under a message, over REST and over the socket: who hears of them, what stands among the room's messages and what does not,
// who follows and has read what, lists, deletions, and a crash in the middle of one.

import assert from 'node:assert/strict';
import { story } from '../lib/story.mjs';
import { eventually, laterMillisecond, pipelined, sleep, within } from '../lib/wait.mjs';

const seqs = (list) => list.map(({ seq }) => seq);
/** Threads as the lists tell them: the first message's seq, how many messages, how many of them unread. */
const brief = (list) => list.map(({ root, replies, unread }) => [root.seq, replies, unread]);
/** How far somebody has read, as answers and `thread read` tell it. */
const mark = ({ read, unread }) => [read, unread];
const rooted = (room, seq) => `/rooms/${room.id}/threads/${seq}`;

story('threads', {}, (it) => {
  const group = async (people) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    return [alice, bob, carol, await alice.room([bob, carol], { name: 'g' })];
  };
  const replies = (who, room, thread, body, more = {}) => who.api.ok(201, 'POST', `/rooms/${room.id}/messages`, { body, thread, ...more });
  const messages = async (who, room, query = '') => (await who.api.ok(200, 'GET', `/rooms/${room.id}/messages?${query}`)).items;
  const one = (who, room, seq) => who.api.ok(200, 'GET', `/rooms/${room.id}/messages/${seq}`);
  const threadsOf = (who, room, query = '') => who.api.ok(200, 'GET', `/rooms/${room.id}/threads?${query}`);
  const followed = async (who, query = '') => (await who.api.ok(200, 'GET', `/users/me/threads?${query}`)).items;
  const unreadThreads = async (who, room) => (await who.sees(room)).unread_threads;

  it('a message in a thread is told to every member, and stands beside the room', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await mine.must('message', { room: room.id, body: 'lunch?' });
    const { message } = await theirs.must('message', { room: room.id, body: 'pizza', thread: 1, nonce: 'n' });
    assert.deepEqual([message.seq, message.rev, message.thread, 'also_in_room' in message], [2, 2, 1, false]);
    assert.deepEqual(message.thread_info, { replies: 1, last_seq: 2, last_at: message.created_at, usernames: [bob.username] });
    const { nonce: _, ...others } = message;
    const { cursor, ...heard } = await mine.until('new message', ({ seq }) => seq === 2);
    assert.deepEqual(heard, others, 'with what came in the thread');
    assert.equal(typeof cursor, 'string');
    const again = await theirs.must('message', { room: room.id, body: 'pizza', thread: 1, nonce: 'n' });
    assert.deepEqual([again.message.id, again.message.seq, again.message.thread], [message.id, 2, 1], 'a repeated send is the same message');

    const both = await replies(alice, room, 1, 'or soup', { also_in_room: true });
    assert.deepEqual([both.seq, both.thread, both.also_in_room], [3, 1, true]);
    assert.deepEqual(both.thread_info, { replies: 2, last_seq: 3, last_at: both.created_at, usernames: [bob.username, alice.username] });
    assert.equal((await theirs.until('new message', ({ seq }) => seq === 3)).also_in_room, true);

    const history = await messages(bob, room);
    assert.deepEqual(seqs(history), [1, 3], 'the room has what says that it stands there too');
    assert.deepEqual([history[0].thread_info, history[0].rev], [both.thread_info, 1], 'what comes in a thread is no change of its first message');
    assert.equal('thread_info' in history[1], false, 'a message in a thread begins none');
    for (const [who, read, unread] of [[carol, 0, 2], [bob, 0, 2], [alice, 3, 0]]) {
      const seen = await who.sees(room);
      assert.deepEqual([seen.head, seen.read, seen.unread, seen.last_message.seq], [3, read, unread, 3], who.username);
    }
    assert.deepEqual(seqs(await messages(carol, room, 'thread=1')), [2, 3], 'the thread has all but its first message');
    const first = await carol.api.ok(200, 'GET', `/rooms/${room.id}/messages?thread=1&after=0&limit=1`);
    assert.deepEqual([seqs(first.items), first.next], [[2], '2']);
    assert.deepEqual(seqs(await messages(carol, room, 'thread=1&after=2')), [3]);
    assert.deepEqual(seqs(await messages(carol, room, 'thread=1&before=3')), [2]);
    const around = await carol.api.ok(200, 'GET', `/rooms/${room.id}/messages?thread=1&around=3&limit=2`);
    assert.deepEqual([seqs(around.items), around.before, around.next], [[2, 3], null, null]);
    const events = (await carol.api.ok(200, 'GET', `/rooms/${room.id}/events`)).items;
    assert.deepEqual(events.map(({ event, data }) => [event, data.seq, data.thread]), [['new message', 1, undefined], ['new message', 2, 1], ['new message', 3, 1]], 'the events have all of it');
  });

  it('who is in a thread follows it, and its mark is their own', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    await alice.says(room, 'lunch?');
    const wires = await Promise.all([alice.connect(), alice.connect({ transport: 'polling' }), bob.connect(), carol.connect()]);
    const [mine, other, theirs, stranger] = wires;
    await theirs.must('message', { room: room.id, body: 'pizza', thread: 1 });
    const told = await theirs.until('thread read');
    assert.deepEqual([told.room, told.thread, ...mark(told)], [room.id, 1, 2, 0], 'who writes has read it');
    assert.deepEqual([await unreadThreads(alice, room), await unreadThreads(bob, room), await unreadThreads(carol, room)], [1, 0, 0]);
    assert.deepEqual(brief(await followed(alice, 'unread=true')), [[1, 1, 1]], 'who began it follows');
    assert.deepEqual([brief(await followed(bob)), await followed(bob, 'unread=true')], [[[1, 1, 0]], []], 'who wrote in it follows');
    assert.deepEqual(await followed(carol), [], 'others do not');
    assert.equal((await alice.sees(room)).unread, 0, 'the room is another matter');

    assert.deepEqual(mark(await alice.api.ok(200, 'PUT', `${rooted(room, 1)}/read`, { seq: 2 })), [2, 0]);
    for (const wire of [mine, other]) assert.deepEqual(mark(await wire.until('thread read')), [2, 0]);
    assert.equal(await unreadThreads(alice, room), 0);
    assert.deepEqual(mark(await alice.api.ok(200, 'PUT', `${rooted(room, 1)}/read`, { seq: 1 })), [2, 0], 'a mark never goes back');
    assert.deepEqual(mark(await carol.api.ok(200, 'PUT', `${rooted(room, 1)}/read`, { seq: 99 })), [2, 0], 'past the newest means that one');
    await stranger.until('thread read');
    assert.deepEqual(await followed(carol), [], 'to read is not to follow');

    for (let n = 0; n < 2; n += 1) await carol.api.ok(204, 'PUT', `${rooted(room, 1)}/follow`);
    assert.deepEqual(brief(await followed(carol)), [[1, 1, 0]], 'from the newest message on');
    await replies(bob, room, 1, 'or soup');
    assert.deepEqual([await unreadThreads(alice, room), await unreadThreads(carol, room)], [1, 1]);
    assert.deepEqual(brief((await threadsOf(carol, room)).items), [[1, 2, 1]]);
    await replies(alice, room, 1, 'soup!');
    await mine.until('thread read', ({ read }) => read === 4);
    assert.equal(await unreadThreads(alice, room), 0);
    await carol.api.ok(204, 'DELETE', `${rooted(room, 1)}/follow`);
    assert.deepEqual([await unreadThreads(carol, room), await followed(carol)], [0, []]);

    const own = await carol.room([], { name: 'own' });
    await stranger.until('room created', ({ room: { id } }) => id === own.id);
    await stranger.settled(own.id);
    for (const wire of [mine, other]) await wire.until('thread read', ({ read }) => read === 4);
    await theirs.until('thread read', ({ read }) => read === 3);
    assert.deepEqual(wires.map((wire) => wire.count('thread read')), [2, 2, 2, 1], 'each mark is told once, to its owner\'s sockets');
    for (const wire of wires) assert.ok(wire.all('thread read').every((mark) => !('cursor' in mark)), 'and is not in the log');
  });

  it('threads are listed by their newest message, and paged', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    const second = await alice.room([bob], { name: 'h' });
    for (let n = 0; n < 3; n += 1) await alice.says(room, `root ${n}`);
    await alice.says(second, 'root');
    for (const thread of [2, 1, 3, 2]) {
      await laterMillisecond();
      await replies(bob, room, thread, 'x');
    }
    await laterMillisecond();
    await replies(alice, second, 1, 'y');
    const paged = async (path) => {
      const found = [];
      for (let after = ''; after !== null;) {
        const page = await alice.api.ok(200, 'GET', `${path}limit=2${after && `&after=${encodeURIComponent(after)}`}`);
        found.push(...page.items);
        after = page.next;
      }
      return found;
    };
    const ofRoom = await paged(`/rooms/${room.id}/threads?`);
    assert.deepEqual(brief(ofRoom), [[2, 2, 2], [3, 1, 1], [1, 1, 1]]);
    assert.deepEqual(ofRoom.map(({ root, last_at: at }) => [root.body, root.thread_info.last_at === at]), [['root 1', true], ['root 2', true], ['root 0', true]]);
    const all = await paged('/users/me/threads?');
    assert.deepEqual(all.map(({ root, unread }) => [root.room === second.id, root.seq, unread]), [[true, 1, 0], [false, 2, 2], [false, 3, 1], [false, 1, 1]]);
    assert.deepEqual(brief(await paged('/users/me/threads?unread=true&')), [[2, 2, 2], [3, 1, 1], [1, 1, 1]]);
    assert.equal(await unreadThreads(alice, room), 3);
    await bob.api.ok(204, 'DELETE', `/rooms/${room.id}/members/${bob.username}`);
    assert.deepEqual((await followed(bob)).map(({ root }) => root.room), [], 'who has left follows nothing there');
  });

  it('a deletion leaves a thread in order, and a thread outlives its first message', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await alice.says(room, 'lunch?');
    for (const body of ['pizza', 'a secret']) await theirs.must('message', { room: room.id, body, thread: 1 });
    await alice.api.ok(200, 'PUT', `${rooted(room, 1)}/read`, { seq: 2 });
    assert.deepEqual(brief(await followed(alice, 'unread=true')), [[1, 2, 1]]);
    const { message } = await theirs.must('delete message', { room: room.id, seq: 3 });
    assert.deepEqual([message.thread, message.body], [1, '']);
    const told = await mine.until('message deleted');
    assert.deepEqual([told.ref, told.message.thread, told.message.thread_info.replies, told.message.thread_info.last_seq], [3, 1, 1, 2], 'with what is left of the thread');
    assert.deepEqual([await followed(alice, 'unread=true'), await unreadThreads(alice, room)], [[], 0]);
    assert.deepEqual((await one(carol, room, 1)).thread_info.replies, 1);
    assert.equal((await carol.sees(room)).unread, 1, 'of the room, nothing was deleted');
    assert.deepEqual((await messages(carol, room, 'thread=1')).map(({ body }) => body), ['pizza', '']);
    await alice.api.ok(204, 'DELETE', `/rooms/${room.id}/messages/1`);
    const root = await one(carol, room, 1);
    assert.deepEqual([root.body, root.thread_info.replies], ['', 1]);
    await replies(carol, room, 1, 'what was it about?');
    assert.equal(await unreadThreads(alice, room), 1, 'it goes on');
    const gone = await alice.api.ok(200, 'POST', `/rooms/${room.id}/messages/delete`, { seqs: [2, 6] });
    assert.deepEqual(gone.items, [2, 6]);
    assert.equal('thread_info' in (await one(carol, room, 1)), false);
    assert.deepEqual([(await threadsOf(carol, room)).items, await unreadThreads(alice, room)], [[], 0]);
  });

  it('who was away hears of a thread what the others have heard', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    const [mine, theirs] = await Promise.all([alice.connect(), bob.connect()]);
    await mine.must('message', { room: room.id, body: 'lunch?' });
    const { cursor } = await theirs.until('new message');
    theirs.close();
    await mine.must('message', { room: room.id, body: 'pizza', thread: 1 });
    await mine.must('message', { room: room.id, body: 'soup', thread: 1, also_in_room: true });
    await mine.must('edit message', { room: room.id, seq: 2, body: 'pizza!' });
    const back = await bob.connect({ cursor });
    const replayed = back.durable((data) => data.room === room.id).map(({ name, data }) => [name, data.seq, data.body ?? data.message.body, data.thread ?? data.message.thread, data.also_in_room]);
    assert.deepEqual(replayed, [['new message', 2, 'pizza!', 1, undefined], ['new message', 3, 'soup', 1, true], ['message edited', 4, 'pizza!', 1, undefined]]);
  });

  it('a crash in the middle of a thread loses nothing of it, and doubles nothing', async ({ start, stage }) => {
    const TOTAL = 400;
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob], { name: 'g' });
    await alice.says(room, 'root');
    const theirs = await bob.connect();
    const { cursor } = theirs;
    theirs.close();
    const request = (n) => ({ room: room.id, body: `${n}`, thread: 1, also_in_room: n % 10 === 0, nonce: `n-${n}` });
    const acked = new Map();
    const wire = await alice.connect({ checked: false });
    const enough = new Promise((done) => {
      pipelined(TOTAL, async (n) => {
        const ack = await wire.ask('message', request(n), 60_000);
        if (ack.ok) acked.set(n, ack.message.seq);
        if (acked.size >= TOTAL / 3) done();
      }).catch(() => {}); // the kill ends it
    });
    await within(30_000, enough, 'a third of the acknowledgements');
    await server.kill();
    await server.start();

    const again = await alice.connect();
    const sent = await pipelined(TOTAL, async (n) => {
      for (;;) {
        const ack = await again.ask('message', request(n));
        if (ack.ok) return ack.message;
        // services apart come back one after the other
        assert.equal(ack.error.code, 'busy', JSON.stringify(ack));
        await sleep(50);
      }
    });
    for (const [n, seq] of acked) assert.equal(sent[n].seq, seq, `message ${n} was acknowledged as ${seq}`);
    const back = await bob.connect({ cursor });
    await back.until('new message', ({ seq }) => seq === TOTAL + 1);
    const heard = back.durable((data) => data.room === room.id).map(({ data }) => data);
    assert.deepEqual(seqs(heard), Array.from({ length: TOTAL }, (_, n) => n + 2), 'each once, in order');
    assert.ok(heard.every(({ thread, body, also_in_room: also }) => thread === 1 && (also ?? false) === (body % 10 === 0)));
    const thread = [];
    for (let after = '0'; after !== null;) {
      const page = await bob.api.ok(200, 'GET', `/rooms/${room.id}/messages?thread=1&limit=100&after=${after}`);
      thread.push(...page.items);
      after = page.next;
    }
    assert.deepEqual(thread.map(({ seq, body }) => [seq, body]), heard.map(({ seq, body }) => [seq, body]));
    const root = await one(bob, room, 1);
    assert.deepEqual([root.thread_info.replies, root.thread_info.last_seq, root.thread_info.usernames], [TOTAL, TOTAL + 1, [alice.username]]);
    const seen = await bob.sees(room);
    assert.deepEqual([seen.head, seen.unread, seen.last_message.also_in_room], [TOTAL + 1, 1 + TOTAL / 10, true]);
    assert.deepEqual([await unreadThreads(alice, room), brief((await threadsOf(bob, room)).items)], [0, [[1, TOTAL, TOTAL]]]);
    assert.equal((await server.stop()).code, 0);
    const check = server.run(['check']);
    assert.equal(check.code, 0, `guild check: ${check.text}`);
  }, { timeout: 120_000 });

  it('what is no thread is refused, and says which field is wrong', async ({ people }) => {
    const [alice, bob, carol, room] = await group(people);
    const [dave] = await people('dave');
    const direct = await alice.room([bob]);
    const theirs = await bob.connect();
    await alice.says(room, 'root');
    await alice.says(direct, 'root');
    await replies(bob, room, 1, 'reply');
    await carol.api.ok(200, 'PUT', `/rooms/${room.id}/messages/1/reactions/x`);
    for (const [field, wrong] of [
      ['thread', { thread: 2 }], ['thread', { thread: 3 }], ['thread', { thread: 99 }], ['thread', { thread: 0 }], ['thread', { thread: 'x' }], ['thread', { thread: 1.5 }],
      ['also_in_room', { also_in_room: true }], ['also_in_room', { thread: 1, also_in_room: 'yes' }],
    ]) {
      assert.equal((await theirs.refused('invalid_request', 'message', { room: room.id, body: 'x', ...wrong })).field, field, JSON.stringify(wrong));
      assert.equal((await bob.api.refused('invalid_request', 'POST', `/rooms/${room.id}/messages`, { body: 'x', ...wrong })).field, field, JSON.stringify(wrong));
    }
    assert.equal((await theirs.refused('forbidden', 'message', { room: direct.id, body: 'x', thread: 1 })).field, 'thread');
    for (const thread of [2, 3, 99]) {
      assert.equal((await bob.api.refused('not_found', 'GET', `/rooms/${room.id}/messages?thread=${thread}`)).field, 'thread');
      assert.equal((await bob.api.refused('not_found', 'PUT', `${rooted(room, thread)}/follow`)).field, 'thread');
      assert.equal((await bob.api.refused('not_found', 'DELETE', `${rooted(room, thread)}/follow`)).field, 'thread');
      assert.equal((await bob.api.refused('not_found', 'PUT', `${rooted(room, thread)}/read`, { seq: 1 })).field, 'thread');
    }
    for (const method of ['PUT', 'DELETE']) {
      assert.equal((await bob.api.refused('forbidden', method, `${rooted(direct, 1)}/follow`)).field, 'thread');
      assert.equal((await bob.api.refused('invalid_request', method, `${rooted(room, 'x')}/follow`)).field, 'thread');
    }
    for (const seq of [-1, 1.5, 'x']) assert.equal((await bob.api.refused('invalid_request', 'PUT', `${rooted(room, 1)}/read`, { seq })).field, 'seq', JSON.stringify(seq));
    for (const path of [`/rooms/${room.id}/threads`, '/users/me/threads']) {
      assert.equal((await bob.api.refused('invalid_request', 'GET', `${path}?after=x`)).field, 'after');
      assert.equal((await bob.api.refused('invalid_request', 'GET', `${path}?limit=101`)).field, 'limit');
    }
    await dave.api.refused('not_found', 'GET', `/rooms/${room.id}/threads`);
    await dave.api.refused('not_found', 'PUT', `${rooted(room, 1)}/follow`);
    assert.deepEqual(await followed(dave), []);
    assert.equal((await alice.sees(room)).head, 3, 'a refusal writes nothing');
  });

  it('GraphQL tells threads, and what came in them', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    await alice.says(room, 'lunch?');
    for (const body of ['pizza', 'soup']) await replies(bob, room, 1, body);
    const query = `{
      me { threads(unread: true) { nodes { unread replies root { seq room { id } } } } }
      user(username: "${alice.username}") { threads { nodes { unread } } }
      room(id: "${room.id}") {
        unreadThreads
        threads(first: 1) { nodes { root { body } replies unread lastAt } pageInfo { hasNextPage } }
        messages(last: 5) { nodes { seq thread alsoInRoom threadInfo { replies lastSeq usernames }
          first: replies(first: 1) { nodes { seq body thread sender { username } } pageInfo { hasNextPage endCursor } }
          rest: replies(first: 2, after: "2") { nodes { seq threadInfo { replies } replies(first: 1) { nodes { seq } } } pageInfo { hasNextPage } } } }
      } }`;
    const { data, errors } = await alice.api.ok(200, 'POST', '/graphql', { query });
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.deepEqual(data.me.threads.nodes, [{ unread: 2, replies: 2, root: { seq: 1, room: { id: room.id } } }]);
    assert.equal(data.user.threads, null, 'only "me" tells what one follows');
    assert.equal(data.room.unreadThreads, 1);
    const [thread] = data.room.threads.nodes;
    assert.deepEqual([thread.root.body, thread.replies, thread.unread, typeof thread.lastAt, data.room.threads.pageInfo.hasNextPage], ['lunch?', 2, 2, 'string', false]);
    const [root, ...more] = data.room.messages.nodes;
    assert.deepEqual([root.thread, root.alsoInRoom, root.threadInfo, more], [null, false, { replies: 2, lastSeq: 3, usernames: [bob.username] }, []]);
    assert.deepEqual(root.first, { nodes: [{ seq: 2, body: 'pizza', thread: 1, sender: { username: bob.username } }], pageInfo: { hasNextPage: true, endCursor: '2' } });
    assert.deepEqual(root.rest, { nodes: [{ seq: 3, threadInfo: null, replies: { nodes: [] } }], pageInfo: { hasNextPage: false } });
    const { data: again } = await bob.api.ok(200, 'POST', '/graphql', { query: '{ me { threads { nodes { unread } } } }' });
    assert.deepEqual(again.me.threads.nodes, [{ unread: 0 }]);
  });

  it('a search finds what was said in a thread', async ({ people }) => {
    const [alice, bob, , room] = await group(people);
    await alice.says(room, 'lunch?');
    await replies(bob, room, 1, 'quattrostagioni');
    const find = async () => (await alice.api.ok(200, 'GET', '/messages/search?q=quattrostagioni')).items;
    const [found] = await eventually('it is found', async () => ((await find()).length ? find() : undefined));
    assert.deepEqual([found.message.seq, found.message.thread], [2, 1]);
  });
});
