// A scratch NATS server, that can be killed and started again on its port.

import { spawn } from 'node:child_process';
import { ofStory } from './children.mjs';
import { within } from './wait.mjs';

const START_MS = 10_000;

export class Nats {
  /** Starts it, or starts it again after `kill`; answers itself when it takes connections. */
  async start() {
    // -1 is any free port
    const child = ofStory.add(spawn('nats-server', ['-a', '127.0.0.1', '-p', String(this.port ?? -1)], { stdio: ['ignore', 'ignore', 'pipe'] }));
    let said = '';
    const ready = new Promise((done, fail) => {
      child.on('error', (error) => fail(error.code === 'ENOENT' ? new Error('nats-server is missing: apt-get install nats-server') : error));
      child.on('close', () => fail(new Error(`nats-server ended:\n${said}`)));
      child.stderr.setEncoding('utf8').on('data', (text) => {
        if (said.length < 100_000) said += text;
        const port = said.match(/Listening for client connections on 127\.0\.0\.1:(\d+)/)?.[1];
        if (port && said.includes('Server is ready')) done(Number(port));
      });
    });
    this.exit = new Promise((done) => child.once('close', done));
    this.port = await within(START_MS, ready, () => `nats-server; it said:\n${said}`);
    this.child = child;
    return this;
  }

  get url() {
    return `nats://127.0.0.1:${this.port}`;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exit;
  }
}
