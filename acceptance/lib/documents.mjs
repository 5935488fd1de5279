// What the story about the documents compares them with.

/** A value's form: its fields and their types, without what they hold; null stays null, and a list is known by its first item. */
export function shapeOf(value) {
  if (Array.isArray(value)) return value.length ? [shapeOf(value[0])] : [];
  if (value === null) return null;
  if (typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shapeOf(one)]));
  return typeof value;
}

const described = { type: 'object', required: ['key', 'value'], properties: { key: { type: 'string', minLength: 1 }, value: { type: 'string' } } };
const auth = {
  type: 'object',
  required: ['type'],
  properties: { type: { enum: ['bearer', 'noauth'] }, bearer: { type: 'array', items: described } },
};
const request = {
  type: 'object',
  required: ['method', 'header', 'url', 'description'],
  additionalProperties: false,
  properties: {
    method: { enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] },
    header: { type: 'array', items: described },
    auth,
    description: { type: 'string' },
    url: {
      type: 'object',
      required: ['raw', 'host', 'path'],
      properties: {
        raw: { type: 'string', pattern: '^\\{\\{baseUrl\\}\\}/' },
        host: { type: 'array', items: { type: 'string' }, minItems: 1 },
        path: { type: 'array', items: { type: 'string' } },
        query: { type: 'array', items: described },
        variable: { type: 'array', items: described },
      },
    },
    body: {
      type: 'object',
      required: ['mode', 'raw'],
      properties: { mode: { const: 'raw' }, raw: { type: 'string', minLength: 2 } },
    },
  },
};
const item = {
  type: 'object',
  required: ['name', 'request', 'response'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', minLength: 1 },
    request,
    response: { type: 'array', maxItems: 0 },
    event: {
      type: 'array',
      items: {
        type: 'object',
        required: ['listen', 'script'],
        properties: {
          listen: { const: 'test' },
          script: { type: 'object', required: ['type', 'exec'], properties: { exec: { type: 'array', items: { type: 'string' } } } },
        },
      },
    },
  },
};

/** What Postman's schema of collections (v2.1.0) demands of those parts that ours has, and nothing besides. */
export const POSTMAN = {
  type: 'object',
  required: ['info', 'auth', 'variable', 'item'],
  additionalProperties: false,
  properties: {
    info: {
      type: 'object',
      required: ['name', 'schema'],
      properties: {
        name: { type: 'string', minLength: 1 },
        description: { type: 'string' },
        schema: { const: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
      },
    },
    auth,
    variable: { type: 'array', items: described, minItems: 2 },
    item: {
      type: 'array',
      items: { type: 'object', required: ['name', 'item'], properties: { name: { type: 'string', minLength: 1 }, item: { type: 'array', items: item, minItems: 1 } } },
    },
  },
};
