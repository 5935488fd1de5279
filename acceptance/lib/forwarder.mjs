// One address for a database that is now this server, now that one, as a virtual IP or a pooler is: it passes bytes on to a port of
// 127.0.0.1, and can be turned to another. Whoever was connected then has to connect anew.

import { connect, createServer } from 'node:net';

export class Forwarder {
  #lines = new Set();

  /** Connections since it was turned. */
  joined = 0;

  /** @param {number} port where it leads to */
  constructor(port) {
    this.to = port;
    this.server = createServer({ noDelay: true }, (client) => this.#join(client));
  }

  async listen() {
    await new Promise((done, fail) => this.server.on('error', fail).listen(0, '127.0.0.1', done));
    this.port = this.server.address().port;
    return this;
  }

  /** From now on it leads to this port; all lines are cut. */
  turn(port) {
    this.to = port;
    this.joined = 0;
    for (const line of this.#lines) line.destroy();
  }

  close() {
    this.server.close();
    this.turn(undefined);
  }

  /** From here on both ends talk as they like. Where nobody listens the line is cut at once. */
  #join(client) {
    this.joined += 1;
    const server = connect({ port: this.to, host: '127.0.0.1', noDelay: true });
    for (const [one, other] of [[client, server], [server, client]]) {
      this.#lines.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#lines.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
