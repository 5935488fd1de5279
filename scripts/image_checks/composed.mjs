// A compose file of deploy/ as it stands, started by podman-compose.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compose } from './machine.mjs';
import { folder } from './podman.mjs';
import { beside, services } from './settings.mjs';

const root = resolve(import.meta.dirname, '../..');

/** Service → those that it waits for, as the file says. */
function dependencies(file) {
  const text = readFileSync(join(root, 'deploy', file), 'utf8').replace('depends_on: *after-both', 'depends_on: { postgres: x, nats: x }');
  const known = services(file);
  return new Map(known.map((name) => {
    const own = text.match(new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)*)`, 'm'))[1];
    const waits = own.match(/^ {4}depends_on:(.*\n(?: {6}.*\n)*)/m)?.[1] ?? '';
    return [name, known.filter((other) => new RegExp(`(?:^|[\\s{,])${other}:`).test(waits))];
  }));
}

export class Compose {
  exchanged = new Set();

  /** @param {object} [settings] GUILD_… variables of its processes */
  constructor(podman, file, limits, settings = {}) {
    Object.assign(this, { podman, file, limits, settings });
    this.env = join(folder, 'env');
    writeFileSync(this.env, 'POSTGRES_PASSWORD=p1b2c3d4\nNATS_PASSWORD=p5e6f7a8\n');
  }

  /** `podman-compose …` with the file, and a second one that says what is different here. */
  run(args, { image, only } = {}) {
    const files = [join(root, 'deploy', this.file), beside(this.file, this.limits, { settings: this.settings })];
    if (image) files.push(beside(this.file, this.limits, { image, only }));
    return this.podman.must(compose, ['--env-file', this.env, ...files.flatMap((file) => ['-f', file]), ...args], { timeout: 600_000 });
  }

  /**
   * Starts these services, one after the other, each when those that it depends on are healthy. Docker Compose does that by itself; Podman 4.3
   * cannot be asked whether a container is healthy, so podman-compose leaves it out, and says so.
   */
  async up(health, names) {
    const after = dependencies(this.file);
    const started = new Map();
    const start = (name) => {
      if (!started.has(name)) {
        started.set(name, (async () => {
          for (const other of after.get(name)) await start(other);
          await this.#start(name);
          await health.healthy([await this.container(name)]);
        })());
      }
      return started.get(name);
    };
    for (const name of names) await start(name);
  }

  #start(name, how) {
    return this.run(['up', '-d', '--no-build', '--no-deps', '--no-recreate', name], how);
  }

  down() {
    return this.run(['down']);
  }

  /** Within its `stop_grace_period`: podman-compose tells it to `podman stop`, and not to the container, so a `podman stop` of one's own waits 10 s. */
  stop(service) {
    return this.run(['stop', service]);
  }

  /** Another image for one service, and for nothing else: its container stops, and one of the new image takes its place and address. */
  async exchange(service, image) {
    const name = await this.container(service);
    await this.stop(service);
    await this.podman.do('rm', name);
    this.exchanged.add(service);
    await this.#start(service, { image, only: (one) => this.exchanged.has(one) });
  }

  /** The name of the container of a service. */
  async container(service) {
    const names = (await this.podman.do('ps', '--all', '--filter', `label=com.docker.compose.service=${service}`, '--format', '{{.Names}}')).split('\n').filter(Boolean);
    if (names.length !== 1) throw new Error(`${service} should be one container, and is: ${names.join(', ') || 'none'}`);
    return names[0];
  }
}
