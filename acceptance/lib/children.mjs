// What this process has started and made, so that nothing of it stays: child processes, and temporary folders.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Some children and folders that end together. */
class Group {
  #children = new Set();
  #folders = [];

  /** A folder that is gone when the group is. */
  folder() {
    const folder = mkdtempSync(join(tmpdir(), 'guild-story-'));
    this.#folders.push(folder);
    return folder;
  }

  /** A child process that is killed with the group. */
  add(child) {
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }

  /** Leaves nothing running and no folder. */
  end() {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Ends with the story. */
export const ofStory = new Group();
/** Ends with this process: what several stories share. */
export const ofProcess = new Group();

process.on('exit', () => {
  ofStory.end();
  ofProcess.end();
});
// A signal alone would end this process without the lines above.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
