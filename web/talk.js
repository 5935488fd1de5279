// The live connection: the stock socket.io client, a cursor that says what has reached this window, and an outbox that sends a message
// again, with the same nonce, until the server has said that it is on disk.

/* global io */

/** How long an acknowledgement may take before the message is sent again. */
const PATIENCE_MS = 15_000;

/** Refusals that may not be one the next time. */
const PASSING = new Set(['busy', 'rate_limited', 'internal']);

export class Talk {
  #socket;
  #cursor;
  #ready = false;
  #rooms = new Map();

  /**
   * @param {string} token
   * @param {(name: string, data: object) => void} hear every event of the server's
   * @param {(state: 'connected' | 'connecting' | 'away', text: string) => void} state
   * @param {(why: string) => void} ended the token is not valid (any more)
   */
  constructor(token, { hear, state, ended }) {
    const socket = io({ auth: (give) => give({ token, cursor: this.#cursor }) });
    this.#socket = socket;
    state('connecting', 'Connecting…');
    socket.on('connect', () => state('connecting', 'Catching up…'));
    socket.onAny((name, data) => {
      hear(name, data);
      if (data.cursor) this.#cursor = data.cursor;
      if (name === 'ready') {
        this.#ready = true;
        state('connected', 'Connected');
        for (const id of this.#rooms.keys()) this.#next(id);
      }
      if (name === 'error' && data.code === 'unauthenticated') ended(data.detail);
    });
    socket.on('disconnect', () => {
      this.#ready = false;
      state('away', 'Reconnecting…');
      this.#again();
    });
    socket.on('connect_error', (error) => {
      if (error.data?.code === 'unauthenticated') return ended(error.data.detail ?? error.message);
      state('away', error.data?.detail ?? 'Reconnecting…');
      return this.#again();
    });
  }

  get ready() { return this.#ready; }

  /** The client tries again by itself after a broken line, but not after the server's own word. */
  #again() {
    if (!this.#socket.active) setTimeout(() => this.#socket?.connect(), 1_500);
  }

  close() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#rooms.clear();
    socket.off();
    socket.offAny();
    socket.disconnect();
  }

  /** Emits and waits for the acknowledgement: what it adds, or an error with the server's words. */
  async ask(name, data) {
    if (!this.#ready) throw new Error('There is no connection at the moment; try again when it is back.');
    const ack = await this.#socket.timeout(PATIENCE_MS).emitWithAck(name, data).catch(() => {
      throw new Error('The server did not answer; try again.');
    });
    if (!ack.ok) throw Object.assign(new Error(ack.error.detail), ack.error);
    return ack;
  }

  /** Emits what need not arrive. */
  tell(name, data) {
    if (this.#ready) this.#socket.volatile.emit(name, data);
  }

  /**
   * Sends a message as soon as it can, after those of its room that wait already.
   * @param {{room: string, body: string, nonce: string}} message
   * @param {{sent: (message: object) => void, waits: (why: string) => void, failed: (why: string) => void}} told
   */
  send(message, told) {
    const queue = this.#rooms.get(message.room) ?? { list: [], busy: false };
    this.#rooms.set(message.room, queue);
    queue.list.push({ message, told });
    this.#next(message.room);
  }

  /** One message of a room at a time, so that they arrive in the order in which they were written. */
  async #next(id) {
    const queue = this.#rooms.get(id);
    if (!queue || queue.busy || !queue.list.length || !this.#ready) return;
    const { message, told } = queue.list[0];
    queue.busy = true;
    let pause = 0;
    try {
      const ack = await this.ask('message', message);
      queue.list.shift();
      told.sent(ack.message);
    } catch (error) {
      if (error.code && !PASSING.has(error.code)) {
        queue.list.shift();
        told.failed(error.message);
      } else {
        pause = error.retry_after_ms ?? 1_000;
        told.waits(error.code ? error.message : 'waiting for the connection');
      }
    }
    queue.busy = false;
    if (pause) setTimeout(() => this.#next(id), pause);
    else this.#next(id);
  }
}
