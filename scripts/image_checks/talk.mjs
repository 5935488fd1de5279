// Those who talk to a service in containers from outside: the stories of acceptance/, and people whose account is drawn up at the end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const lib = (name) => import(join(root, 'acceptance/lib', `${name}.mjs`));

/**
 * How everybody talks: all the time, but not so much that who is cut off for the 45 s after which a silent line is given up has missed more than
 * a cursor may lie behind.
 */
const TALK = { outstanding: 2, pause: 400 };
/** Acknowledgements that show that the service works. */
export const SOME = 60;
export const SOON_MS = 60_000;

/** Tells stories to this address; answers what was told, in words. */
export function stories(url, shape, ...names) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(root, 'acceptance/run.mjs'), '--shape', shape, '--at', url, ...names], { env: { ...process.env, ACCEPTANCE_CONCURRENCY: '1' }, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
    child.on('close', (code) => {
      if (code !== 0) fail(new Error(`the stories ${names.join(', ')} failed:\n${text}`));
      else done(text.split('\n').filter((line) => /[✓✗]/.test(line)).map((line) => line.replace(/ *✓ \w+ /, '').trim()).join('; '));
    });
  });
}

/** People who talk. */
export class Talk {
  /** @param {string} url @param {boolean} apart */
  static async open(url, { apart = false } = {}) {
    const { Account } = await lib('account');
    const { Outside } = await lib('outside');
    const { Stage } = await lib('stage');
    const talk = new Talk();
    talk.server = new Outside(url, { apart });
    talk.stage = new Stage();
    talk.account = await Account.open(talk.stage, talk.server);
    talk.account.talk(TALK);
    await talk.account.more(SOME, SOON_MS);
    return talk;
  }

  /** Something happens, and everybody goes on; answers the milliseconds until so many more acknowledgements were there. */
  async through(happens) {
    const { retries, connections } = this.account;
    await happens();
    const ms = await this.account.more(SOME, SOON_MS);
    await this.account.arrived(SOON_MS);
    return `the next ${SOME} acknowledgements within ${Math.round(ms)} ms; ${this.account.retries - retries} sends retried, ${this.account.connections - connections} receivers came back`;
  }

  /** The account. */
  async finish() {
    const said = await this.account.finish();
    const wrong = await this.stage.clear();
    assert.equal(wrong.length, 0, wrong.map((one) => one.message).join('\n'));
    return `${said}; nothing lost, doubled or out of order`;
  }

  /** Whatever happened, nobody talks on. */
  async end() {
    for (const one of [...(this.account?.senders ?? []), ...(this.account ? [this.account.visitor] : [])]) one.over = true;
    for (const one of this.account?.receivers ?? []) one.stop();
    await this.stage.clear().catch(() => {});
  }
}
