// The images that deploy/ names, made of Debian's packages under their names, because no registry of images is reachable here: the same entry
// points, variables and health checks, as far as deploy/ uses them. bases/ has a Containerfile for each.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { folder } from './podman.mjs';
import { toolchain } from './machine.mjs';

const here = join(import.meta.dirname, 'bases');
const SLIM = 'docker.io/library/debian:bookworm-slim';
/** What the official slim image has not either. */
const NOT_SLIM = ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale', 'usr/share/man', 'usr/share/info', 'usr/share/groff', 'usr/share/lintian'];
const CLEAN = `DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
`;
/** Image and its Containerfile. The last one is what an operator has, and no part of deploy/. */
const IMAGES = { 'postgres:15-bookworm': 'postgres', 'nats:2.10-alpine': 'nats', 'nginx:1.28-alpine': 'nginx', 'sqlite:3': 'sqlite' };

/** Debian, made by debootstrap. */
async function slim(podman) {
  const at = join(folder, 'slim');
  const tar = join(folder, 'slim.tar');
  if (!existsSync(tar)) {
    rmSync(at, { recursive: true, force: true });
    await podman.must('debootstrap', ['--variant=minbase', 'bookworm', at, 'http://deb.debian.org/debian'], { timeout: 900_000 });
    for (const one of NOT_SLIM) {
      rmSync(join(at, one), { recursive: true, force: true });
      mkdirSync(join(at, one), { recursive: true });
    }
    // The updates of security, as the official image has them.
    writeFileSync(join(at, 'etc/apt/sources.list'), ['bookworm', 'bookworm-updates'].map((suite) => `deb http://deb.debian.org/debian ${suite} main\n`).join('') + 'deb http://deb.debian.org/debian-security bookworm-security main\n');
    // Nothing of apt stays in a layer, as in the official image.
    writeFileSync(join(at, 'etc/apt/apt.conf.d/docker-clean'), CLEAN);
    writeFileSync(join(at, 'etc/dpkg/dpkg.cfg.d/docker'), ['doc', 'locale', 'man', 'info', 'groff', 'lintian'].map((one) => `path-exclude /usr/share/${one}/*\n`).join(''));
    await podman.must('tar', ['-C', at, '-cf', `${tar}.part`, '.'], { timeout: 300_000 });
    await podman.must('mv', [`${tar}.part`, tar]);
    rmSync(at, { recursive: true, force: true });
  }
  await podman.must('podman', ['import', '--change', 'CMD ["bash"]', tar, SLIM], { timeout: 300_000 });
}

async function build(podman, image, name, more = []) {
  // An image is made again when what it is made of has changed.
  const files = readdirSync(here).filter((file) => file.startsWith(name));
  const text = files.map((file) => readFileSync(join(here, file), 'utf8')).join('\0');
  const sum = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const full = `docker.io/library/${image}`;
  const had = await podman.tried('podman', ['image', 'inspect', '--format', '{{ index .Labels "made-of" }}', full]);
  if (had.code === 0 && had.out === sum) return;
  await podman.must('podman', ['build', '--quiet', '--label', `made-of=${sum}`, ...more, '-f', join(here, `${name}.Containerfile`), '-t', full, here], { timeout: 900_000 });
}

/** Makes what is missing. `compiles`: the image with the compiler too. */
export async function bases(podman, { compiles }, say) {
  if (!(await podman.has(SLIM))) {
    say('debian:bookworm-slim by debootstrap');
    await slim(podman);
  }
  for (const [image, name] of Object.entries(IMAGES)) await build(podman, image, name);
  if (compiles) {
    const version = readFileSync(join(import.meta.dirname, '../../deploy/Dockerfile'), 'utf8').match(/^FROM rust:([\d.]+)-slim-bookworm/m)[1];
    await build(podman, `rust:${version}-slim-bookworm`, 'rust', ['-v', `${toolchain(version)}:/toolchain:ro`, '-v', '/etc/ssl/certs/ca-certificates.crt:/authorities:ro']);
  }
  return (await podman.do('images', '--format', '{{.Repository}}:{{.Tag}} {{.Size}}')).split('\n').filter((line) => line.startsWith('docker.io/library/') && !line.includes('guild')).map((line) => line.replace('docker.io/library/', ''));
}
