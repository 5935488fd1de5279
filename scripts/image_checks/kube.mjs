// What of deploy/kubernetes Podman understands, by `podman kube play`: the Deployments of base with their settings and secrets, users, probes and
// limits. Services, Ingresses, PodDisruptionBudgets and StatefulSets it does not know: PostgreSQL, NATS and an ingress are containers beside.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Faults } from './faults.mjs';
import { folder } from './podman.mjs';
import { ROOMY } from './settings.mjs';
import { stories, Talk } from './talk.mjs';

const root = resolve(import.meta.dirname, '../..');
const URL = 'http://127.0.0.1:8080';
const part = 'podman kube play';
const NETWORK = 'kube';
const PODS = ['users', 'messages', 'chat'].flatMap((service) => [0, 1].map((n) => ({ service, n, pod: `${service}-pod-${n}`, container: `${service}-pod-${n}-guild` })));

/** `kubectl kustomize` of a copy of base with a secret, and what Podman can play of it. */
async function manifests(podman) {
  const at = join(folder, 'kubernetes');
  rmSync(at, { recursive: true, force: true });
  cpSync(join(root, 'deploy/kubernetes'), at, { recursive: true });
  const example = readFileSync(join(at, 'base/secret.env.example'), 'utf8');
  writeFileSync(join(at, 'base/secret.env'), example.replaceAll('PASSWORD@', 'p1b2c3d4@').replace('NATS_PASSWORD=PASSWORD', 'NATS_PASSWORD=p5e6f7a8'));
  appendFileSync(join(at, 'base/settings.env'), Object.entries(ROOMY).map(([name, value]) => `${name}=${value}\n`).join(''));
  const whole = await podman.must('kubectl', ['kustomize', join(at, 'base')]);
  const secrets = join(at, 'secrets');
  mkdirSync(secrets);
  const playable = await podman.must(join(folder, 'venv/bin/python'), [join(import.meta.dirname, 'playable.py'), secrets], { input: whole });
  writeFileSync(join(at, 'play.yaml'), playable);
  return { file: join(at, 'play.yaml'), secrets };
}

export async function kube({ podman, health, table }) {
  if (spawnSync('kubectl', ['version', '--client']).error) {
    table.saw(part, 'left out', 'kubectl is not installed');
    return;
  }
  const { file, secrets } = await manifests(podman);
  await podman.do('network', 'create', '--subnet', '10.77.0.0/24', NETWORK);
  for (const name of readdirSync(secrets)) await podman.do('secret', 'create', name, join(secrets, name));
  const beside = ['run', '-d', '--network', NETWORK];
  await podman.do(...beside, '--name', 'postgres', '-e', 'POSTGRES_USER=guild', '-e', 'POSTGRES_DB=guild', '-e', 'POSTGRES_PASSWORD=p1b2c3d4', '-e', 'POSTGRES_INITDB_ARGS=--encoding=UTF8', 'postgres:15-bookworm', 'postgres', '-c', 'max_connections=200');
  await podman.do(...beside, '--name', 'nats', '-e', 'NATS_PASSWORD=p5e6f7a8', '-v', `${root}/deploy/nats.conf:/etc/nats/nats.conf:ro`, 'nats:2.10-alpine', '-c', '/etc/nats/nats.conf');
  await podman.do('kube', 'play', '--network', NETWORK, file);
  const took = await health.healthy(PODS.map(({ container }) => container));
  const seen = [];
  for (const { pod, container } of PODS) {
    const { HostConfig, RestartCount } = await podman.inspect(container);
    const status = await podman.do('exec', container, 'cat', '/proc/1/status');
    assert.match(status, /^Uid:\s+10001\s/m, `${pod} runs as the user of the manifest`);
    assert.match(status, /^CapBnd:\s+0+$/m, `${pod} has no capability`);
    assert.equal(HostConfig.ReadonlyRootfs, true);
    if (RestartCount) seen.push(`${pod} ${RestartCount}`);
  }
  table.saw(part, 'the Deployments of deploy/kubernetes/base', `${PODS.length} pods; each healthy by its livenessProbe after ${took} s, user 10001, read-only, no capability; started again meanwhile: ${seen.join(', ') || 'none'}`);

  const conf = join(folder, 'kubernetes/nginx.conf');
  let text = readFileSync(join(root, 'deploy/nginx.conf'), 'utf8');
  for (const { service, n, pod } of PODS) {
    const infra = await podman.do('pod', 'inspect', pod, '--format', '{{.InfraContainerID}}');
    const { NetworkSettings } = await podman.inspect(infra);
    text = text.replaceAll(`${service}-${n + 1}:8080`, `${NetworkSettings.Networks[NETWORK].IPAddress}:8080`);
  }
  writeFileSync(conf, text);
  await podman.do(...beside, '--name', 'ingress', '-p', '127.0.0.1:8080:8080', '-v', `${conf}:/etc/nginx/nginx.conf:ro`, 'nginx:1.28-alpine');
  const { eventually } = await import('../../acceptance/lib/wait.mjs');
  await eventually('the ingress answers', async () => (await fetch(`${URL}/readyz`)).ok, 30_000);
  table.saw(part, 'stories from outside', await stories(URL, 'apart', 'flow', 'resume'));
  const faults = new Faults(podman);
  const talk = await Talk.open(URL, { apart: true });
  try {
    for (const { pod, container } of PODS) table.saw(part, `${pod}: kill -9`, await talk.through(() => faults.crash(container)));
    table.saw(part, 'the account', await talk.finish());
  } finally {
    await talk.end();
  }
  const check = await podman.do('exec', 'messages-pod-0-guild', 'guild', 'check');
  table.saw(part, 'guild check', check.split('\n').at(-1));
  await podman.do('kube', 'down', file);
  for (const name of readdirSync(secrets)) await podman.do('secret', 'rm', name);
}
