// compose.yaml as it stands, with people who talk to it: one node that crashes, is stopped, and is cut off; a backup of its volume while it runs,
// and the same restored into a new one.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Compose } from './composed.mjs';
import { Faults } from './faults.mjs';
import { command, ready } from './one_node.mjs';
import { folder } from './podman.mjs';
import { lib, stories, Talk } from './talk.mjs';

const URL = 'http://127.0.0.1:8080';
const part = 'compose.yaml';

/** A backup while everybody talks, as docs/operators.md says: with SQLite's own shell, from a container beside the node. */
async function backup(podman, volume) {
  const at = join(folder, 'backup');
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at, { recursive: true });
  await podman.do('run', '--rm', '-v', `${volume}:/data`, '-v', `${at}:/backup`, 'sqlite:3', '/data/guild.db', '.backup /backup/copy.db');
  return at;
}

/** Into a new volume, as the user of the image, who owns it. */
async function restore(podman, from, volume, image) {
  await podman.do('run', '--rm', '-v', `${volume}:/data`, '-v', `${from}:/backup:ro`, '--entrypoint', 'cp', image, '/backup/copy.db', '/data/guild.db');
  const run = (...args) => podman.do('run', '--rm', '-v', `${volume}:/data`, image, ...args);
  const epoch = await run('epoch', 'new');
  return { epoch, check: await run('check') };
}

export async function compose({ podman, health, table, limits }) {
  const { Outside } = await lib('outside');
  const { Stage } = await lib('stage');
  const at = new Compose(podman, 'compose.yaml', limits);
  const began = performance.now();
  await at.up(health, ['guild']);
  const node = await at.container('guild');
  table.saw(part, 'up', `${node} is healthy after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  table.saw(part, 'stories from outside', await stories(URL, 'near', 'flow', 'resume'));

  const faults = new Faults(podman);
  const talk = await Talk.open(URL);
  let kept;
  let volume;
  let image;
  try {
    for (let n = 1; n <= 3; n += 1) table.saw(part, `kill -9, time ${n}`, `its restart policy starts it again; ${await talk.through(() => faults.crash(node))}`);
    let seconds;
    const stopped = await talk.through(async () => {
      seconds = await faults.stop(node, () => at.stop('guild'));
      await faults.start(node);
    });
    table.saw(part, 'stop, and start again', `ended with 0 after ${seconds} s; ${stopped}`);
    const { Mounts, Config, NetworkSettings } = await podman.inspect(node);
    const [network] = Object.keys(NetworkSettings.Networks);
    table.saw(part, 'its network is cut and comes back', await talk.through(() => faults.partition(node, network)));
    volume = Mounts.find(({ Destination }) => Destination === '/data').Name;
    image = Config.Image;
    // What is acknowledged when the backup begins is in it.
    const acked = talk.account.senders.flatMap((one) => one.acked.slice());
    kept = { acked, cursors: talk.account.receivers.map(({ wire }) => wire.cursor), people: talk.account.receivers.map(({ person }) => person) };
    kept.at = await backup(podman, volume);
    table.saw(part, `a backup of the volume ${volume} while everybody talks`, `${acked.length} messages were acknowledged when it began`);
    await talk.account.more(30, 30_000);
    table.saw(part, 'the account', await talk.finish());
  } finally {
    await talk.end();
  }
  const check = await podman.do('exec', node, 'guild', 'check');
  table.saw(part, 'guild check', check.split('\n').at(-1));
  await at.down();

  // The command of README.md over another volume.
  const restored = await restore(podman, kept.at, 'restored', image);
  const args = command().map((one) => one.replace(/^guild:\/data$/, 'restored:/data'));
  await podman.do(...args);
  const took = await ready(podman, args[args.indexOf('--name') + 1]);
  const stage = new Stage();
  const server = new Outside(URL);
  const [person] = kept.people;
  const again = await stage.login(server, person.username, person.password);
  // Their old cursor means nothing here, and they are told so.
  const wire = await again.connect({ cursor: kept.cursors[0] });
  assert.equal(wire.all('ready')[0].resumed, false);
  assert.equal(wire.count('resync'), 1, 'a cursor of before is answered with resync');
  let found = 0;
  for (const room of new Set(kept.acked.map(({ room: id }) => id))) {
    const member = kept.people.find(({ username }) => kept.acked.some((one) => one.room === room && one.sender === username));
    const { api } = await stage.login(server, member.username, member.password);
    const has = new Map();
    for (let after = '0'; after !== null;) {
      const page = await api.ok(200, 'GET', `/rooms/${room}/messages?limit=100&after=${after}`);
      for (const one of page.items) has.set(one.seq, one.id);
      after = page.next;
    }
    for (const { room: id, seq, id: message } of kept.acked) {
      if (id !== room) continue;
      assert.equal(has.get(seq), message, `seq ${seq} of ${room} is in the backup`);
      found += 1;
    }
  }
  assert.equal(found, kept.acked.length);
  await stage.clear();
  table.saw(part, 'restored into a new volume', `${restored.epoch.split('\n').at(-1)}; guild check: ${restored.check.split('\n').at(-1)}; ready after ${took} s; all ${found} are there; an old cursor gets resync`);
}
