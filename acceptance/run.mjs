// Runs the stories: `node run.mjs [--shape near|postgres|apart|bytes] [name …]`. Without arguments it is the whole suite: every
// story in the shape `near` (one process, SQLite), and those that concern a client again in `postgres` (one process, PostgreSQL)
// and `apart` (two processes of each service, PostgreSQL and NATS). It ends with "acceptance: N passed, N failed".
// `--at URL` tells stories to a service that runs already, in the shape that `--shape` says; what needs a server of its own is left out.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Contract } from './lib/contract.mjs';
import { Postgres } from './lib/postgres.mjs';
import { binary, Server, shapes } from './lib/server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const names = readdirSync(join(here, 'stories')).filter((name) => name.endsWith('.test.mjs')).map((name) => basename(name, '.test.mjs'));

/** Stories that load the machine, or measure time on it, run after the others and alone. */
const ALONE = ['admission', 'crash', 'slow', 'disk', 'logging', 'outages', 'promoted', 'comeback'];
/** The shapes of the whole suite. `bytes` is for finding out whether it is the bytes or the network. */
const SUITE = ['near', 'postgres', 'apart'];
const ONE_PROCESS = 'it needs services apart, to take some of them away';
const SQLITE = 'it is about PostgreSQL\'s standbys';
const OWN_LOG = 'each process has an output of its own, and the disk in it is SQLite\'s';
const SAME = 'documents, and the pages in docs/, are the same in every shape';
/** What a shape cannot tell, and why. */
const CANNOT = {
  near: { outages: ONE_PROCESS, promoted: SQLITE },
  bytes: { outages: ONE_PROCESS, promoted: SQLITE },
  postgres: { outages: ONE_PROCESS, disk: 'the disk in it is SQLite\'s', logging: OWN_LOG, operations: 'it is about SQLite\'s file and one process', documents: SAME },
  apart: {
    documents: SAME,
    schemathesis: 'each service has a document of its own',
    disk: 'the disk in it is SQLite\'s',
    logging: OWN_LOG,
    operations: 'it is about SQLite\'s file and one process',
    admission: 'each process counts for itself',
    limits: 'each process counts for itself',
    comeback: 'each process counts for itself',
    slow: 'the ingress takes what the client does not',
  },
};
/** What the whole suite leaves out of a shape, to be quick: the code that these are about is the same in every shape. */
const LEFT = { near: [], bytes: [], postgres: ['admission', 'slow', 'schemathesis'], apart: [] };
/** Files at a time: most wait for something most of the time, on two cores. */
const CONCURRENCY = Number(process.env.ACCEPTANCE_CONCURRENCY ?? 3);

const args = process.argv.slice(2);
const flag = args.indexOf('--shape');
const onlyShape = flag >= 0 ? args.splice(flag, 2)[1] : undefined;
const place = args.indexOf('--at');
const at = place >= 0 ? args.splice(place, 2)[1] : undefined;
if (place >= 0 && !at) fail('--at needs the address of a service, such as http://127.0.0.1:8080');
if (at && !onlyShape) fail('--at needs --shape');
if (at) process.env.ACCEPTANCE_AT = at;
if (flag >= 0 && !shapes.includes(onlyShape)) fail(`no shape is called ${onlyShape}; there are: ${shapes.join(', ')}`);
for (const name of args) if (!names.includes(name)) fail(`no story is called ${name}; there are: ${names.join(', ')}`);
for (const name of args) if (onlyShape && CANNOT[onlyShape][name]) fail(`${name} cannot be told in the shape ${onlyShape}: ${CANNOT[onlyShape][name]}`);
if (!at && !existsSync(binary)) fail(`${binary} is missing; build it with: cargo build --release`);

function fail(why) {
  console.error(why);
  process.exit(2);
}

const seenFile = join(here, '.state', `seen-${process.pid}.txt`);
mkdirSync(dirname(seenFile), { recursive: true });
process.on('exit', () => rmSync(seenFile, { force: true }));
process.env.ACCEPTANCE_SEEN = seenFile;

const total = { passed: 0, failed: 0 };

/** Runs one story, in a process of its own; says a line for it, and more for each test that failed. */
async function tell(shape, name) {
  const file = join(here, 'stories', `${name}.test.mjs`);
  const failures = [];
  const notes = [];
  let [passed, skipped, noise] = [0, 0, ''];
  const began = performance.now();
  // forceExit: a test that ran out of time may leave something behind that would keep its process alive
  for await (const { type, data } of run({ files: [file], concurrency: 1, timeout: 600_000, forceExit: true })) {
    if (type === 'test:stderr') noise += data.message;
    if (type === 'test:diagnostic' && data.nesting > 0) notes.push(data.message);
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const whole = data.name === file; // the process itself
    const cause = data.details.error?.failureType;
    // A suite fails because of its tests, which count; or for a reason of its own (before, after), which counts as well.
    if (type === 'test:pass' && !whole && data.details.type !== 'suite') {
      if (data.skip === undefined) passed += 1;
      else skipped += 1;
    }
    if (type === 'test:fail' && (data.details.type === 'suite' ? cause === 'hookFailed' : !(whole && cause === 'subtestsFailed'))) failures.push(data);
  }
  if (passed + failures.length === 0) failures.push({ name: 'nothing was told', details: {} });
  console.log(`  ${failures.length ? '✗' : '✓'} ${shape} ${name}: ${passed} passed${skipped ? `, ${skipped} not in this shape` : ''}${failures.length ? `, ${failures.length} FAILED` : ''}, ${((performance.now() - began) / 1000).toFixed(0)} s`);
  for (const note of notes) console.log(`      ${note}`);
  for (const { name: sentence, details } of failures) {
    const error = details.error?.cause ?? details.error;
    console.log(`      ✗ ${sentence}\n${indented(10, String(error?.stack ?? error?.message ?? error).split('\n').slice(0, 14))}`);
  }
  if (failures.length && noise) console.log(indented(8, noise.trimEnd().split('\n')));
  total.passed += passed;
  total.failed += failures.length;
}

const indented = (by, lines) => lines.map((line) => ' '.repeat(by) + line).join('\n');

/** Runs these stories, a few at a time. The shape is a process-wide setting, so shapes come one after the other. */
async function tellAll(shape, stories, concurrency) {
  process.env.ACCEPTANCE_SHAPE = shape;
  const waiting = [...stories];
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (waiting.length) await tell(shape, waiting.shift());
  }));
}

/** Statuses that every call may answer and that a few calls stand for. */
const ANY = new Set(['401', '403', '409', '413', '415', '500', '503']);

/** What the documents name and no story ever saw; the whole suite must have met every call, event and acknowledgement. */
async function completeness() {
  const server = await new Server({ as: 'near' }).start();
  const contract = await Contract.read(server);
  await server.stop();
  const seen = new Set(existsSync(seenFile) ? readFileSync(seenFile, 'utf8').split('\n') : []);
  const named = contract.named();
  const missed = named.filter((key) => !seen.has(key));
  const must = missed.filter((key) => !key.startsWith('answer '));
  const answers = missed.filter((key) => key.startsWith('answer ') && !ANY.has(key.split(' ').at(-1)));
  console.log(`  documents: ${named.length - missed.length} of ${named.length} documented calls, answers, events and acknowledgements were met`);
  if (answers.length) console.log(`    answers that no story met: ${answers.map((key) => key.slice(7)).join(' · ')}`);
  if (must.length) {
    console.log(`    ✗ never met: ${must.join(' · ')}`);
    total.failed += 1;
  } else {
    total.passed += 1;
  }
}

const chosen = args.length ? args : names;
const began = performance.now();
for (const shape of onlyShape ? [onlyShape] : SUITE) {
  const shapeBegan = performance.now();
  const stories = chosen.filter((name) => !CANNOT[shape][name] && (onlyShape || args.length || !LEFT[shape].includes(name)));
  if (!stories.length) continue;
  if (!at && (shape === 'postgres' || shape === 'apart')) {
    // one server for all of them, each folder with a database of its own
    process.env.ACCEPTANCE_POSTGRES_PORT ??= (await Postgres.start({ synced: false, lasting: true })).port;
  }
  await tellAll(shape, stories.filter((name) => !ALONE.includes(name)), CONCURRENCY);
  await tellAll(shape, stories.filter((name) => ALONE.includes(name)), 1);
  const left = chosen.filter((name) => !stories.includes(name));
  if (!args.length) for (const name of left) console.log(`  - ${shape} ${name}: ${CANNOT[shape][name] ?? `left to --shape ${shape}`}`);
  console.log(`  ${shape}: ${((performance.now() - shapeBegan) / 1000).toFixed(0)} s`);
}
if (!args.length && !onlyShape) await completeness();
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s in all`);
console.log(`acceptance: ${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed ? 1 : 0);
