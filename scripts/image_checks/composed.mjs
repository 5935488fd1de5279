// A compose file of deploy/ as it stands, started by podman-compose.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compose } from './machine.mjs';
import { folder } from './podman.mjs';
import { beside } from './settings.mjs';

const root = resolve(import.meta.dirname, '../..');

export class Compose {
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

  up() {
    return this.run(['up', '-d', '--no-build']);
  }

  down() {
    return this.run(['down']);
  }

  /** The name of the container of a service. */
  async container(service) {
    const names = (await this.podman.do('ps', '--all', '--filter', `label=com.docker.compose.service=${service}`, '--format', '{{.Names}}')).split('\n').filter(Boolean);
    if (names.length !== 1) throw new Error(`${service} should be one container, and is: ${names.join(', ') || 'none'}`);
    return names[0];
  }
}
