// When one machine is not enough, any of them can be lost: a process of any service, NATS, PostgreSQL. What is left goes on,
// or says `busy`; sockets of what lives stay; and what was acknowledged reaches every member exactly once, in order.

import assert from 'node:assert/strict';
import { Account } from '../lib/account.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { story } from '../lib/story.mjs';
import { eventually, sleep } from '../lib/wait.mjs';

/** How everybody talks: all the time, but not so much that the talk itself is the load. */
const TALK = { outstanding: 4, pause: 20 };
/** Acknowledgements that show that the service works. */
const SOME = 150;
/** How long a call that a lost process had begun may be waited for, and a little more. */
const CALL_MS = 10_000;
/** "Within seconds", on a shared machine. */
const SECONDS_MS = 10_000;
/** How long an outage lasts. */
const AWAY_MS = 2_000;
/** The lease of a gateway, and the promise about it. */
const LEASE_MS = 15_000;
const OFFLINE_WITHIN_MS = 16_000;

/** While something that all need is away: sends are refused as `busy` in time, no socket is lost, and all goes on by itself. */
async function outage({ server, stage, t }, what, takeAway, giveBack) {
  const [prober, late] = await stage.peopleOn(server, 'prober', 'late');
  const room = await prober.room([], { name: 'probe' });
  const probe = await prober.connect();
  const account = await Account.open(stage, server);
  account.talk(TALK);
  await account.more(SOME, SECONDS_MS);
  const before = account.connections;

  await takeAway();
  const away = performance.now();
  // a stock client that happens to come now keeps trying by itself
  const comer = late.wire({ auth: { token: late.token }, extra: { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 } });
  let slowest = 0;
  let refused = 0;
  while (performance.now() - away < AWAY_MS) {
    const began = performance.now();
    const ack = await probe.ask('message', { room: room.id, body: 'is anybody there?' }, CALL_MS);
    slowest = Math.max(slowest, performance.now() - began);
    assert.equal(ack.ok, false, `${what} is away, and a message was acknowledged`);
    assert.equal(ack.error.code, 'busy', JSON.stringify(ack));
    refused += 1;
    await sleep(50);
  }
  assert.equal(probe.io.connected, true, 'sockets stay');
  for (const path of [`/rooms/${room.id}/messages`, '/users/me/rooms']) await prober.api.refused('busy', 'GET', path);
  assert.equal(comer.count('ready'), 0);
  const atRest = account.acks;

  await giveBack();
  const back = performance.now();
  await eventually('a send is taken again', async () => (await probe.ask('message', { room: room.id, body: 'and on' }, CALL_MS)).ok, SECONDS_MS);
  const taken = performance.now() - back;
  await probe.until('new message', ({ body }) => body === 'and on', SECONDS_MS);
  await comer.until('ready', undefined, SECONDS_MS);
  await account.more(SOME, SECONDS_MS);
  await account.arrived(SECONDS_MS);
  const arrived = performance.now() - back;
  assert.equal(probe.io.connected, true, 'sockets stay');
  assert.equal(account.connections, before, 'nobody had to come back');
  assert.ok(account.acks > atRest && account.busy > 0);
  const said = await account.finish();
  t.diagnostic(`${what} away: ${refused} sends refused, the slowest after ${Math.round(slowest)} ms; back: taken again after ${Math.round(taken)} ms, all arrived after ${Math.round(arrived)} ms; ${said}`);
}

story('outages', { timeout: 400_000, settings: { GUILD_LIMITS_PRESENCE_SECONDS: '1' } }, (it) => {
  it('each process of each service is killed -9 while everybody talks: the others go on, and nothing is lost, doubled or out of order', async ({ start, stage, t }) => {
    const server = await start();
    const account = await Account.open(stage, server);
    account.talk(TALK);
    const waits = [];
    for (const one of server.processes) {
      await account.more(SOME, SECONDS_MS);
      await one.kill();
      const took = await account.more(SOME, CALL_MS);
      waits.push(`${one.name} ${Math.round(took)}`);
      await server.start(); // what is missing
    }
    assert.ok(account.retries > 0, 'the kills met sends in flight');
    const said = await account.finish();
    const end = await server.stop();
    assert.equal(end.code, 0, server.tail());
    const check = server.run(['check']);
    assert.equal(check.code, 0, `guild check: ${check.text}`);
    t.diagnostic(`${said}; ms for ${SOME} acknowledgements after the loss of: ${waits.join(', ')}`);
  }, { timeout: 150_000 });

  it('NATS is killed and comes back: sends are busy meanwhile, sockets stay, and everything arrives within seconds', async ({ start, stage, t }) => {
    const server = await start();
    await outage({ server, stage, t }, 'NATS', () => server.nats.kill(), () => server.nats.start());
  }, { timeout: 120_000 });

  it('PostgreSQL is killed -9 and comes back: sends are busy meanwhile, sockets stay, and it goes on by itself', async ({ start, stage, t }) => {
    const postgres = await Postgres.start();
    const server = await start({ postgres });
    await outage({ server, stage, t }, 'PostgreSQL', () => postgres.crash(), () => postgres.restart());
    await server.stop();
    const check = server.run(['check']);
    assert.equal(check.code, 0, `guild check: ${check.text}`);
  }, { timeout: 120_000 });

  it('a cursor of one chat process is taken up by the other, also where that one has never seen its user', async ({ server, people }) => {
    const [alice, bob] = await people('alice', 'bob');
    const [room, other] = [await alice.room([bob]), await alice.room([bob], { name: 'other' })];
    const [one, two] = server.of('chat').map(({ url }) => url);
    const first = await bob.connect({ at: one });
    await alice.says(room, '1');
    await alice.says(other, '1');
    await first.untilTrue('both', () => first.count('new message') === 2);
    await first.drop();
    await alice.says(room, '2');
    await alice.says(other, '2');
    let { cursor } = first;
    for (const [turn, at] of [two, one, two].entries()) {
      const again = await bob.connect({ at, cursor });
      assert.equal(again.all('ready')[0].resumed, true);
      assert.deepEqual(again.all('new message').map(({ room: id, body }) => [id, body]).sort(), [[room.id, String(turn + 2)], [other.id, String(turn + 2)]].sort());
      await again.drop();
      for (const { id } of [room, other]) await alice.says(id, String(turn + 3));
      cursor = again.cursor;
    }
    // the same from the beginning, at both, while both hear what happens now
    const both = await Promise.all([one, two].map((at) => bob.connect({ at, cursor: first.all('ready')[0].cursor })));
    await alice.says(room, 'live');
    for (const wire of both) {
      await wire.until('new message', ({ body }) => body === 'live');
      assert.deepEqual(wire.all('new message', (message) => message.room === room.id).map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
    }
  });

  it('presence is whole across the chat processes', async ({ server, people }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    await alice.room([bob]);
    await carol.room([bob]);
    const [one, two] = server.of('chat').map(({ url }) => url);
    const watcher = await bob.connect({ at: two });
    const mine = await alice.connect({ at: one });
    await watcher.until('user online', ({ username }) => username === alice.username);
    await carol.connect({ at: two });
    await watcher.until('user online', ({ username }) => username === carol.username);
    const online = async () => (await bob.api.ok(200, 'GET', '/users/online?limit=100')).items.map(({ username }) => username);
    await eventually('all are listed', async () => {
      const names = await online();
      return [alice, bob, carol].every(({ username }) => names.includes(username));
    });
    // somebody who is at both is gone when the last socket is
    const elsewhere = await alice.connect({ at: two });
    mine.close();
    await watcher.settled((await bob.room([], { name: 'own' })).id);
    await sleep(1_500); // the delay after the last socket is 1 s here
    assert.equal(watcher.count('user offline'), 0, 'the other socket is enough');
    assert.equal(watcher.count('user online', ({ username }) => username === alice.username), 1, 'and no news');
    elsewhere.close();
    await watcher.until('user offline', ({ username }) => username === alice.username);
    assert.equal((await online()).includes(alice.username), false);
  });

  it(`the users of a gateway that died are offline within ${OFFLINE_WITHIN_MS / 1000} s, but not those who came back elsewhere`, async ({ server, people, t }) => {
    const [alice, bob, carol] = await people('alice', 'bob', 'carol');
    await alice.room([bob]);
    await carol.room([bob]);
    const [doomed, other] = server.of('chat');
    const watcher = await bob.connect({ at: other.url });
    await alice.connect({ at: doomed.url });
    const cut = await carol.connect({ at: doomed.url });
    for (const { username } of [alice, carol]) await watcher.until('user online', (one) => one.username === username);
    await doomed.kill();
    const died = performance.now();
    await carol.connect({ cursor: cut.cursor }); // by the ingress, which finds who is left
    await watcher.until('user offline', ({ username }) => username === alice.username, LEASE_MS + SECONDS_MS);
    const took = performance.now() - died;
    assert.ok(took < OFFLINE_WITHIN_MS, `offline after ${Math.round(took)} ms`);
    const online = (await bob.api.ok(200, 'GET', '/users/online?limit=100')).items.map(({ username }) => username);
    assert.equal(online.includes(alice.username), false);
    assert.equal(online.includes(carol.username), true);
    assert.equal(watcher.count('user offline', ({ username }) => username === carol.username), 0, 'who came back was never away');
    await server.start(); // what is missing
    t.diagnostic(`offline ${Math.round(took)} ms after the gateway's death`);
  });
});
