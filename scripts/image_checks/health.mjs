// Makes the health checks that the images and compose files ask for, while somebody waits for them: Podman leaves them to systemd, which a
// machine may not have. Docker makes them all the time.

import { setTimeout as sleep } from 'node:timers/promises';

export class Health {
  constructor(podman) {
    this.podman = podman;
  }

  /** Waits until all of these are healthy; answers the seconds that it took. */
  async healthy(names, ms = 120_000) {
    const began = performance.now();
    for (const name of names) {
      for (;;) {
        const { code, text } = await this.podman.tried('podman', ['healthcheck', 'run', name], { timeout: 10_000 });
        if (code === 0) break;
        if (performance.now() - began > ms) throw new Error(`${name} is not healthy after ${ms} ms: ${text}; its log ends with:\n${await this.podman.logs(name)}`);
        await sleep(500);
      }
    }
    return ((performance.now() - began) / 1000).toFixed(1);
  }
}
