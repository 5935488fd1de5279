// The page at GET /graphql: logs in, runs a query or a subscription, and shows what can be asked as the schema itself says it.
// The token stays in this page and is gone with it.

const by = (id) => document.getElementById(id);
const EXAMPLE = `{
  me { username displayName }
  rooms(first: 10) {
    nodes {
      id
      name
      unread
      messages(last: 3) {
        nodes { seq body sender { username online } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;
const TYPES = `{ __schema { types { name kind description
  fields { name description type { ...named } args { name type { ...named } } } enumValues { name description } } } }
  fragment named on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

let socket;

const show = (value) => { by('answer').textContent = typeof value === 'string' ? value : JSON.stringify(value, null, 2); };

async function ask(body) {
  const answer = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${by('token').value.trim()}` },
    body: JSON.stringify(body),
  });
  return answer.json();
}

/** Listens to a subscription; every result is put on top of the others. */
function listen(payload) {
  const results = [];
  socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`, 'graphql-transport-ws');
  const say = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () => say({ type: 'connection_init', payload: { authorization: `Bearer ${by('token').value.trim()}` } });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'connection_ack') {
      show('Listening …');
      say({ id: '1', type: 'subscribe', payload });
    } else if (message.type === 'ping') {
      say({ type: 'pong' });
    } else if (message.type === 'next' || message.type === 'error') {
      results.unshift(message.payload);
      show(results);
    } else if (message.type === 'complete') {
      socket.close(1000);
    }
  };
  socket.onclose = ({ reason }) => {
    if (reason) show([{ closed: reason }, ...results]);
    by('stop').disabled = true;
  };
  by('stop').disabled = false;
}

async function run() {
  socket?.close(1000);
  let variables;
  try {
    variables = JSON.parse(by('variables').value.trim() || '{}');
  } catch (error) {
    show(`The variables are no JSON: ${error.message}`);
    return;
  }
  const query = by('query').value;
  const payload = { query, variables };
  if (/^\s*subscription\b/m.test(query)) {
    listen(payload);
    return;
  }
  show('…');
  try {
    show(await ask(payload));
  } catch (error) {
    show(`The server cannot be reached: ${error.message}`);
  }
}

const typeName = ({ kind, name, ofType }) => (kind === 'NON_NULL' ? `${typeName(ofType)}!` : kind === 'LIST' ? `[${typeName(ofType)}]` : name);

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** Shows the types that are this server's own, the roots first. */
async function showTypes() {
  const { data } = await ask({ query: TYPES });
  if (!data) return;
  const own = data.__schema.types.filter(({ name, kind }) => !name.startsWith('__') && ['OBJECT', 'ENUM'].includes(kind));
  const roots = ['Query', 'Subscription'];
  own.sort((a, b) => (roots.includes(b.name) - roots.includes(a.name)) || a.name.localeCompare(b.name));
  by('types').replaceChildren(...own.flatMap(({ name, description, fields, enumValues }) => {
    const list = document.createElement('dl');
    for (const field of fields ?? []) {
      const args = field.args.map((arg) => `${arg.name}: ${typeName(arg.type)}`).join(', ');
      const term = document.createElement('dt');
      term.append(element('code', `${field.name}${args && `(${args})`}: ${typeName(field.type)}`));
      list.append(term, element('dd', field.description ?? ''));
    }
    for (const value of enumValues ?? []) list.append(element('dt', value.name), element('dd', value.description ?? ''));
    return [element('h3', name), element('p', description ?? ''), list];
  }));
}

by('query').value = EXAMPLE;
by('ask').addEventListener('submit', (event) => { event.preventDefault(); run(); });
by('query').addEventListener('keydown', (event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run(); });
by('stop').addEventListener('click', () => socket?.close(1000));
by('token').addEventListener('change', showTypes);
by('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [username, password] = [by('username').value, by('password').value];
  if (!username) { showTypes(); return; }
  const answer = await fetch('/users/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, ...(password && { password }) }),
  });
  const body = await answer.json();
  if (!answer.ok) { show(body.detail); return; }
  by('token').value = body.token;
  show(`You are ${body.user.username}.`);
  showTypes();
});
