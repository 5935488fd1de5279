// A standby that lagged is promoted while everybody goes on: what the old primary alone had acknowledged is gone, positions and seqs that
// people have seen are given to other rows, and no process of the service was restarted. Nothing that the survivor has acknowledged may be
// lost, doubled or hidden by what anybody remembers of the part that is gone: writers, gateways, clients with their cursors.

import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { allRight, Follower, truthFor } from '../lib/follower.mjs';
import { Forwarder } from '../lib/forwarder.mjs';
import { Api } from '../lib/http.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { story } from '../lib/story.mjs';
import { eventually } from '../lib/wait.mjs';

/** "Within seconds", on a shared machine. */
const SECONDS_MS = 15_000;
/** How long a call may be waited for that was begun when the server was lost. */
const CALL_MS = 20_000;
const PARTITIONS = 4;
const ONE_PROCESS = 'it stops some processes while others go on';

/** In which partition of the log a room stands (crates/messages/src/partitions.rs): some stay quiet here, in some more is said than was lost. */
const partition = (room) => parseInt(room.id.slice(-2), 16) % PARTITIONS;

/** A room that stands where `fits` says; tells of others that chance has put elsewhere. */
async function roomIn(make, fits) {
  for (let n = 0; ; n += 1) {
    const room = await make(n);
    if (fits(partition(room))) return room;
  }
}

/** Two PostgreSQL servers, one of which follows the other, and the service, which knows one address for both. */
async function house({ start, t }) {
  const primary = await Postgres.start({ synced: false });
  const standby = await primary.standby();
  const forwarder = await new Forwarder(primary.port).listen();
  t.after(async () => {
    forwarder.close();
    for (const one of [primary, standby]) if (one.child.exitCode === null && one.child.signalCode === null) await one.crash();
  });
  const url = new URL(await primary.database());
  url.port = forwarder.port;
  const server = await start({ settings: { GUILD_DATABASE_URL: url.href } });
  const chats = server.of('chat').map((one) => one.url);
  const pids = server.processes.map((one) => one.child.pid);
  return {
    primary, standby, forwarder, server,
    gateways: chats.length ? chats : [server.url, server.url],
    /** From now on the standby gets nothing that is committed. */
    async part() {
      await standby.hasAllOf(primary);
      await standby.cutOff();
    },
    /** Fails unless every process is the one that it was at the beginning. */
    livesOn() {
      assert.ok(server.alive, 'every process lives');
      assert.deepEqual(server.processes.map((one) => one.child.pid), pids, 'and is the same');
    },
    check() {
      // not through the forwarder, which is in this process and would wait for it
      url.port = standby.port;
      const check = server.run(['check'], { settings: { GUILD_DATABASE_URL: url.href } });
      assert.equal(check.code, 0, `guild check: ${check.text}`);
    },
  };
}

/** A message in a line. */
const told = ({ seq, id, body }) => `${seq} ${body} ${id}`;

/** What the survivor has acknowledged: room → messages. */
class Kept {
  #rooms = new Map();

  add(...messages) {
    for (const one of messages) this.#rooms.set(one.room, [...(this.#rooms.get(one.room) ?? []), one]);
  }

  of(room) {
    return (this.#rooms.get(room.id) ?? []).sort((a, b) => a.seq - b.seq).map(told);
  }

  /** The history holds these, each once, and nothing else; where nothing but messages was in the room, they are 1, 2, 3, … */
  async stand(person, room, onlyMessages) {
    const { items } = await person.api.ok(200, 'GET', `/rooms/${room.id}/messages?limit=100&after=0`);
    assert.deepEqual(items.map(told), this.of(room), `the history of ${room.name}`);
    if (onlyMessages) assert.deepEqual(items.map(({ seq }) => seq), items.map((_, n) => n + 1), `the seqs of ${room.name}`);
  }
}

/** A subscription to what is said in a room, with a stock client of GraphQL: what it heard, and whether it was told that it has ended. */
function subscribed(person, room) {
  const heard = [];
  const over = { yet: false };
  const client = createClient({
    url: `${person.server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${person.token}` }, retryAttempts: 0,
  });
  const ended = (how) => Object.assign(over, { yet: true, how });
  const query = 'subscription ($room: ID!) { newMessage(room: $room) { seq body id } }';
  client.subscribe({ query, variables: { room: room.id } }, {
    next: ({ data, errors }) => heard.push(data ? told(data.newMessage) : JSON.stringify(errors)),
    error: (error) => ended(Array.isArray(error) ? error[0].message : `closed (${error?.code ?? error})`),
    complete: () => ended('complete'),
  });
  return { heard, over, close: () => client.dispose() };
}

/** At each gateway a client with a cursor of the part that is gone is told to resync. */
async function refusedAt(gateways, people, cursors) {
  for (const [n, at] of gateways.entries()) {
    const wire = await people[n].connect({ at, cursor: cursors[n] });
    assert.deepEqual([wire.count('resync'), wire.all('ready')[0].resumed], [1, false], `${people[n].username}, at ${at}, with ${cursors[n]}: ${wire.told()}`);
    wire.close();
  }
}

const many = (count, one) => Promise.all(Array.from({ length: count }, (_, n) => one(n)));

story('a standby that lagged is promoted', { server: false, timeout: 300_000 }, (it) => {
  it('everything goes on with what the survivor has: nothing of that is lost, doubled or hidden, and who saw more is told', async ({ start, stage, t }) => {
    const { primary, standby, forwarder, server, gateways, ...at } = await house({ start, t });
    const [one, two] = gateways;
    const people = await stage.peopleOn(server, 'alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'greta', 'henry');
    const [alice, bob, carol, dave, erin, frank, greta, henry] = people;

    // Rooms in every partition. In those of 2 and 3 nothing is said between the cut and the promotion: frank is in no others.
    const everybody = [bob, carol, dave, erin];
    const rooms = [];
    for (let n = 0; n < PARTITIONS; n += 1) rooms.push(await roomIn(() => alice.room(n < 2 ? everybody : [...everybody, frank], { name: `room ${n}` }), (part) => part === n));
    const [little, much, ...quiet] = rooms;
    const channel = await roomIn(() => alice.room([], { kind: 'channel', name: 'in and out' }), (part) => part < 2);
    const followers = [[alice, one], [bob, two], [carol, one], [dave, two], [erin, one], [frank, two], [greta, one], [henry, two]].map(([person, gateway]) => new Follower(person, gateway));
    await Promise.all(followers.map((follower) => follower.connect()));
    const [a, b, c, d, e, f, g, h] = followers;

    // 1. What both servers have.
    const kept = new Kept();
    for (const follower of [b, h]) assert.equal((await follower.asks('join room', { room: channel.id })).ok, true);
    for (const talker of [a, b]) for (const room of [...rooms, channel]) kept.add(...await many(3, (n) => talker.says(room, `early ${n} of ${talker.name} in ${room.name}`)));
    assert.equal((await b.asks('leave room', { room: channel.id })).ok, true);
    assert.equal((await b.asks('join room', { room: channel.id })).ok, true);
    const named = await roomIn(() => alice.room([bob], { name: 'to be named' }), (part) => part < 2);
    await alice.api.ok(200, 'PATCH', `/rooms/${named.id}`, { name: 'named early' });
    const subscription = subscribed(carol, much);
    await eventually('the subscription hears', async () => {
      kept.add(await b.says(much, `does carol hear? ${kept.of(much).length}`));
      return subscription.heard.length > 0;
    });
    await carol.api.ok(200, 'PUT', `/rooms/${little.id}/read`, { seq: 4 });
    await allRight(followers);
    await d.leave();
    const cut = kept.of(much).length;
    await at.part();

    // 2. What the primary alone has. Everybody sees it.
    const lost = await many(30, (n) => (n % 2 ? a : b).says(n < 15 ? little : much, `lost ${n}`));
    await alice.api.ok(200, 'PATCH', `/rooms/${named.id}`, { name: 'named in vain' });
    await carol.api.ok(200, 'PUT', `/rooms/${little.id}/read`, { seq: 21 });
    assert.equal((await g.asks('join room', { room: channel.id })).ok, true);
    assert.equal((await h.asks('leave room', { room: channel.id })).ok, true);
    const made = { usernames: [bob.username], name: 'lost room', nonce: 'the lost room' };
    const { room: lostRoom } = await a.asks('create room', made);
    lost.push(await a.says(lostRoom, 'is anybody in here?'));
    const [ivy] = await stage.peopleOn(server, 'ivy');
    const i = await new Follower(ivy, one).connect();
    await allRight([a, b, c, e, f, g, h]);
    await e.leave();

    // 3. The primary is lost, and its standby takes over. Two people talk all the time.
    await primary.crash();
    const died = performance.now();
    const meanwhile = Promise.all([[a, little], [b, quiet[0]]].map(([talker, room]) => talker.says(room, `said by ${talker.name} into the outage`)));
    await eventually('a send is refused', () => a.busy > 0 && b.busy > 0, CALL_MS);
    await standby.promote();
    forwarder.turn(standby.port);
    const turned = performance.now();
    kept.add(...await meanwhile);
    const taken = performance.now();
    assert.ok(taken - turned < SECONDS_MS, `sends were taken again only after ${Math.round(taken - turned)} ms`);

    // 4. People go on: in one room with less than was lost, in one with more, in those where nothing was lost with something.
    kept.add(...await Promise.all([
      ...Array.from({ length: 4 }, (_, n) => a.says(little, `late ${n}`)),
      ...Array.from({ length: 40 }, (_, n) => b.says(much, `late ${n}`)),
      ...quiet.flatMap((room) => [a, b].map((talker) => talker.says(room, `late of ${talker.name}`))),
      a.says(channel, 'late'),
    ]));
    const said = performance.now();
    await allRight([a, b, c, f, g, h], SECONDS_MS);
    for (const follower of [a, b, c]) assert.ok(follower.resyncs > 0, `${follower.name} has seen what is gone, and was told`);
    const right = performance.now();
    at.livesOn();

    // What is gone is gone, for whoever remembers it.
    await eventually('the token of somebody who is nobody now is refused', async () => (await ivy.api.get('/users/me/rooms')).status === 401, SECONDS_MS);
    await eventually('and their socket is cut', () => !i.wire.io.connected, SECONDS_MS);
    await a.wire.refused('not_found', 'message', { room: lostRoom.id, body: 'still?' });
    await alice.api.refused('not_found', 'GET', `/rooms/${lostRoom.id}`);
    await g.wire.refused('forbidden', 'message', { room: channel.id, body: 'let me in' });
    assert.deepEqual((await truthFor(alice))[channel.id].members, [alice, bob, henry].map(({ username }) => username).sort());
    assert.equal((await alice.sees(named)).name, 'named early');
    assert.equal((await carol.sees(little)).read, 4, 'the read mark is the survivor\'s');

    // All of it can be done again, once.
    assert.equal((await carol.api.ok(200, 'PUT', `/rooms/${little.id}/read`, { seq: 9 })).read, 9);
    const nonce = lost.find(({ room, sender }) => room === little.id && sender === alice.username);
    const again = await a.says(little, nonce.body, nonce.nonce);
    assert.notEqual(again.id, nonce.id);
    assert.deepEqual(await a.says(little, nonce.body, nonce.nonce), again, 'once');
    kept.add(again, await b.says(much, 'another text', lost.find(({ room, sender }) => room === much.id && sender === bob.username).nonce));
    const { room: madeAgain, created } = await a.asks('create room', made);
    assert.equal(created, true);
    assert.notEqual(madeAgain.id, lostRoom.id);
    assert.equal((await g.asks('join room', { room: channel.id })).room.member_count, 4);
    assert.equal((await h.asks('leave room', { room: channel.id })).room.member_count, 3);
    await alice.api.ok(200, 'PATCH', `/rooms/${named.id}`, { name: 'named late' });
    kept.add(await g.says(channel, 'in at last'));

    // Who comes back with a cursor of the part that is gone is told, at either gateway, whatever the survivor has given its positions to.
    // One of before is resumed, or told: what it shows is right in the end.
    await refusedAt(gateways, [erin, erin], [e.cursor, e.cursor]);
    await e.connect(two);
    await d.connect(one);
    await allRight(followers);

    // From here on all is as ever: live events come, nobody is told again, and a new cursor is good at the other gateway.
    const before = followers.map(({ resyncs }) => resyncs);
    for (const room of [...rooms, channel]) for (const talker of [a, b]) kept.add(await talker.says(room, `as ever, ${talker.name}`));
    await allRight(followers);
    await c.leave();
    kept.add(await a.says(much, 'while carol is away'));
    await c.connect(two);
    assert.equal(c.resumed.at(-1), true, 'a cursor of after is taken up');
    await allRight(followers);
    assert.deepEqual(followers.map(({ resyncs }) => resyncs), before, 'nobody is told twice');

    for (const room of rooms) await kept.stand(bob, room, true);
    await kept.stand(bob, channel);
    const late = kept.of(much).slice(cut);
    await eventually('the subscription has heard everything, or was told that it ends', () => subscription.over.yet || late.every((text) => subscription.heard.includes(text)), SECONDS_MS);
    subscription.close();
    at.livesOn();
    at.check();
    t.diagnostic(`taken again ${Math.round(taken - turned)} ms after the promotion (${Math.round(taken - died)} ms after the loss, ${a.busy + b.busy} answers "busy"); all were right ${Math.round(right - said)} ms after the last word; frank, in whose rooms nothing was lost, was told to resync ${f.resyncs} times; the subscription ${subscription.over.yet ? `ended: ${subscription.over.how}` : 'went on'}`);
  }, { timeout: 120_000 });

  it('nobody says anything: who has seen what is gone is told all the same; before the standby is promoted everything is busy', async ({ start, stage, t }) => {
    const { primary, standby, forwarder, server, gateways, ...at } = await house({ start, t });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob], { name: 'room' });
    const [a, b] = await Promise.all([alice, bob].map((person, n) => new Follower(person, gateways[n]).connect()));
    await a.says(room, 'early');
    await at.part();
    await many(5, (n) => a.says(room, `lost ${n}`));
    await allRight([a, b]);
    const cursors = [a, b].map(({ wire }) => wire.cursor);

    // The address leads to the standby before that is a server which takes writes.
    await primary.crash();
    forwarder.turn(standby.port);
    await eventually('the service is connected to the standby', () => forwarder.joined > 0, CALL_MS);
    for (let n = 0; n < 3; n += 1) assert.equal((await a.wire.ask('message', { room: room.id, body: 'too early' }, CALL_MS)).error?.code, 'busy');
    await alice.api.refused('busy', 'POST', `/rooms/${room.id}/messages`, { body: 'too early' });
    await standby.promote();
    const promoted = performance.now();
    for (const follower of [a, b]) await eventually(`${follower.name} is told`, () => follower.resyncs > 0, SECONDS_MS);
    const told = [a, b].map(({ resyncAt }) => Math.round(resyncAt - promoted));
    await allRight([a, b]);
    await Promise.all([a.says(room, 'late of alice'), b.says(room, 'late of bob')]);
    await allRight([a, b]);
    assert.equal((await alice.sees(room)).head, 3);
    await refusedAt(gateways, [alice, bob], cursors);
    at.livesOn();
    at.check();
    t.diagnostic(`resync ${told.join(' and ')} ms after the promotion`);
  });

  it('a writer and gateways that look only when the survivor has written more than was lost notice it too', async ({ start, stage, t }) => {
    const { primary, standby, forwarder, server, gateways, ...at } = await house({ start, t });
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const [room, other] = [await alice.room([bob], { name: 'room' }), await alice.room([bob], { name: 'other' })];
    const [a, b] = await Promise.all([alice, bob].map((person, n) => new Follower(person, gateways[n]).connect()));
    const [first, second] = server.of('messages').map((one) => new Api(Object.create(server, { url: { value: one.url } }), alice.token));
    const kept = new Kept();
    const say = (api, to, body) => eventually(`"${body}" is taken`, async () => {
      const answer = await api.post(`/rooms/${to.id}/messages`, { body, nonce: body });
      if (answer.status !== 503) assert.ok(answer.status === 201 || answer.status === 200, answer.text);
      return answer.status !== 503 && answer.body;
    }, CALL_MS);
    for (const api of [first, second]) for (const to of [room, other]) kept.add(await say(api, to, `early ${kept.of(to).length}`));
    await at.part();
    // The first writer alone has written what is lost, and remembers it.
    for (const to of [room, other]) for (let n = 0; n < 10; n += 1) await say(first, to, `lost ${n} in ${to.name}`);
    await allRight([a, b]);
    const cursors = [a, b].map(({ wire }) => wire.cursor);

    const paused = [...server.of('chat'), server.of('messages')[0]];
    for (const one of paused) one.child.kill('SIGSTOP');
    try {
      await primary.crash();
      await standby.promote();
      forwarder.turn(standby.port);
      await eventually('the second writer is ready', async () => (await fetch(`${server.of('messages')[1].url}/readyz`)).ok, SECONDS_MS);
      // The room that the first writer remembers gets less than was lost, its partition more.
      for (let n = 0; n < 4; n += 1) kept.add(await say(second, room, `late ${n}`));
      for (let n = 0; n < 25; n += 1) kept.add(await say(second, other, `late ${n}`));
      const filler = await roomIn(() => second.ok(201, 'POST', '/rooms', { usernames: [bob.username], name: 'filler' }), (part) => part === partition(room));
      for (let n = 0; n < 25; n += 1) kept.add(await say(second, filler, `late ${n}`));
    } finally {
      for (const one of paused) one.child.kill('SIGCONT');
    }
    await eventually('the first writer is ready', async () => (await fetch(`${server.of('messages')[0].url}/readyz`)).ok, SECONDS_MS);
    for (const to of [room, other]) kept.add(await say(first, to, `last in ${to.name}`));
    await allRight([a, b], SECONDS_MS);
    for (const to of [room, other]) await kept.stand(bob, to, true);
    await refusedAt(gateways, [alice, bob], cursors);
    at.livesOn();
    at.check();
  }, { not: { postgres: ONE_PROCESS } });
});
