// The dialog that starts a conversation.

import { find, make, say, show } from './dom.js';

const KINDS = {
  direct: { label: 'With', hint: 'One username.', named: false },
  group: { label: 'With', hint: 'Usernames, separated by commas. You are in anyway.', named: true },
  channel: { label: 'With (if you like)', hint: 'Usernames, separated by commas. Anybody else can join.', named: true },
};

export class NewConversation {
  #api;
  #me;
  #listeners = new AbortController();

  /** @param {(request: object) => Promise<void>} create throws what the server refuses */
  constructor(api, me, create) {
    this.#api = api;
    this.#me = me;
    const form = find('create-form');
    const on = (element, event, act) => element.addEventListener(event, act, { signal: this.#listeners.signal });
    on(form, 'change', () => this.#draw());
    on(find('create-cancel'), 'click', () => find('create').close());
    on(find('create-names'), 'input', () => this.offer(find('create-names')));
    on(form, 'submit', async (event) => {
      event.preventDefault();
      const { kind, usernames, name } = Object.fromEntries(new FormData(form));
      const names = usernames.split(/[\s,]+/).filter(Boolean);
      try {
        await create({ kind, usernames: names, ...(KINDS[kind].named && name.trim() && { name: name.trim() }) });
        find('create').close();
        form.reset();
      } catch (error) {
        say(find('create-error'), error.message);
      }
    });
  }

  show() {
    this.#draw();
    find('create').showModal();
    find('create-names').focus();
  }

  close() {
    this.#listeners.abort();
    if (find('create').open) find('create').close();
  }

  #draw() {
    const { label, hint, named } = KINDS[new FormData(find('create-form')).get('kind')];
    say(find('create-names-label'), label);
    say(find('create-names-hint'), hint);
    say(find('create-error'), '');
    show(find('create-named'), named);
  }

  /** Offers usernames that begin like the last one being written. */
  async offer(input) {
    const written = input.value;
    const last = written.split(/[\s,]+/).at(-1).toLowerCase();
    const before = written.slice(0, written.length - last.length);
    if (!last) return;
    try {
      const { items } = await this.#api.get(`/users?${new URLSearchParams({ prefix: last, limit: '8' })}`);
      if (input.value !== written) return;
      const names = items.map((user) => user.username).filter((name) => name !== this.#me);
      find('directory').replaceChildren(...names.map((name) => make('option', { value: before + name })));
    } catch {
      // Only an offer: whoever is meant can be written out.
    }
  }
}
