// The old program: the commit that scripts/upgrade-from names, built in target/upgrade.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const root = realpathSync(join(import.meta.dirname, '../..'));

/** Something that has to be there; the message says what to do. */
export class Missing extends Error {}

function git(...args) {
  const done = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (done.error) throw new Missing('git is missing: apt-get install git');
  return { ok: done.status === 0, said: done.stdout.trim(), error: done.stderr.trim() };
}

/** The commit that scripts/upgrade-from names. */
export function revision() {
  const file = join(root, 'scripts/upgrade-from');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#')) : [];
  if (lines.length !== 1 || !/^[0-9a-f]{7,40}$/.test(lines[0])) throw new Missing('scripts/upgrade-from has to hold one line with a commit\'s hash (lines with # are comments)');
  const commit = git('rev-parse', '--verify', '--quiet', `${lines[0]}^{commit}`);
  if (!commit.ok) throw new Missing(`the commit ${lines[0]} of scripts/upgrade-from is not in this clone: git fetch --unshallow, or name another one`);
  return commit.said;
}

/** A work tree of that commit, as it was committed. One that is there already is used again. */
function tree(commit) {
  const folder = join(root, 'target/upgrade', commit);
  // Without a .git of its own, git would look at this repository instead.
  const at = (...args) => git('-C', folder, ...args).said;
  const isWhole = existsSync(join(folder, '.git')) && at('rev-parse', '--show-toplevel') === folder && at('rev-parse', 'HEAD') === commit && at('status', '--porcelain') === '';
  if (!isWhole) {
    rmSync(folder, { recursive: true, force: true });
    const made = git('worktree', 'add', '--force', '--detach', folder, commit);
    if (!made.ok) throw new Missing(`git worktree add ${folder}: ${made.error}`);
  }
  return folder;
}

/** Builds the old program, in a folder of its own that is kept: the next time only what has changed is built. */
export async function built(commit) {
  const target = join(root, 'target/upgrade/target');
  const PATH = `${process.env.PATH}:${join(homedir(), '.cargo/bin')}`;
  console.log(`building ${commit} in target/upgrade`);
  // A group of its own, so that the compilers end with cargo.
  const cargo = spawn('cargo', ['build', '--release', '--locked'], { cwd: tree(commit), env: { ...process.env, PATH, CARGO_TARGET_DIR: target }, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const end = () => {
    try {
      process.kill(-cargo.pid, 'SIGKILL');
    } catch {
      // it has ended by itself
    }
  };
  process.on('exit', end);
  const code = await new Promise((done, fail) => cargo.on('error', () => fail(new Missing('cargo is missing: install Rust from https://rustup.rs'))).on('close', done));
  process.off('exit', end);
  if (code !== 0) throw new Missing(`cargo could not build ${commit}; it has said why`);
  return join(target, 'release/guild');
}
