// What a compose file is started with besides itself: limits that this machine can give, and limits of guild that would only get in the way of
// people who talk all the time from one address. It is a second file for `-f`, so the first one stays as it stands.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { folder } from './podman.mjs';

const root = resolve(import.meta.dirname, '../..');

/** As acceptance/lib/server.mjs has them. */
export const ROOMY = Object.fromEntries(
  ['LOGINS_PER_MINUTE', 'ROOMS_PER_MINUTE', 'CHANGES_PER_SECOND', 'CHANGES_BURST', 'READS_PER_SECOND', 'READS_BURST', 'UNAUTHENTICATED_PER_MINUTE', 'SENDS_PER_SECOND', 'SENDS_BURST'].map((name) => [`GUILD_LIMITS_${name}`, '0']),
);

/** Names of the services in a compose file of ours: keys two spaces deep below `services:`. */
export function services(file) {
  const text = readFileSync(join(root, 'deploy', file), 'utf8').split(/^services:$/m)[1].split(/^\S/m)[0];
  return [...text.matchAll(/^ {2}([\w-]+):$/gm)].map(([, name]) => name);
}

/**
 * Writes the second file; answers its path. Whoever names one limit gets Podman's own default for the other, which is too much for a machine that
 * needs the first.
 */
export function beside(file, { openFiles, processes }, { image, settings = {}, only } = {}) {
  const guild = (name) => !['postgres', 'nats', 'ingress'].includes(name);
  const what = Object.fromEntries(services(file).filter((name) => !only || only(name)).map((name) => [name, {
    ...(openFiles < 65_536 && (guild(name) || name === 'ingress') ? { ulimits: { nofile: { soft: openFiles, hard: openFiles }, nproc: processes } } : {}),
    ...(guild(name) ? { environment: { ...ROOMY, ...settings } } : {}),
    ...(guild(name) && image ? { image } : {}),
  }]).filter(([, more]) => Object.keys(more).length));
  const path = join(folder, `${image ? 'next' : 'beside'}-${file}`);
  writeFileSync(path, JSON.stringify({ services: what }, null, 2));
  return path;
}
