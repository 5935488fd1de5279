// A pipe that a program writes to, with its reading end in the story's hand: it reads when it is told, not at all, or goes.

import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder } from './server.mjs';

export class Pipe {
  #reader;

  constructor() {
    // A named one, because node has no other that is not a socket.
    const path = join(freshFolder(), 'pipe');
    const made = spawnSync('mkfifo', [path], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`mkfifo: ${made.error ?? made.stderr}`);
    this.#reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    /** For the program. */
    this.writer = openSync(path, constants.O_WRONLY);
  }

  /** The program has the writing end by now, and it alone shall have it. */
  given() {
    closeSync(this.writer);
  }

  /** What can be read at this moment. */
  read() {
    const buffer = Buffer.alloc(256 * 1024);
    let text = '';
    for (;;) {
      let count;
      try {
        count = readSync(this.#reader, buffer);
      } catch (error) {
        if (error.code === 'EAGAIN') return text;
        throw error;
      }
      if (count === 0) return text;
      text += buffer.toString('latin1', 0, count);
    }
  }

  /** Nobody reads any more. */
  close() {
    closeSync(this.#reader);
  }
}
