// Podman with a storage, networks, volumes and limits of its own in target/images, so that what else Podman keeps on this machine is neither
// seen nor touched.

import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/** Where everything of this check is. */
export const folder = join(root, 'target/images');
const store = join(folder, 'podman');

/** What a program said, and how it ended. */
export class Refused extends Error {
  name = 'Refused';
}

const settings = ({ openFiles, processes }) => `[containers]
# Podman's own defaults are more than a machine may allow.
default_ulimits = ["nofile=${openFiles}:${openFiles}", "nproc=${processes}:${processes}"]
log_driver = "k8s-file"
# aardvark-dns 1.4 loses a question now and then while containers come and go. The resolver would wait 5 s before it asks again, and then asks
# the machine's own server, which knows no containers: a look-up of "postgres" took 20 s.
dns_options = ["timeout:1", "attempts:5"]
[engine]
runtime = "runc"
# There may be no systemd.
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${store}/tmp"
static_dir = "${store}/storage/libpod"
volume_path = "${store}/storage/volumes"
[network]
network_backend = "netavark"
network_config_dir = "${store}/networks"
`;

const storage = (driver) => `[storage]
driver = "${driver}"
graphroot = "${store}/storage"
runroot = "${store}/run"
`;

export class Podman {
  /** @param {{openFiles: number, processes: number}} limits what a container may have at most on this machine */
  constructor(limits, driver) {
    for (const one of [store, join(folder, 'tmp')]) mkdirSync(one, { recursive: true });
    writeFileSync(join(store, 'containers.conf'), settings(limits));
    writeFileSync(join(store, 'storage.conf'), storage(driver));
    this.environment = {
      ...process.env,
      CONTAINERS_CONF: join(store, 'containers.conf'),
      CONTAINERS_STORAGE_CONF: join(store, 'storage.conf'),
      // Podman would hand health checks to systemd; health.mjs makes them.
      DISABLE_HC_SYSTEMD: 'true',
      // Caches of builds.
      TMPDIR: join(folder, 'tmp'),
    };
  }

  /** Runs a program with this Podman's settings to its end; answers {code, out, text}, whatever the end. */
  tried(program, args, { input, cwd = root, timeout = 120_000, environment = {} } = {}) {
    return new Promise((done) => {
      const child = execFile(program, args, { cwd, env: { ...this.environment, ...environment }, timeout, maxBuffer: 256 << 20 }, (error, out, text) => {
        done({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, out: out.trim(), text: `${out}${text}${error && typeof error.code !== 'number' ? error.message : ''}`.trim() });
      });
      child.stdin.end(input);
    });
  }

  /** The same, which must end with 0; answers what it printed. */
  async must(program, args, options) {
    const { code, out, text } = await this.tried(program, args, options);
    if (code !== 0) throw new Refused(`${program} ${args.join(' ')} ended with ${code}:\n${text.split('\n').slice(-30).join('\n')}`);
    return out;
  }

  /** `podman …`, which must work. */
  do(...args) {
    return this.must('podman', args);
  }

  async inspect(name) {
    return JSON.parse(await this.do('inspect', '--type', 'container', name))[0];
  }

  async has(image) {
    return (await this.tried('podman', ['image', 'exists', image])).code === 0;
  }

  /** What a container has written so far. */
  async logs(name, lines = 40) {
    return (await this.tried('podman', ['logs', '--tail', String(lines), name])).text;
  }

  /** Keeps what every container has written, for somebody who looks into a failure. Answers the folder. */
  async keepLogs() {
    const at = join(folder, 'logs');
    rmSync(at, { recursive: true, force: true });
    mkdirSync(at, { recursive: true });
    for (const name of (await this.do('ps', '--all', '--format', '{{.Names}}')).split('\n').filter(Boolean)) {
      writeFileSync(join(at, `${name}.log`), (await this.tried('podman', ['logs', '--timestamps', name])).text);
    }
    return at;
  }

  /** Every pod, container, volume, secret and network goes; images stay, for the next time. At once, because a signal may end this process. */
  clear() {
    const wrong = [];
    for (const args of [['rm', '--all', '--force', '--time', '0'], ['pod', 'rm', '--all', '--force', '--time', '0'], ['volume', 'rm', '--all', '--force'], ['secret', 'rm', '--all'], ['network', 'prune', '--force']]) {
      let done;
      // A container that its restart policy is just starting is not there to be stopped; a moment later it is.
      for (let tries = 0; tries < 3 && done?.status !== 0; tries += 1) done = spawnSync('podman', args, { env: this.environment, encoding: 'utf8' });
      if (done.status !== 0) wrong.push(done.stderr);
    }
    return wrong;
  }

  /** Images too. */
  async forget() {
    await this.tried('podman', ['rmi', '--all', '--force']);
    rmSync(store, { recursive: true, force: true });
  }
}
