// What happens to containers: they are killed, stopped, and cut off from their network.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a partition lasts: longer than the 5 s that a call waits; NATS takes some 15 to leave out who does not answer. */
export const AWAY_MS = 6_000;

export class Faults {
  constructor(podman) {
    this.podman = podman;
  }

  async #state(name) {
    const { State, RestartCount } = await this.podman.inspect(name);
    return { pid: State.Pid, running: State.Running, restarts: RestartCount, code: State.ExitCode };
  }

  /** kill -9 from outside, as a crash: the restart policy has to start it again. */
  async crash(name) {
    const before = await this.#state(name);
    assert.ok(before.pid > 0, `${name} runs`);
    process.kill(before.pid, 'SIGKILL');
    const end = performance.now() + 30_000;
    for (;;) {
      const now = await this.#state(name);
      if (now.running && now.pid > 0 && now.pid !== before.pid) return;
      if (performance.now() > end) {
        throw new Error(`${name} was not started again after kill -9: ${JSON.stringify(now)}`);
      }
      await sleep(100);
    }
  }

  /**
   * Asked to stop by `how`, and ended with one of these codes: 137 would say that its grace period was over. Answers the seconds of the stop.
   */
  async stop(name, how, codes = [0]) {
    const began = performance.now();
    await how();
    const seconds = (performance.now() - began) / 1000;
    const { running, code } = await this.#state(name);
    assert.equal(running, false);
    assert.ok(codes.includes(code), `${name} ended with ${code} when it was asked to stop:\n${await this.podman.logs(name, 10)}`);
    return seconds.toFixed(1);
  }

  start(name) {
    return this.podman.do('start', name);
  }

  /** A real partition: nothing goes in or out for a while; then it has its address and its names again. */
  async partition(name, network, ms = AWAY_MS) {
    const { NetworkSettings, Id } = await this.podman.inspect(name);
    const { IPAddress, Aliases } = NetworkSettings.Networks[network];
    await this.podman.do('network', 'disconnect', network, name);
    await sleep(ms);
    const aliases = (Aliases ?? []).filter((one) => !Id.startsWith(one)).flatMap((one) => ['--alias', one]);
    await this.podman.do('network', 'connect', '--ip', IPAddress, ...aliases, network, name);
  }
}
