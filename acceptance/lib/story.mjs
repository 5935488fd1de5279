// How a story is told: one server for the file, people with names of their own for each test, and at the end of each test
// all lines closed and all disagreements with the documents said.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { tellSeen } from './contract.mjs';
import { Api } from './http.mjs';
import { NotOurs, Outside } from './outside.mjs';
import { Server, shape, tidy } from './server.mjs';
import { panics, Stage } from './stage.mjs';
import { within } from './wait.mjs';

/** A service that runs already, which stories are told to instead of one of their own (`run.mjs --at`). */
const { ACCEPTANCE_AT: outside } = process.env;

/** What the server logged during a test that failed. */
function tellLog(server, from, sentence) {
  const lines = server.log.slice(from).trimEnd().split('\n').filter(Boolean);
  if (lines.length) console.error(`--- the server's log of "${sentence}"${lines.length > 25 ? ' (its end)' : ''} ---\n${lines.slice(-25).join('\n')}`);
}

/**
 * Opens a story: `tell` gets `it(sentence, async (world) => …)`; the world has the file's `server`, `people(...names)`,
 * `nobody` (a client without a token) and `stage` for all else. `server: false` is for stories whose tests start their own.
 * A test's `not` says in which shapes it cannot be told, and why: `{ apart: 'reason' }`.
 */
export function story(title, options, tell) {
  const stage = new Stage();
  let server;
  describe(title, { timeout: options.timeout ?? 120_000 }, () => {
    if (options.server !== false) {
      before(async () => {
        server = await (outside ? new Outside(outside, { apart: shape === 'apart' }) : new Server(options)).start();
      });
      after(async () => {
        const wrong = panics(server);
        const end = await server.stop();
        await server.end();
        assert.deepEqual(wrong, []);
        if (options.endsCleanly !== false) assert.equal(end.code, 0, `the server should end cleanly on SIGTERM: ${JSON.stringify(end)}\n${server.tail()}`);
      });
    }
    const it = (sentence, body, more = {}) => test(sentence, { timeout: (more.timeout ?? 60_000) + 30_000, skip: more.not?.[shape] }, async (t) => {
      let failed = true;
      const servers = [];
      const said = server?.log.length ?? 0;
      const world = {
        t,
        stage,
        server,
        get nobody() { return new Api(server); },
        people: (...names) => stage.peopleOn(server, ...names),
        login: (username, password) => stage.login(server, username, password),
        wire: (wireOptions) => stage.wire(server, wireOptions),
        start: async (serverOptions) => {
          if (outside) throw new NotOurs('it needs a server of its own');
          const one = await stage.server(serverOptions);
          servers.push(one);
          return one;
        },
      };
      try {
        // an end of its own, before node's, so that a test that hangs still shows the server's log
        await within(more.timeout ?? 60_000, body(world), 'the end of the test');
        failed = false;
      } catch (error) {
        if (!(error instanceof NotOurs)) throw error;
        failed = false;
        t.skip(error.message);
      } finally {
        if (failed) for (const one of [server, ...servers]) if (one) tellLog(one, one === server ? said : 0, sentence);
        const wrong = await stage.clear();
        if (!failed && wrong.length) throw wrong.length === 1 ? wrong[0] : new AggregateError(wrong, wrong.map((one) => one.message).slice(0, 5).join('\n'));
      }
    });
    after(() => {
      tellSeen();
      tidy();
    });
    tell(it);
  });
}
