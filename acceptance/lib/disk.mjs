// The server on a disk that the story can hold, fill and cut the power of (shim/disk.c).

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freshFolder } from './server.mjs';

const SOURCE = fileURLToPath(new URL('../shim/disk.c', import.meta.url));
let built;

function library() {
  if (built && existsSync(built)) return built;
  const to = join(freshFolder(), 'disk.so');
  const cc = spawnSync('cc', ['-O2', '-Wall', '-shared', '-fPIC', '-o', to, SOURCE, '-ldl', '-lpthread'], { encoding: 'utf8' });
  if (cc.error || cc.status !== 0) throw new Error(`the disk shim was not built (is a C compiler there? apt-get install gcc libc6-dev): ${cc.error ?? cc.stderr}`);
  built = to;
  return built;
}

export class Disk {
  constructor() {
    this.folder = freshFolder();
    this.control = join(this.folder, 'control');
    mkdirSync(this.control);
  }

  /** Settings with which a server runs on this disk. */
  get options() {
    return {
      folder: this.folder,
      settings: { LD_PRELOAD: library(), DISK_SHIM_CONTROL: this.control, DISK_SHIM_FILES: join(this.folder, 'guild.db') },
    };
  }

  #path(name) {
    return join(this.control, name);
  }

  say(name) {
    writeFileSync(this.#path(name), '');
  }

  unsay(name) {
    rmSync(this.#path(name), { force: true });
  }

  says(name) {
    return existsSync(this.#path(name));
  }

  /** How many syncs have succeeded. */
  syncs() {
    return this.says('syncs') ? statSync(this.#path('syncs')).size && readFileSync(this.#path('syncs'), 'utf8').trimEnd().split('\n').length : 0;
  }

  /** The database as a power cut would leave it: what had been synced, and nothing else. */
  afterPowerCut() {
    const folder = freshFolder();
    for (const name of ['guild.db', 'guild.db-wal']) {
      if (this.says(`synced-${name}`)) copyFileSync(this.#path(`synced-${name}`), join(folder, name));
    }
    return folder;
  }
}
