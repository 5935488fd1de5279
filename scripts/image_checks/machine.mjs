// What the machine has to have: programs from Debian, podman-compose from PyPI, the clients of acceptance/, and limits that containers can get.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { folder, Refused } from './podman.mjs';

const root = resolve(import.meta.dirname, '../..');
/** Program and the package of Debian that brings it. */
const PROGRAMS = {
  podman: 'podman', runc: 'runc', debootstrap: 'debootstrap', iptables: 'iptables', node: 'nodejs', npm: 'npm', python3: 'python3', curl: 'curl',
  catatonit: 'catatonit', '/usr/lib/podman/netavark': 'netavark', '/usr/lib/podman/aardvark-dns': 'aardvark-dns',
};

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', ...options });
  if (done.error || done.status !== 0) throw new Refused(`${program} ${args.join(' ')} did not work: ${done.error?.message ?? done.stderr}`);
  return done.stdout.trim();
}

const isThere = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Installs what is missing. Answers what runs here, in words. */
export function prepare(say) {
  if (process.getuid() !== 0) throw new Refused('this check makes base images and networks, so it has to be root');
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isThere(program)).map(([, name]) => name);
  if (missing.length) {
    say(`installing ${missing.join(', ')}`);
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...missing], { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  }
  mkdirSync(folder, { recursive: true });
  if (!existsSync(compose)) {
    if (spawnSync('python3', ['-c', 'import ensurepip, venv']).status !== 0) run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', 'python3-venv']);
    run('python3', ['-m', 'venv', join(folder, 'venv')]);
    run(join(folder, 'venv/bin/pip'), ['install', '-q', 'podman-compose==1.6.0']);
  }
  const acceptance = join(root, 'acceptance');
  if (!existsSync(join(acceptance, 'node_modules/socket.io-client'))) run('npm', ['ci', '--silent', '--prefix', acceptance]);
  if (!existsSync(join(acceptance, '.venv/bin/python'))) run('python3', ['-m', 'venv', join(acceptance, '.venv')]);
  if (!existsSync(join(acceptance, '.venv/bin/pip')) || spawnSync(join(acceptance, '.venv/bin/python'), ['-c', 'import socketio']).status !== 0) {
    run(join(acceptance, '.venv/bin/pip'), ['install', '-q', '-r', join(acceptance, 'requirements.txt')]);
  }
  return [
    run('podman', ['--version']), run('runc', ['--version']).split('\n')[0], run('/usr/lib/podman/netavark', ['--version']),
    `podman-compose ${run(join(folder, 'venv/bin/pip'), ['show', 'podman-compose']).match(/^Version: (.*)$/m)[1]}`,
  ].join(', ');
}

export const compose = join(folder, 'venv/bin/podman-compose');

/** What a container may have at most: root without CAP_SYS_RESOURCE cannot raise a limit. */
export function limits() {
  const of = (flag) => Number(run('bash', ['-c', `ulimit -H${flag}`]).replace('unlimited', '1048576'));
  return { openFiles: Math.min(of('n'), 65_536), processes: Math.min(of('u'), 4_096) };
}

/** `overlay`, which copies nothing, or `vfs`, which copies whole images but works on every file system. */
export function driver() {
  const at = join(folder, 'overlay');
  for (const one of ['lower', 'upper', 'work', 'whole']) mkdirSync(join(at, one), { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${at}/lower,upperdir=${at}/upper,workdir=${at}/work`, join(at, 'whole')]).status === 0;
  if (mounted) run('umount', [join(at, 'whole')]);
  rmSync(at, { recursive: true, force: true });
  return mounted ? 'overlay' : 'vfs';
}

/** The toolchain that the base image of the build gets: the version that deploy/Dockerfile names. */
export function toolchain(version) {
  const sysroot = run('rustc', ['--print', 'sysroot'], { cwd: '/' });
  const here = run(join(sysroot, 'bin/rustc'), ['--version']);
  if (!here.startsWith(`rustc ${version}.`)) throw new Refused(`deploy/Dockerfile builds with Rust ${version}, and this machine has ${here}`);
  return sysroot;
}
