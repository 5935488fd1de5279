// Calls over REST. A refusal of the server's is thrown as Refused, whatever it was; the rest of the page shows `message`.

/** What the server, or the network, says no with. */
export class Refused extends Error {
  constructor({ code, detail, field, retryAfter }) {
    super(field && !detail.includes(field) ? `${field}: ${detail}` : detail);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  /** @param {() => void} onEnded called when the token is not valid (any more) */
  constructor(token, onEnded) {
    this.token = token;
    this.onEnded = onEnded;
  }

  /** The answer's body; undefined where it has none. */
  async call(method, path, body) {
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers: {
          ...(this.token && { authorization: `Bearer ${this.token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new Refused({ code: 'unreachable', detail: 'The server cannot be reached.' });
    }
    const text = await answer.text();
    let value;
    try {
      value = text ? JSON.parse(text) : undefined;
    } catch {
      value = undefined;
    }
    if (answer.ok) return value;
    const refused = new Refused({
      code: value?.code ?? 'unknown',
      detail: value?.detail ?? `The server answered ${answer.status} ${answer.statusText}`.trim(),
      field: value?.field,
      retryAfter: Number(answer.headers.get('retry-after')) || undefined,
    });
    if (refused.code === 'unauthenticated' && this.token) this.onEnded(refused.message);
    throw refused;
  }

  get(path) { return this.call('GET', path); }

  /** Every item of a paged list. */
  async all(path) {
    const items = [];
    let after;
    do {
      const more = new URLSearchParams({ limit: '100', ...(after && { after }) });
      const page = await this.get(`${path}?${more}`);
      items.push(...page.items);
      after = page.next;
    } while (after);
    return items;
  }
}
