// An identity provider on this machine: signs tokens, and serves its public keys as a JSON Web Key Set over http or https.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import { ofStory } from './children.mjs';
import { inSeconds, jwt, keyPair } from './jwt.mjs';

export class Provider {
  #server;
  #pairs = new Map();

  /** What it answers instead of its keys: `(request, answer) => …`. */
  instead;
  /** The headers of its answers. */
  headers = {};
  /** How often it was asked. */
  asked = 0;

  /** Begins to listen on loopback. With `secure` it speaks https as localhost, and `authority` is the file of who signed its certificate. */
  async start({ secure = false } = {}) {
    const respond = (request, answer) => {
      this.asked += 1;
      if (this.instead) return this.instead(request, answer);
      answer.writeHead(200, { 'content-type': 'application/json', ...this.headers });
      return answer.end(this.set());
    };
    if (secure) {
      const { key, cert } = this.#certificate();
      this.#server = createSecureServer({ key, cert }, respond);
    } else {
      this.#server = createServer(respond);
    }
    await new Promise((done) => { this.#server.listen(0, '127.0.0.1', done); });
    this.port = this.#server.address().port;
    this.url = `${secure ? 'https' : 'http'}://${secure ? 'localhost' : '127.0.0.1'}:${this.port}/jwks.json`;
    return this;
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((done) => { this.#server.close(done); });
  }

  /** Signs with a key of this name from now on, and publishes it; the former ones stay until `drop`. */
  key(kid, alg = 'ES256') {
    this.#pairs.set(kid, keyPair(alg));
    return this;
  }

  drop(kid) {
    this.#pairs.delete(kid);
    return this;
  }

  /** Its public keys, as they are fetched. */
  set() {
    const keys = [...this.#pairs].map(([kid, { alg, publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }));
    return JSON.stringify({ keys });
  }

  /** A token by the key of this name. */
  token(kid, claims) {
    const { alg, privateKey } = this.#pairs.get(kid);
    return jwt({ exp: inSeconds(600), ...claims }, { alg, key: privateKey, kid });
  }

  #certificate() {
    const folder = ofStory.folder();
    const [authorityKey, key, request, cert] = ['authority.key', 'server.key', 'server.csr', 'server.pem'].map((name) => join(folder, name));
    this.authority = join(folder, 'authority.pem');
    const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...ec, '-keyout', authorityKey, '-out', this.authority, '-days', '2', '-subj', '/CN=a story');
    openssl('req', ...ec, '-keyout', key, '-out', request, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost');
    openssl('x509', '-req', '-in', request, '-CA', this.authority, '-CAkey', authorityKey, '-CAcreateserial', '-out', cert, '-days', '2', '-copy_extensions', 'copy');
    return { key: readFileSync(key), cert: readFileSync(cert) };
  }
}
