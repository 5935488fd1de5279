// Makes the health checks that the images and compose files ask for, at their intervals: Podman leaves that to systemd, which a
// machine may not have. Docker does it by itself.

import { setTimeout as sleep } from 'node:timers/promises';

export class Health {
  #over = false;

  constructor(podman) {
    this.podman = podman;
    this.running = this.#run();
  }

  async #run() {
    while (!this.#over) {
      const { out, code } = await this.podman.tried('podman', ['ps', '--format', '{{.Names}}']);
      if (code === 0) await Promise.all(out.split('\n').filter((name) => name && !name.endsWith('-infra')).map((name) => this.podman.tried('podman', ['healthcheck', 'run', name], { timeout: 10_000 })));
      await sleep(1_000);
    }
  }

  /** Waits until all of these are healthy; answers the seconds that it took. */
  async healthy(names, ms = 90_000) {
    const began = performance.now();
    for (const name of names) {
      for (;;) {
        const { out } = await this.podman.tried('podman', ['inspect', '--type', 'container', '--format', '{{.State.Status}} {{.State.Healthcheck.Status}}', name]);
        if (out === 'running healthy') break;
        if (performance.now() - began > ms) throw new Error(`${name} is "${out}" after ${ms} ms, and not healthy; its log ends with:\n${await this.podman.logs(name)}`);
        await sleep(200);
      }
    }
    return ((performance.now() - began) / 1000).toFixed(1);
  }

  async end() {
    this.#over = true;
    await this.running;
  }
}
