// Statements past the program, on the database that it keeps everything in: for what only another program would write.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

const PYTHON = 'import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None,timeout=10)\nfor s in sys.argv[2:]:\n  for row in c.execute(s): print("|".join(map(str,row)))\nc.close()';

function answered(program, args) {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout.trim().split('\n').filter(Boolean);
}

/** Runs statements on a file of SQLite's, each by itself; answers the rows, with | between the columns. */
export function sqliteSays(file, ...statements) {
  return answered('python3', ['-c', PYTHON, file, ...statements]);
}

/** The same on PostgreSQL, by a database's address. */
export function postgresSays(url, ...statements) {
  return answered('psql', ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set', 'ON_ERROR_STOP=1', '--dbname', url, ...statements.flatMap((one) => ['--command', one])]);
}
