// Ports for programs that cannot be asked which free one they took.

import { createServer } from 'node:net';

/** A port of 127.0.0.1 that nobody has at this moment. */
export function freePort() {
  return new Promise((done, fail) => {
    const server = createServer().on('error', fail).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
