// What the buttons, the keys and the text box do.

import { find, show } from './dom.js';

const TYPING_EVERY_MS = 2_000;
const TYPING_LASTS_MS = 5_000;

/** @param {AbortSignal} signal ends it, when somebody logs out */
export function wire(chat, signal) {
  const on = (id, event, act) => find(id).addEventListener(event, act, { signal });
  const body = find('body');
  let quiet;
  let typed;
  const typing = (now) => {
    const at = performance.now();
    const room = chat.open;
    // Whoever goes to another room has stopped in the one before.
    if (typed && (!now || typed.room !== room)) {
      chat.talk.tell('typing', { room: typed.room, typing: false });
      typed = undefined;
    }
    if (!now || (typed && at - typed.at < TYPING_EVERY_MS)) return;
    typed = { room, at };
    chat.talk.tell('typing', { room, typing: true });
  };
  on('composer', 'submit', (event) => {
    event.preventDefault();
    const room = chat.shown;
    if (!room || !body.value.trim()) return;
    clearTimeout(quiet);
    typing(false);
    chat.send(room, body.value);
    body.value = '';
  });
  on('body', 'keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    find('composer').requestSubmit();
  });
  on('body', 'input', () => {
    clearTimeout(quiet);
    if (!body.value) return typing(false);
    quiet = setTimeout(() => typing(false), TYPING_LASTS_MS);
    return typing(true);
  });
  on('scroll', 'scroll', () => {
    const scroll = find('scroll');
    chat.atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
    if (chat.atEnd) show(find('newest'), false);
    if (scroll.scrollTop < 60 && chat.shown?.loaded) void chat.load(chat.shown);
    void chat.read();
  });
  // Nobody is told of a new channel: whoever comes back to the window sees it.
  window.addEventListener('focus', () => chat.lookSoon(), { signal });
  on('earlier', 'click', () => void chat.load(chat.shown));
  on('newest', 'click', () => (chat.toEnd(), void chat.read()));
  on('back', 'click', () => chat.leaveView());
  on('new-room', 'click', () => chat.create.show());
  on('logout', 'click', () => void chat.attempt(() => chat.api.call('POST', '/users/logout')).then(() => chat.end()));
  on('leave', 'click', () => void chat.attempt(() => chat.talk.ask('leave room', { room: chat.open })));
  on('add', 'submit', (event) => inMenu(chat, event, ({ username }) => chat.api.call('PUT', `/rooms/${chat.open}/members/${encodeURIComponent(username.trim())}`)));
  on('rename', 'submit', (event) => inMenu(chat, event, ({ name }) => chat.api.call('PATCH', `/rooms/${chat.open}`, { name })));
  on('room-menu', 'toggle', () => (find('rename-name').value = chat.shown?.name ?? ''));
  on('add-name', 'input', () => chat.create.offer(find('add-name')));
  for (const event of ['focus', 'blur']) addEventListener(event, () => void chat.read(), { signal });
}

async function inMenu(chat, event, act) {
  event.preventDefault();
  const form = event.target;
  await chat.attempt(async () => {
    await act(Object.fromEntries(new FormData(form)));
    form.reset();
    find('room-menu').open = false;
  });
}
