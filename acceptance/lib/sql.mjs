// Statements past the program, on the database that it keeps everything in: for what only another program would write.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const PYTHON = 'import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None,timeout=10)\nfor s in sys.argv[2:]:\n  for row in c.execute(s): print("|".join(map(str,row)))\nc.close()';

const lines = (text) => text.trim().split('\n').filter(Boolean);

function answered(program, args) {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return lines(done.stdout);
}

/** Runs statements on a file of SQLite's, each by itself; answers the rows, with | between the columns. */
export function sqliteSays(file, ...statements) {
  return answered('python3', ['-c', PYTHON, file, ...statements]);
}

const psql = (url, statements) => ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set', 'ON_ERROR_STOP=1', '--dbname', url, ...statements.flatMap((one) => ['--command', one])];

/** The same on PostgreSQL, by a database's address. Several statements in one text are one transaction. */
export function postgresSays(url, ...statements) {
  return answered('psql', psql(url, statements));
}

/** The same, while this process goes on. */
export async function postgresSaysBeside(url, ...statements) {
  return lines((await promisify(execFile)('psql', psql(url, statements))).stdout);
}
