// What stands in front of services apart: it sends each path to its service, as deploy/nginx.conf does, to the instances in
// turn; a polling session's requests to the instance that it began at. Whoever refuses the connection is passed over; a
// request that somebody has taken is never sent twice. It keeps no opinion about what is in requests and answers.

import { createServer, request as ask } from 'node:http';
import { connect } from 'node:net';

/** Headers that are about one connection, not about the request. */
const OF_THE_LINE = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding'];

/** Raw headers (name, value, name, value, …) without those of these names. */
function without(names, raw) {
  return raw.filter((_, n) => !names.includes(raw[n - (n % 2)].toLowerCase()));
}

/** A connection to this port, or nothing if it is refused. */
function dialled(port) {
  return new Promise((done, fail) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => done(socket));
    socket.once('error', (error) => (error.code === 'ECONNREFUSED' ? done(undefined) : fail(error)));
  });
}

export class Ingress {
  #sessions = new Map();
  #turns = { users: 0, messages: 0, chat: 0 };
  #lines = new Set();

  /** @param {{users: object[], messages: object[], chat: object[]}} services instances with a `port` each */
  constructor(services) {
    this.services = services;
    this.server = createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
    this.server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      this.#join(request, socket, head).catch(() => socket.destroy());
    });
  }

  async listen() {
    await new Promise((done, fail) => this.server.on('error', fail).listen(0, '127.0.0.1', done));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
    for (const line of this.#lines) line.destroy();
  }

  /** An instance for this path, and a connection to it; nobody there is an error. */
  async #reach(path) {
    const service = /^\/users([/?]|$)/.test(path) ? 'users' : /^\/(rooms|messages|graphql)([/?]|$)/.test(path) ? 'messages' : 'chat';
    const all = this.services[service];
    const turn = this.#turns[service]++;
    const home = this.#sessions.get(sessionOf(path));
    const order = [...(home ? [home] : []), ...all.map((_, n) => all[(turn + n) % all.length])];
    for (const instance of order) {
      const socket = await dialled(instance.port);
      if (socket) return { instance, socket };
    }
    throw new Error(`nobody answers ${path}`);
  }

  async #pass(request, response) {
    const { instance, socket } = await this.#reach(request.url);
    if (response.destroyed) {
      socket.destroy();
      return;
    }
    const asked = ask({ createConnection: () => socket, method: request.method, path: request.url, headers: without(OF_THE_LINE.slice(0, 3), request.rawHeaders), setHost: false });
    let answer;
    asked.on('response', (it) => {
      answer = it;
      response.sendDate = false;
      response.writeHead(answer.statusCode, answer.statusMessage, without(OF_THE_LINE, answer.rawHeaders));
      if (request.url.startsWith('/socket.io/') && !sessionOf(request.url)) this.#remember(answer, instance);
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    // An instance may answer and hang up before it has read the whole request.
    asked.on('error', () => { if (!answer?.complete) response.destroy(); });
    response.on('close', () => asked.destroy());
    response.on('finish', () => request.resume());
    request.pipe(asked);
  }

  /** A polling session begins with an answer that names it. */
  #remember(answer, instance) {
    let begun = '';
    answer.on('data', (chunk) => {
      begun += chunk;
      const sid = begun.match(/"sid":"([^"]+)"/)?.[1];
      if (sid) this.#sessions.set(sid, instance);
    });
  }

  /** From here on both ends talk as they like. */
  async #join(request, client, head) {
    const { socket } = await this.#reach(request.url);
    const lines = request.rawHeaders.flatMap((name, n, raw) => (n % 2 ? [] : [`${name}: ${raw[n + 1]}`]));
    socket.write([`${request.method} ${request.url} HTTP/1.1`, ...lines, '', ''].join('\r\n'), 'latin1');
    socket.write(head);
    for (const [one, other] of [[socket, client], [client, socket]]) {
      this.#lines.add(one);
      one.on('error', () => other.destroy());
      one.on('close', (failed) => {
        this.#lines.delete(one);
        if (failed || one === client) other.destroy();
      });
      one.pipe(other);
    }
    if (client.destroyed) socket.destroy();
  }
}

function sessionOf(path) {
  return path.startsWith('/socket.io/') ? (new URLSearchParams(path.split('?')[1] ?? '').get('sid') ?? undefined) : undefined;
}
