// Tokens as a host application would sign them, with node's own crypto.

import { createHmac, generateKeyPairSync, sign as signWith } from 'node:crypto';

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

/** Key pairs for the algorithms that are allowed. */
export function keyPair(alg) {
  const [type, options] = {
    RS256: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    EdDSA: ['ed25519', {}],
  }[alg];
  const { publicKey, privateKey } = generateKeyPairSync(type, options);
  return { alg, publicKey, privateKey, pem: publicKey.export({ type: 'spki', format: 'pem' }) };
}

/** A token with these claims; `key` is a secret (HS256) or a private key. */
export function jwt(claims, { alg = 'HS256', key, kid, header = {} }) {
  const head = encode({ alg, typ: 'JWT', ...(kid ? { kid } : {}), ...header });
  const text = `${head}.${encode(claims)}`;
  if (alg === 'none') return `${text}.`;
  let signature;
  if (alg === 'HS256') signature = createHmac('sha256', key).update(text).digest();
  else if (alg === 'RS256') signature = signWith('sha256', Buffer.from(text), key);
  else if (alg === 'ES256') signature = signWith('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  else signature = signWith(null, Buffer.from(text), key);
  return `${text}.${signature.toString('base64url')}`;
}
