// The promise: a message that was acknowledged is on disk, and every member gets it exactly once, in order, whatever crashes
// in between. The server is killed (kill -9) in the middle of a burst, again and again; senders retry by nonce, receivers
// resume by cursor; and at the end every receiver is held to account for every seq that it saw (lib/account.mjs).

import assert from 'node:assert/strict';
import { Account } from '../lib/account.mjs';
import { shape } from '../lib/server.mjs';
import { story } from '../lib/story.mjs';
import { pipelined, within } from '../lib/wait.mjs';

const KILLS = 6;
const EACH = 900; // messages per sender
const OUTSTANDING = 8; // sends that a sender does not wait for

story('kill -9 in the middle of a burst', { timeout: 240_000 }, (it) => {
  it(`${KILLS} kills, thousands of acknowledged messages: for every receiver none is lost, doubled or out of order`, async ({ start, stage, t }) => {
    const server = await start();
    const account = await Account.open(stage, server);
    const total = account.senders.length * EACH;
    account.talk({ each: EACH, outstanding: OUTSTANDING });
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await account.reached(Math.floor((total * kill) / (KILLS + 1)));
      assert.ok(account.acks < total, 'there is still a burst to be killed');
      await server.kill();
      await server.start();
    }
    await account.reached(total, 90_000);
    const said = await account.finish();
    assert.equal(account.acks, total);
    assert.ok(account.visitor.times >= KILLS, `${account.visitor.times} visits`);
    assert.ok(account.retries > 0, 'the kills met sends in flight');
    for (const { person, connections } of account.receivers) assert.ok(connections >= 2, `${person.username} came back after the crashes`);
    // services apart come back one after the other, and say so meanwhile
    if (shape !== 'apart') assert.equal(account.busy, 0, 'one process has nobody to wait for');
    const end = await server.stop();
    assert.equal(end.code, 0);
    const check = server.run(['check']);
    assert.equal(check.code, 0, `guild check: ${check.text}`);
    t.diagnostic(said);
  }, { timeout: 200_000 });

  it('what one kill leaves behind passes guild check, before any server has touched it again', async ({ start, stage }) => {
    const server = await start();
    const [alice, bob] = await stage.peopleOn(server, 'alice', 'bob');
    const room = await alice.room([bob]);
    const wire = await alice.connect({ checked: false });
    let acks = 0;
    const enough = new Promise((done) => {
      pipelined(20_000, async (n) => {
        if ((await wire.ask('message', { room: room.id, body: `${n}` }, 60_000)).ok) acks += 1;
        if (acks >= 500) done();
      }).catch(() => {}); // the kill ends it
    });
    await within(30_000, enough, '500 acks');
    await server.kill();
    const check = server.run(['check']);
    assert.equal(check.code, 0, check.text);
    await server.start();
    assert.ok((await alice.sees(room)).head >= acks, `${acks} were acknowledged`);
  });
});
