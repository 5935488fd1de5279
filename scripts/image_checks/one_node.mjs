// One node by the command that README.md gives, with podman in place of docker: who it is, what it may do, what it writes, how it stops.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { IMAGE } from './guild.mjs';
import { lib } from './talk.mjs';

const root = resolve(import.meta.dirname, '../..');
const URL = 'http://127.0.0.1:8080';

/** The command of README.md, word for word. */
export function command() {
  const found = readFileSync(join(root, 'README.md'), 'utf8').match(/^docker run (?:.*\\\n)*.*$/m);
  assert.ok(found, 'README.md has a command that begins with "docker run"');
  return found[0].replaceAll('\\\n', ' ').trim().split(/\s+/).slice(1);
}

export async function ready(podman, name, ms = 30_000) {
  const { eventually } = await lib('wait');
  const began = performance.now();
  await eventually(`${name} is ready`, async () => (await fetch(`${URL}/readyz`)).ok, ms).catch(async (error) => {
    throw new Error(`${error.message}\n${await podman.logs(name)}`);
  });
  return ((performance.now() - began) / 1000).toFixed(1);
}

export async function oneNode({ podman, health, table }) {
  const part = 'docker run';
  const { Outside } = await lib('outside');
  const { Stage } = await lib('stage');
  const args = command();
  const name = args[args.indexOf('--name') + 1];
  const start = async () => {
    await podman.do(...args);
    return ready(podman, name);
  };
  table.saw(part, args.join(' '), `/readyz is 200 after ${await start()} s, healthy after ${await health.healthy([name])} s more`);

  const inside = (...what) => podman.tried('podman', ['exec', name, ...what]);
  const status = (await inside('cat', '/proc/1/status')).out;
  const of = (field) => status.match(new RegExp(`^${field}:\\s*(.*)$`, 'm'))[1].trim();
  assert.equal(of('Uid').split('\t')[0], '10001');
  for (const set of ['CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb']) assert.match(of(set), /^0+$/, `${set} is empty`);
  assert.equal(of('NoNewPrivs'), '1');
  table.saw(part, 'who it is', `process 1, user ${of('Uid').split('\t')[0]}, group ${of('Gid').split('\t')[0]}, no capability, no new privileges`);

  for (const path of ['/x', '/usr/local/bin/x', '/etc/x']) assert.notEqual((await inside('touch', path)).code, 0, `${path} cannot be written`);
  for (const path of ['/tmp/x', '/data/x']) assert.equal((await inside('touch', path)).code, 0, `${path} can be written`);
  await inside('rm', '/tmp/x', '/data/x');
  table.saw(part, 'what it may write', `/data and /tmp alone; its files are ${(await inside('stat', '-c', '%n %U %a', '/data', '/data/guild.db')).out.replaceAll('\n', ', ')}`);
  const limit = (await inside('cat', '/proc/1/limits')).out.match(/Max open files\s+(\d+)/)[1];
  const memory = Math.round(Number(of('VmRSS').split(' ')[0]) / 1024);
  table.saw(part, 'limits', `${limit} open files; ${memory} MB of memory at rest, ${of('Threads')} threads`);

  const stage = new Stage();
  const [alice, bob] = await stage.peopleOn(new Outside(URL), 'alice', 'bob');
  const room = await alice.room([bob]);
  const wire = await bob.connect();
  const sent = await alice.says(room, 'from outside');
  await wire.until('new message', ({ id }) => id === sent.id);
  const { cursor } = wire;

  const logs = (await podman.logs(name, 1_000)).split('\n').filter(Boolean);
  const lines = logs.map((line) => JSON.parse(line));
  table.saw(part, 'log', `${lines.length} lines, each of JSON; times as ${lines[0].timestamp ?? lines[0].time}`);

  const began = performance.now();
  await podman.do('stop', name);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const { State } = await podman.inspect(name);
  assert.equal(State.ExitCode, 0, await podman.logs(name, 10));
  await wire.closed;
  await podman.do('rm', name);
  // Another container, the same volume.
  await start();
  const again = await bob.connect({ cursor });
  assert.equal(again.all('ready')[0].resumed, true);
  await alice.says(room, 'another container');
  await again.until('new message', ({ seq }) => seq === 2);
  assert.deepEqual(again.all('new message').map(({ seq }) => seq), [2]);
  await stage.clear();
  const check = await podman.must('podman', ['exec', name, 'guild', 'check']);
  table.saw(part, 'stop, and a new container over the same volume', `stopped with 0 after ${seconds} s; a client resumed by its cursor; guild check: ${check.split('\n').at(-1)}`);
  await podman.do('rm', '--force', '--time', '10', name);
  // The command with a wrong setting: it says so and ends with 2.
  const wrong = await podman.tried('podman', ['run', '--rm', '-e', 'GUILD_LISTEN=nowhere', IMAGE]);
  assert.equal(wrong.code, 2, wrong.text);
  table.saw(part, 'a wrong setting', `exit code 2: ${wrong.text.split('\n')[0]}`);
}
