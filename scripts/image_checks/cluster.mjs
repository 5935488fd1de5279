// compose.cluster.yaml as it stands, with people who talk to it through its ingress: every container is killed, stopped and cut off, a third of
// each service comes, and all of guild is rolled over to another image, one container after the other.

import assert from 'node:assert/strict';
import { Compose } from './composed.mjs';
import { AWAY_MS, Faults } from './faults.mjs';
import { IMAGE, NEXT } from './guild.mjs';
import { services } from './settings.mjs';
import { stories, Talk } from './talk.mjs';

const URL = 'http://127.0.0.1:8080';
const FILE = 'compose.cluster.yaml';
const part = FILE;
const ORDER = ['users', 'messages', 'chat'];

export async function cluster({ podman, health, table, limits }) {
  const at = new Compose(podman, FILE, limits);
  const names = services(FILE);
  const began = performance.now();
  await at.up(health, names);
  const took = ((performance.now() - began) / 1000).toFixed(1);
  const containers = new Map();
  for (const name of names) containers.set(name, await at.container(name));
  const all = [...containers.values()];
  const restarts = [];
  for (const name of names) {
    const { RestartCount } = await podman.inspect(containers.get(name));
    if (RestartCount) restarts.push(`${name} ${RestartCount}`);
  }
  table.saw(part, 'up', `${all.length} containers are healthy after ${took} s; started again meanwhile: ${restarts.join(', ') || 'none'}`);
  table.saw(part, 'stories from outside', await stories(URL, 'apart', 'flow', 'resume'));

  const guild = names.filter((name) => ORDER.some((service) => name.startsWith(`${service}-`)));
  const { NetworkSettings } = await podman.inspect(containers.get('nats'));
  const [network] = Object.keys(NetworkSettings.Networks);
  const faults = new Faults(podman);
  const talk = await Talk.open(URL, { apart: true });
  try {
    for (const name of [...guild, 'nats', 'postgres', 'ingress']) table.saw(part, `${name}: kill -9`, await talk.through(() => faults.crash(containers.get(name))));
    await health.healthy(all);
    for (const name of [...guild, 'nats', 'postgres', 'ingress']) {
      let seconds;
      // nats-server 2.9 ends with 1 when it is asked to stop by SIGTERM.
      const said = await talk.through(async () => {
        seconds = await faults.stop(containers.get(name), () => at.stop(name), name === 'nats' ? [0, 1] : [0]);
        await faults.start(containers.get(name));
      });
      table.saw(part, `${name}: stop, and start again`, `stopped after ${seconds} s; ${said}`);
    }
    await health.healthy(all);
    for (const name of ['messages-1', 'users-2', 'chat-1', 'nats', 'postgres']) {
      table.saw(part, `${name}: its network is cut for ${AWAY_MS / 1000} s`, await talk.through(() => faults.partition(containers.get(name), network)));
    }
    await health.healthy(all);
    await third({ podman, health, table, talk, containers, network, limits });
    await rollover({ podman, health, table, at, talk, containers });
    table.saw(part, 'the account', await talk.finish());
  } finally {
    await talk.end();
  }
  const check = await podman.do('exec', containers.get('messages-1'), 'guild', 'check');
  table.saw(part, 'guild check', check.split('\n').at(-1));
  await at.down();
}

/** One more of each service, as a container of its own with what the first of it was started with. */
async function third({ podman, health, table, talk, containers, network, limits }) {
  const added = [];
  for (const service of ORDER) {
    const { Config } = await podman.inspect(containers.get(`${service}-1`));
    const name = `${service}-3`;
    const env = Config.Env.filter((one) => one.startsWith('GUILD_')).flatMap((one) => ['-e', one]);
    const restrained = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--ulimit', `nofile=${limits.openFiles}:${limits.openFiles}`, '--ulimit', `nproc=${limits.processes}:${limits.processes}`];
    await podman.do('run', '-d', '--name', name, '--network', network, ...restrained, ...env, IMAGE);
    await health.healthy([name]);
    const { NetworkSettings } = await podman.inspect(name);
    added.push({ service, name, url: `http://${NetworkSettings.Networks[network].IPAddress}:8080` });
  }
  const served = async ({ url }, metric) => [...(await (await fetch(`${url}/metrics`)).text()).matchAll(new RegExp(`^${metric}(?:\\{.*outcome="answered".*\\})? (\\d+)`, 'gm'))].reduce((sum, [, count]) => sum + Number(count), 0);
  // Somebody comes to the third gateway itself; the ingress of the file names two.
  const chat = added.find(({ service }) => service === 'chat');
  const { receivers } = talk.account;
  receivers[0].at = () => ({ url: chat.url, name: chat.name });
  await receivers[0].wire.drop();
  await talk.through(async () => {});
  const told = [];
  for (const one of added.slice(0, 2)) {
    const count = await served(one, 'guild_nats_answers_total');
    assert.ok(count > 0, `${one.name} was asked by the others`);
    told.push(`${one.name} answered ${count} calls`);
  }
  assert.equal(receivers[0].lives.at(-1).name, chat.name);
  told.push(`${chat.name} delivered ${receivers[0].lives.at(-1).events.length} events to a client that came to it`);
  table.saw(part, 'three of each service', told.join(', '));
  receivers[0].at = () => ({});
  const went = await talk.through(async () => {
    for (const { name } of added.toReversed()) {
      await podman.do('stop', '--time', '40', name);
      const { State } = await podman.inspect(name);
      assert.equal(State.ExitCode, 0, `${name} ended with ${State.ExitCode}:\n${await podman.logs(name, 10)}`);
      await podman.do('rm', name);
    }
  });
  table.saw(part, 'and back to two', `each ended with 0; ${went}`);
}

/** As docs/operators.md says: users, then messages, then chat, one after the other, each when the one before is ready. */
async function rollover({ podman, health, table, at, talk, containers }) {
  for (const service of ORDER) {
    for (const n of [1, 2]) {
      const name = `${service}-${n}`;
      const said = await talk.through(async () => {
        await at.exchange(name, NEXT);
        await health.healthy([containers.get(name)]);
      });
      const { ImageName, RestartCount } = await podman.inspect(containers.get(name));
      if (!ImageName.endsWith(NEXT)) throw new Error(`${name} still runs ${ImageName}`);
      table.saw(part, `${name}: rolled over to ${NEXT}`, `${said}${RestartCount ? `; started ${RestartCount} times again` : ''}`);
    }
  }
}
