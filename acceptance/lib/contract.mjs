// Holds what is on the wire against the documents that the program serves about itself: REST answers against
// /openapi.json, events and acknowledgements against /asyncapi.json. It is used inside http.mjs and sockets.mjs, so every
// story checks the documents without a word about it.
//
// An answer is compared more strictly than JSON Schema does by itself: a field that the document does not name is a
// disagreement as well.

import { appendFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** What the stories saw of the documents; run.mjs adds it up over all processes. */
const seen = new Set();

/** Writes down what was seen; at the end of each story, because a process may be made to end at once. */
export function tellSeen() {
  const file = process.env.ACCEPTANCE_SEEN;
  if (file && seen.size) appendFileSync(file, [...seen].join('\n') + '\n');
}

const known = new Map();

/** The contract of a server that has none: its processes are of two programs. */
const NONE = { checkAnswer() {}, checkEvent() {}, checkAck() {} };

/** The contract that this server documents; read once per process and program, since all servers that are checked run the same binary. */
export function contractOf(server) {
  if (server.checked === false) return NONE;
  const key = 'documents';
  if (!known.has(key)) {
    const loading = Contract.read(server);
    known.set(key, loading);
    loading.catch(() => known.delete(key));
  }
  return known.get(key);
}

export class Disagreement extends Error {
  name = 'Disagreement';
}

export class Contract {
  static async read(server) {
    const load = async (path) => {
      const answer = await fetch(server.url + path);
      if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}`);
      return answer.json();
    };
    return new Contract(together(await Promise.all(server.documents.map(load))), await load('/asyncapi.json'));
  }

  constructor(openapi, asyncapi) {
    this.openapi = openapi;
    this.asyncapi = asyncapi;
    this.routes = routesOf(openapi);
    this.events = eventsOf(asyncapi);
    this.ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
    addFormats(this.ajv);
    this.ajv.addSchema({ ...strictCopy(openapi), $id: 'openapi' });
    this.ajv.addSchema({ ...strictCopy(asyncapi), $id: 'asyncapi' });
    this.compiled = new Map();
  }

  /** Every operation, answer and event that the documents name, as the keys that `seen` collects. */
  named() {
    const keys = [];
    for (const { method, template, operation } of this.routes) {
      keys.push(`rest ${method} ${template}`);
      for (const status of Object.keys(operation.responses ?? {})) keys.push(`answer ${method} ${template} ${status}`);
    }
    for (const name of this.events.server.keys()) keys.push(`event ${name}`);
    for (const name of this.events.client.keys()) keys.push(`ack ${name}`);
    return keys;
  }

  checkAnswer(method, path, { status, type, body }) {
    const bare = path.split('?')[0];
    const template = this.routes.find((one) => one.pattern.test(bare))?.template;
    const route = this.routes.find((one) => one.method === method && one.template === template);
    if (!route) {
      // Unknown routes and methods are refused with a problem; all else must be documented.
      if (['not_found', 'method_not_allowed', 'unauthenticated', 'too_large', 'forbidden'].includes(body?.code)) return;
      throw new Disagreement(`${method} ${bare} answered ${status}, and /openapi.json knows no such call`);
    }
    seen.add(`rest ${method} ${route.template}`);
    const responses = route.operation.responses ?? {};
    const key = [String(status), `${String(status)[0]}XX`, 'default'].find((one) => one in responses);
    if (!key) throw new Disagreement(`${method} ${route.template} answered ${status} (${body?.code ?? ''}), and /openapi.json lists ${Object.keys(responses)}`);
    seen.add(`answer ${method} ${route.template} ${key}`);
    const pointer = resolve(this.openapi, `#/paths/${escape(route.template)}/${method.toLowerCase()}/responses/${key}`);
    const response = lookup(this.openapi, pointer);
    const content = response.content;
    if (!content) {
      if (body !== undefined) throw new Disagreement(`${method} ${route.template} ${status} has a body that /openapi.json does not have: ${JSON.stringify(body)}`);
      return;
    }
    const media = Object.keys(content).find((one) => type.startsWith(one)) ?? (type === '' ? undefined : Object.keys(content).find((one) => one === '*/*'));
    if (!media) throw new Disagreement(`${method} ${route.template} ${status} is ${type}, and /openapi.json says ${Object.keys(content)}`);
    if (body === undefined || !content[media].schema) return;
    this.check('openapi', `${pointer}/content/${escape(media)}/schema`, body, `the answer ${status} of ${method} ${route.template}`);
  }

  checkEvent(name, args) {
    const pointer = this.events.server.get(name);
    if (!pointer) throw new Disagreement(`the server sent "${name}", and /asyncapi.json knows no such event`);
    if (args.length !== 1) throw new Disagreement(`"${name}" carries ${args.length} arguments instead of exactly one object`);
    seen.add(`event ${name}`);
    this.check('asyncapi', pointer, args[0], `the event "${name}"`);
  }

  /** An acknowledgement, and the request that it accepted. */
  checkAck(name, request, args) {
    const documented = this.events.client.get(name);
    if (!documented) return; // no event of the contract: the stories that send it say what they expect
    if (args.length !== 1) throw new Disagreement(`the acknowledgement of "${name}" carries ${args.length} arguments instead of exactly one object`);
    seen.add(`ack ${name}`);
    const [ack] = args;
    const failures = [];
    for (const pointer of documented.replies) {
      const errors = this.errors('asyncapi', pointer, ack);
      if (!errors) {
        failures.length = 0;
        break;
      }
      failures.push(errors);
    }
    if (documented.replies.length === 0) throw new Disagreement(`/asyncapi.json documents no acknowledgement of "${name}"`);
    if (failures.length) throw new Disagreement(`the acknowledgement of "${name}" and /asyncapi.json disagree: ${failures.join(' | ')}\n${JSON.stringify(ack)}`);
    if (ack.ok && documented.request) {
      const errors = this.errors('asyncapi', documented.request, request, true);
      if (errors) throw new Disagreement(`"${name}" was accepted though /asyncapi.json forbids it: ${errors}\n${JSON.stringify(request)}`);
    }
  }

  check(document, pointer, value, what) {
    const errors = this.errors(document, pointer, value);
    if (errors) throw new Disagreement(`${what} and /${document}.json disagree: ${errors}\n${JSON.stringify(value)?.slice(0, 2000)}`);
  }

  /** Nothing, or what is wrong. A lenient check lets unknown fields pass, as the server does with requests. */
  errors(document, pointer, value, lenient = false) {
    const key = `${document}${pointer}`;
    let validate = this.compiled.get(key);
    if (!validate) {
      validate = this.ajv.compile({ allOf: [{ $ref: key }], ...(openEnded(this[document], pointer) ? {} : { unevaluatedProperties: false }) });
      this.compiled.set(key, validate);
    }
    if (validate(value)) return undefined;
    const errors = lenient ? validate.errors.filter((one) => one.keyword !== 'unevaluatedProperties') : validate.errors;
    if (!errors.length) return undefined;
    return errors.map((one) => `${one.instancePath || 'it'} ${one.message}${one.params.unevaluatedProperty ? ` (${one.params.unevaluatedProperty})` : ''}`).join('; ');
  }
}

// ---- how the documents are read: the only place that knows their form ----

/** The OpenAPI documents of services apart as one; what two of them describe, they must describe alike. */
function together(documents) {
  const [whole, ...parts] = documents;
  const take = (from, into, what) => {
    for (const [name, one] of Object.entries(from ?? {})) {
      if (name in into && !isDeepStrictEqual(into[name], one)) throw new Disagreement(`the services' OpenAPI documents disagree about ${what} ${name}`);
      into[name] = one;
    }
  };
  for (const part of parts) {
    take(part.paths, whole.paths, 'the path');
    whole.components ??= {};
    for (const [kind, named] of Object.entries(part.components ?? {})) take(named, (whole.components[kind] ??= {}), kind);
  }
  return whole;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

function routesOf(openapi) {
  const routes = [];
  for (const [template, item] of Object.entries(openapi.paths ?? {})) {
    const pattern = new RegExp(`^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}$`);
    const literal = template.split('/').filter((part) => part && !part.startsWith('{')).length;
    for (const method of METHODS) {
      if (item[method]) routes.push({ method: method.toUpperCase(), template, pattern, literal, operation: item[method] });
    }
  }
  // /users/me before /users/{username}
  return routes.sort((a, b) => b.literal - a.literal);
}

/**
 * AsyncAPI 3: an operation says from the program's view whether it receives (a client emits) or sends (the server emits);
 * its messages are references into a channel's messages; a message's `name` is the event's; the acknowledgement is the
 * operation's `reply`.
 */
function eventsOf(asyncapi) {
  const server = new Map();
  const client = new Map();
  for (const [id, operation] of Object.entries(asyncapi.operations ?? {})) {
    const references = operation.messages ?? Object.keys(lookup(asyncapi, resolve(asyncapi, operation.channel.$ref)).messages).map((one) => ({ $ref: `${operation.channel.$ref}/messages/${escape(one)}` }));
    for (const reference of references) {
      const { name, payload } = messageAt(asyncapi, reference.$ref);
      if (operation.action === 'send') server.set(name, payload);
      else if (operation.action === 'receive') client.set(name, { request: payload, replies: repliesOf(asyncapi, operation) });
      else throw new Error(`/asyncapi.json: the operation ${id} neither sends nor receives`);
    }
  }
  return { server, client };
}

function repliesOf(asyncapi, operation) {
  const reply = operation.reply && (operation.reply.$ref ? lookup(asyncapi, resolve(asyncapi, operation.reply.$ref)) : operation.reply);
  return (reply?.messages ?? []).map((one) => messageAt(asyncapi, one.$ref).payload).filter(Boolean);
}

function messageAt(document, reference) {
  const pointer = resolve(document, reference);
  const message = lookup(document, pointer);
  const payload = message.payload === undefined ? undefined : message.payload.schema ? `${pointer}/payload/schema` : `${pointer}/payload`;
  return { name: message.name ?? unescape(pointer.split('/').at(-1)), payload };
}

// ---- JSON pointers and schemas ----

const escape = (key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));
const unescape = (key) => decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');

function lookup(document, pointer) {
  let at = document;
  for (const part of pointer.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    at = at?.[unescape(part)];
    if (at === undefined) throw new Error(`a document refers to ${pointer}, which is not in it`);
  }
  return at;
}

/** Follows references until the pointer names a thing itself. */
function resolve(document, pointer) {
  for (let hops = 0; hops < 10; hops += 1) {
    const at = lookup(document, pointer);
    if (!at?.$ref) return pointer;
    pointer = at.$ref;
  }
  throw new Error(`${pointer} refers to itself`);
}

/** A schema that says nothing about its fields lets all pass; a strict reading must not close it. */
function openEnded(document, pointer) {
  const schema = lookup(document, pointer);
  return isOpen(document, schema);
}

function isOpen(document, schema) {
  if (schema === true || typeof schema !== 'object' || schema === null) return true;
  if (schema.$ref) return isOpen(document, lookup(document, schema.$ref));
  if (schema.additionalProperties !== undefined || schema.unevaluatedProperties !== undefined) return true;
  // Where one of several may be any object, no field is one too many.
  const may = (one) => !one.type || [one.type].flat().includes('object');
  if ((schema.oneOf ?? schema.anyOf)?.some((one) => may(one) && isOpen(document, one))) return true;
  return !['properties', 'allOf', 'oneOf', 'anyOf'].some((word) => word in schema);
}

/** A copy in which every value of a documented object is closed against fields that the document does not name. */
function strictCopy(document) {
  const close = (schema) => {
    const copy = walk(schema, true);
    if (isOpen(document, schema)) return copy;
    return { allOf: [copy], unevaluatedProperties: false };
  };
  const walk = (node, schema) => {
    if (Array.isArray(node)) return node.map((one) => walk(one, schema));
    if (typeof node !== 'object' || node === null) return node;
    const copy = {};
    for (const [key, value] of Object.entries(node)) {
      if (key === 'example' || key === 'examples' || key === 'default' || key === 'const' || key === 'enum') copy[key] = value;
      else if (key === 'properties' && typeof value === 'object' && !('type' in value && typeof value.type === 'string')) {
        copy[key] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, close(one)]));
      } else if (key === 'items' && typeof value === 'object' && !Array.isArray(value)) copy[key] = close(value);
      else copy[key] = walk(value, schema);
    }
    return copy;
  };
  return walk(document, false);
}
