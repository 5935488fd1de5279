// A tiny REST client. It keeps no opinion about answers except the documents': each answer of a route is held against
// /openapi.json (contract.mjs), so that every story checks the document by the way.

import assert from 'node:assert/strict';
import { contractOf } from './contract.mjs';

export class Api {
  constructor(server, token) {
    this.server = server;
    this.token = token;
  }

  /** The same client as somebody else; `undefined` is nobody. */
  as(token) {
    return new Api(this.server, token);
  }

  get(path, options) { return this.call('GET', path, undefined, options); }
  post(path, body, options) { return this.call('POST', path, body, options); }
  put(path, body, options) { return this.call('PUT', path, body, options); }
  patch(path, body, options) { return this.call('PATCH', path, body, options); }
  delete(path, options) { return this.call('DELETE', path, undefined, options); }

  /**
   * Answers {status, headers, body, text}; `body` is the parsed JSON where the answer is JSON.
   * `raw` sends those bytes instead of JSON; `documented: false` is for calls that no document can describe.
   */
  async call(method, path, body, { headers = {}, raw, documented = true, redirect = 'manual' } = {}) {
    const sent = { ...headers };
    if (this.token !== undefined && !('authorization' in sent)) sent.authorization = `Bearer ${this.token}`;
    if (body !== undefined && !('content-type' in sent)) sent['content-type'] = 'application/json';
    for (const [name, value] of Object.entries(sent)) if (value === null) delete sent[name];
    const answer = await fetch(this.server.url + path, {
      method,
      headers: sent,
      body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
      redirect,
      signal: AbortSignal.timeout(30_000),
    });
    const text = await answer.text();
    const type = answer.headers.get('content-type') ?? '';
    const seen = { status: answer.status, headers: answer.headers, type, text, body: /json/.test(type) && text ? JSON.parse(text) : undefined };
    if (documented && !answer.redirected) (await contractOf(this.server)).checkAnswer(method, path, seen);
    return seen;
  }

  /** A call that must succeed with this status; answers its body. */
  async ok(status, method, path, body, options) {
    const answer = await this.call(method, path, body, options);
    assert.equal(answer.status, status, `${method} ${path} should be ${status}, was ${answer.status}: ${answer.text}`);
    return answer.body;
  }

  /** A call that must be refused with this code; answers the problem. */
  async refused(code, method, path, body, options) {
    const answer = await this.call(method, path, body, options);
    assert.equal(answer.body?.code, code, `${method} ${path} should be refused as ${code}, was ${answer.status}: ${answer.text}`);
    checkProblem(answer);
    return answer.body;
  }
}

/** The status that belongs to each code. */
export const STATUS = {
  invalid_request: 400,
  unauthenticated: 401,
  invalid_credentials: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  nonce_conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal: 500,
  busy: 503,
};

/** Every refusal has this form (RFC 9457). */
export function checkProblem({ status, type, headers, body }) {
  assert.match(type, /^application\/problem\+json/);
  assert.ok(body.code in STATUS, `${body.code} is no code of the contract`);
  assert.equal(status, STATUS[body.code], `${body.code} should have the status ${STATUS[body.code]}`);
  assert.equal(body.status, status);
  for (const field of ['type', 'title', 'detail']) {
    assert.equal(typeof body[field], 'string', `a problem has a ${field}`);
    assert.notEqual(body[field], '');
  }
  if ('field' in body) assert.equal(typeof body.field, 'string');
  if (body.code === 'rate_limited' || body.code === 'busy') assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/, 'Retry-After in whole seconds');
  if (body.code === 'internal') assert.ok(body.incident, 'internal has an incident id');
}
