// The image of guild: deploy/Dockerfile as it stands; or, to iterate, its last stage as it stands with a program that is there already.

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { folder } from './podman.mjs';

const root = resolve(import.meta.dirname, '../..');
/** The name that the compose files use. */
export const IMAGE = 'guild:0.1.0';
/** The same under another tag, to roll over to. */
export const NEXT = 'guild:0.1.1';

/** Without its first stage; the program comes from the context. */
function lastStage(dockerfile) {
  const stages = dockerfile.split(/^(?=FROM )/m);
  const last = stages.at(-1).replace('COPY --from=build /guild ', 'COPY guild ');
  if (!last.includes('COPY guild ')) throw new Error('the last stage of deploy/Dockerfile does not copy /guild from the stage build any more');
  return last;
}

/** What the image is made of: the crates of the program as CycloneDX, and Debian's packages with their versions. Answers how many there are. */
async function billOfMaterials(podman) {
  const crates = JSON.parse(await podman.must(join(root, 'scripts/sbom'), []));
  writeFileSync(join(folder, 'guild.cdx.json'), JSON.stringify(crates, null, 1));
  const packages = await podman.do('run', '--rm', '--network', 'none', '--entrypoint', 'dpkg-query', IMAGE, '-W');
  writeFileSync(join(folder, 'debian-packages.txt'), packages);
  return { crates: crates.components.length, packages: packages.trim().split('\n').length };
}

/** Builds it; answers how long that took and how large it is. */
export async function build(podman, program) {
  const began = performance.now();
  let args = ['-f', join(root, 'deploy/Dockerfile'), root];
  if (program) {
    const context = join(folder, 'context');
    rmSync(context, { recursive: true, force: true });
    mkdirSync(context, { recursive: true });
    copyFileSync(program, join(context, 'guild'));
    writeFileSync(join(context, 'Dockerfile'), lastStage(readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')));
    args = ['-f', join(context, 'Dockerfile'), context];
  }
  // Health checks are Docker's format; OCI's has none.
  await podman.must('podman', ['build', '--format', 'docker', '-t', IMAGE, ...args], { timeout: 3_600_000 });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  // Another image, as a new version would be: with a label more.
  const next = join(folder, 'next');
  mkdirSync(next, { recursive: true });
  writeFileSync(join(next, 'Dockerfile'), `FROM localhost/${IMAGE}\nLABEL next=yes\n`);
  await podman.do('build', '--format', 'docker', '--quiet', '-t', NEXT, next);
  const bytes = Number(await podman.do('image', 'inspect', '--format', '{{.Size}}', IMAGE));
  const packed = Number(await podman.must('bash', ['-c', `podman save ${IMAGE} | gzip -6 | wc -c`], { timeout: 300_000 }));
  const bom = await billOfMaterials(podman);
  const parts = await podman.do('history', '--format', '{{.Size}} {{.CreatedBy}}', IMAGE);
  return { seconds, bytes, packed, parts, bom };
}
