// A service that somebody else runs, at an address: in containers, say. A story can talk to it, and neither start nor end it.

/** A test needs a server that it can start, stop or set, and there is none. */
export class NotOurs extends Error {
  name = 'NotOurs';
}

export class Outside {
  /** What it logs is elsewhere. */
  log = '';
  alive = true;

  /**
   * @param {string} url where all of it answers
   * @param {object} [how]
   * @param {boolean} [how.apart] its services are processes of their own, and each has a document of its own
   */
  constructor(url, { apart = false } = {}) {
    this.url = url;
    this.documents = ['/openapi.json', ...(apart ? ['/users/openapi.json', '/messages/openapi.json'] : [])];
  }

  async start() {
    return this;
  }

  async stop() {
    return { code: 0, signal: null };
  }

  async end() {}

  tail() {
    return '(the log is elsewhere)';
  }

  /** The processes of one service. */
  of() {
    throw new NotOurs('it needs the address of each process');
  }

  run() {
    throw new NotOurs('it runs commands beside the server');
  }
}
