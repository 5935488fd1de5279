// A flood: one user, or one address, that repeats one call as fast as it is answered. It runs in a thread of its own, so that whoever
// measures the others beside it is not slowed down by it. `flood(what)` starts one and answers what came of it.

import http from 'node:http';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import WebSocket from 'ws';
import { io } from 'socket.io-client';

/** Calls under way at once: below the 64 events that one connection may have unanswered, which is another limit. */
const AT_ONCE = 32;
/** How long a flood tries to meet its limit: on a machine that is too slow to flood, longer than it may take. */
const WITHIN_MS = 12_000;
/** How long it goes on after that. */
const AFTER_MS = 400;

/**
 * @param {object} what
 * @param {string} what.url
 * @param {string} [what.from]  the address that it comes from (any of 127.0.0.0/8)
 * @param {string} [what.token]
 * @param {[string, string, object?][]} [what.rest]  calls, repeated in turn
 * @param {string[]} [what.tokens]                   tokens for those instead of the one: a call that passes ends its token. Without any
 *   left the flood is over
 * @param {[string, object][]} [what.events]         events, repeated in turn over one socket
 * @param {boolean} [what.unknown]                   over a socket that has not authenticated
 * @param {object} [what.connects]                   the auth of connections that are opened and closed again
 * @param {object} [what.subscribes]                 a payload of graphql-transport-ws, subscribed to and completed again
 * @returns {Promise<{limitedMs?: number, passed: number, refused: number, others: object, sample?: string}>} after how many ms it was first
 *   told `rate_limited`, how many calls passed until the end, how many were so refused, and how many answers of every other kind came
 */
export function flood(what) {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: what });
  return new Promise((done, fail) => {
    worker.once('message', done);
    worker.once('error', fail);
    worker.once('exit', (code) => { if (code) fail(new Error(`the flood ended with ${code}`)); });
  }).finally(() => worker.terminate());
}

/** Counts answers, and says when it is enough. */
class Tally {
  began = performance.now();
  passed = 0;
  refused = 0;
  others = {};

  note(code, detail) {
    if (code === undefined) this.passed += 1;
    else if (code === 'rate_limited') {
      this.refused += 1;
      this.limitedMs ??= performance.now() - this.began;
      this.sample ??= detail;
    } else this.others[code] = (this.others[code] ?? 0) + 1;
  }

  get over() {
    const now = performance.now() - this.began;
    return now > WITHIN_MS || (this.limitedMs !== undefined && now > this.limitedMs + AFTER_MS);
  }
}

/** Repeats `call(n)` in a number of lanes until the tally says that it is enough, or there is nothing left to call with. */
async function repeat(tally, call, lanes = AT_ONCE) {
  let n = 0;
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (!tally.over) {
      const answer = await call(n++);
      if (answer === undefined) return;
      tally.note(answer.code, answer.detail);
    }
  }));
}

function request(agent, { url, from, token }, [method, path, body]) {
  const { hostname, port } = new URL(url);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
  };
  return new Promise((done) => {
    const asked = http.request({ hostname, port, localAddress: from, agent, method, path, headers }, (answer) => {
      let said = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => { said += part; });
      answer.on('end', () => {
        const json = /json/.test(answer.headers['content-type'] ?? '') && said ? JSON.parse(said) : {};
        // GraphQL tells its refusals with the status 200, and a batch is a list of answers
        const error = [json].flat().flatMap((one) => one.errors ?? [])[0];
        if (answer.statusCode < 400) done({ code: error?.extensions?.code, detail: error?.message });
        else done({ code: json.code ?? error?.extensions?.code ?? `status ${answer.statusCode}`, detail: json.detail ?? error?.message });
      });
    });
    asked.on('error', (error) => done({ code: `line: ${error.code}` }));
    asked.end(text);
  });
}

async function byRest(tally, what) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const one = (n, token) => request(agent, { ...what, token }, what.rest[n % what.rest.length]);
  const left = [...(what.tokens ?? [])];
  await repeat(tally, what.tokens === undefined ? (n) => one(n, what.token) : async (n) => {
    const token = left.shift();
    if (token === undefined) return undefined;
    const answer = await one(n, token);
    // only what was refused has left its token as it was
    if (answer.code === 'rate_limited') left.push(token);
    return answer;
  });
  agent.destroy();
}

async function byEvents(tally, { url, token, events, unknown = false }) {
  const socket = io(url, { ...(unknown ? {} : { auth: { token } }), transports: ['websocket'], reconnection: false });
  await new Promise((done, fail) => {
    socket.once(unknown ? 'connect' : 'ready', done);
    socket.once('connect_error', fail);
  });
  tally.began = performance.now();
  await repeat(tally, async (n) => {
    const [name, payload] = events[n % events.length];
    const ack = await socket.timeout(10_000).emitWithAck(name, payload).catch((error) => ({ ok: false, error: { code: `no answer: ${error.message}` } }));
    return ack.ok ? {} : { code: ack.error.code, detail: ack.error.detail };
  });
  socket.close();
}

/** One connection over a bare websocket, up to its `ready` or its refusal. */
function connectOnce({ url, from, connects }) {
  return new Promise((done) => {
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { localAddress: from });
    const end = (answer) => {
      ws.terminate();
      done(answer);
    };
    ws.on('error', (error) => end({ code: /429/.test(error.message) ? 'rate_limited' : `line: ${error.message}`, detail: error.message }));
    ws.on('close', () => end({ code: 'closed without a word' }));
    ws.on('message', (data) => {
      const text = String(data);
      if (text.startsWith('0')) ws.send(`40${JSON.stringify(connects)}`);
      else if (text.startsWith('44')) {
        const { message, data: told } = JSON.parse(text.slice(2));
        end({ code: told?.code ?? 'connect_error', detail: message });
      } else if (text.startsWith('42')) {
        const [name, payload] = JSON.parse(text.slice(2));
        if (name === 'error') end({ code: payload.code, detail: payload.detail });
        if (name === 'ready') end({});
      }
    });
  });
}

async function bySubscriptions(tally, { url, token, subscribes }) {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const waiting = new Map();
  await new Promise((done, fail) => {
    ws.on('error', fail);
    ws.on('open', () => ws.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })));
    ws.on('message', (data) => {
      const { type, id, payload } = JSON.parse(String(data));
      if (type === 'connection_ack') done();
      if (type === 'next' || type === 'error') {
        const error = (type === 'error' ? payload : payload.errors)?.[0];
        waiting.get(id)?.({ code: error?.extensions?.code, detail: error?.message });
      }
    });
  });
  tally.began = performance.now();
  // below the 20 operations that one socket may have at once
  await repeat(tally, (n) => new Promise((done) => {
    const id = String(n);
    waiting.set(id, (answer) => {
      waiting.delete(id);
      ws.send(JSON.stringify({ type: 'complete', id }));
      done(answer);
    });
    ws.send(JSON.stringify({ type: 'subscribe', id, payload: subscribes }));
  }), 8);
  ws.terminate();
}

if (!isMainThread && workerData?.url) {
  // A flood comes from another machine. Here it shares the server's cores, so it takes only the time that nobody else wants. (On Linux
  // this is the thread's own priority.)
  setPriority(constants.priority.PRIORITY_LOW);
  const tally = new Tally();
  if (workerData.rest) await byRest(tally, workerData);
  else if (workerData.events) await byEvents(tally, workerData);
  else if (workerData.connects) await repeat(tally, () => connectOnce(workerData), 8);
  else await bySubscriptions(tally, workerData);
  parentPort.postMessage({ ...tally });
}
