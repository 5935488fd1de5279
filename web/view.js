// Draws what is known. Nothing here asks the server for anything.

import { badge, dress, find, list, make, say, show } from './dom.js';

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/** Messages of one sender within so many milliseconds stand together. */
const TOGETHER_MS = 5 * 60_000;

const said = (message) => (message.deleted_at ? 'deleted' : message.body || message.type || '');

/** @param {{rooms: import('./rooms.js').Rooms, online: Map<string, object>, channels: object[], open: string}} known */
export function drawSide({ rooms, online, channels, open }, { pick, pickPerson, join }) {
  const sorted = rooms.sorted();
  list(find('rooms'), sorted, (room) => room.id, (room, before) => {
    const title = rooms.title(room);
    const item = before ?? entry(title, { square: room.kind !== 'direct' }, () => pick(room.id));
    const button = item.firstElementChild;
    fill(button, title, room.last_message ? `${room.last_message.sender === rooms.me ? 'You' : room.last_message.sender}: ${said(room.last_message)}` : 'Nothing yet');
    button.classList.toggle('unread', room.unread > 0);
    button.querySelector('.badge').classList.toggle('on', online.has(rooms.other(room)));
    button.setAttribute('aria-current', String(room.id === open));
    const count = button.querySelector('.count');
    show(count, room.unread > 0);
    say(count, room.unread > 99 ? '99+' : String(room.unread));
    count.setAttribute('aria-label', `${room.unread} unread`);
    return item;
  });
  show(find('no-rooms'), !sorted.length);

  const people = [...online.values()].filter((user) => user.username !== rooms.me).sort((a, b) => a.username.localeCompare(b.username));
  list(find('online'), people, (user) => user.username, (user, before) => {
    const item = before ?? entry(user.username, { on: true }, () => pickPerson(user.username));
    const named = user.display_name && user.display_name !== user.username;
    fill(item.firstElementChild, named ? user.display_name : user.username, named ? user.username : '');
    return item;
  });
  show(find('nobody'), !people.length);

  const foreign = channels.filter((room) => !rooms.get(room.id));
  list(find('channels'), foreign, (room) => room.id, (room, before) => {
    const item = before ?? entry(room.name, { square: true }, () => join(room));
    fill(item.firstElementChild, room.name, `${room.member_count} ${room.member_count === 1 ? 'member' : 'members'} · join`);
    return item;
  });
  show(find('no-channels'), !foreign.length);
  const unread = rooms.unread();
  document.title = unread ? `(${unread}) Guild Chat` : 'Guild Chat';
}

function entry(name, { square = false, on = false }, act) {
  const sign = badge(name, { square });
  sign.classList.toggle('on', on);
  const text = make('span', { className: 'text' }, make('span', { className: 'name' }), make('span', { className: 'last' }));
  const button = make('button', { type: 'button', className: 'item' }, sign, text, make('span', { className: 'count', hidden: true }));
  button.addEventListener('click', act);
  return make('li', {}, button);
}

function fill(button, name, last) {
  say(button.querySelector('.name'), name);
  say(button.querySelector('.last'), last);
  dress(button.querySelector('.badge'), name);
}

/** The room's name, who is in it, and what can be done with it. */
export function drawHead(rooms, room, online, away) {
  say(find('room-name'), rooms.title(room));
  const there = room.usernames.filter((name) => online.has(name) || name === rooms.me).length;
  const kinds = { direct: 'Direct', group: 'Group', channel: 'Channel' };
  const other = rooms.other(room);
  const members = `${room.member_count} ${room.member_count === 1 ? 'member' : 'members'}`;
  const people = other ? (online.has(other) ? 'online' : 'offline') : `${members}, ${there} online: ${room.usernames.slice(0, 12).join(', ')}`;
  say(find('room-people'), away ?? `${kinds[room.kind] ?? room.kind} · ${people}`);
  show(find('room-menu'), room.kind !== 'direct');
  show(find('add'), room.kind === 'group');
  show(find('rename'), room.created_by === rooms.me);
}

/** The log of the open room, with what this window has sent and the server has not yet acknowledged. */
export function drawLog(rooms, room, { retry, discard }) {
  const rows = rowsOf(rooms, room);
  list(find('log'), rows, (row) => row.key, (row, before) => (before ? refresh(row, before) : draw(row, { retry, discard })));
  show(find('earlier'), room.loaded && !room.complete);
  show(find('beginning'), room.complete);
}

function rowsOf(rooms, room) {
  const rows = [];
  let date;
  let last;
  const put = (row, at) => {
    const when = day.format(new Date(at));
    if (when !== date) {
      rows.push({ key: `day ${when}`, kind: 'day', text: when });
      date = when;
      last = undefined;
    }
    rows.push(row);
  };
  const message = (key, told, more) => {
    const { sender, created_at: at, reply_to: reply, edited_at: edited, deleted_at: deleted, reactions = [] } = told;
    const body = deleted ? 'This message was deleted.' : said(told);
    const own = sender === rooms.me;
    const follows = last !== undefined && last.sender === sender && new Date(at) - new Date(last.at) < TOGETHER_MS;
    put({ key, kind: 'message', sender, body, at, own, follows, reply, edited, deleted, reactions, ...more }, at);
    last = { sender, at };
  };
  const other = rooms.other(room);
  const items = [...room.log.values()].sort((a, b) => a.seq - b.seq);
  const lastOwn = items.findLast((item) => item.message?.sender === rooms.me);
  for (const item of items) {
    if (!item.message) {
      put({ key: item.seq, kind: 'event', text: item.text }, item.at);
      last = undefined;
      continue;
    }
    const seen = other && item === lastOwn && !room.waiting.length && (room.seen.get(other) ?? 0) >= item.seq;
    message(item.message.nonce ? `own ${item.message.nonce}` : item.seq, item.message, { status: seen ? 'Seen' : '' });
  }
  for (const one of room.waiting) {
    message(`own ${one.nonce}`, { sender: rooms.me, body: one.body, created_at: one.at }, { waiting: true, failed: one.failed, nonce: one.nonce, status: one.status });
  }
  return rows;
}

function draw(row, acts) {
  if (row.kind !== 'message') return make('li', { className: row.kind === 'day' ? 'log-day' : 'event' }, row.text);
  const at = make('time', { dateTime: row.at }, time.format(new Date(row.at)));
  const element = make('li', { className: 'message' });
  if (!row.own) element.append(badge(row.sender));
  const meta = make('div', { className: 'meta' });
  if (!row.own) meta.append(make('b', {}, row.sender));
  meta.append(at);
  const quote = make('div', { className: 'quote', dir: 'auto', hidden: true });
  element.append(meta, quote, make('div', { className: 'bubble', dir: 'auto' }), make('div', { className: 'edited' }), make('ul', { className: 'reactions', hidden: true }));
  if (row.own) {
    const again = make('button', { type: 'button' }, 'Try again');
    const away = make('button', { type: 'button' }, 'Discard');
    again.addEventListener('click', () => acts.retry(row.nonce));
    away.addEventListener('click', () => acts.discard(row.nonce));
    element.append(make('div', { className: 'status' }, make('span'), again, away));
  }
  return refresh(row, element);
}

function refresh(row, element) {
  if (row.kind !== 'message') {
    say(element, row.text);
    return element;
  }
  say(element.querySelector('.bubble'), row.body);
  const edited = element.querySelector('.edited');
  say(edited, 'edited');
  show(edited, Boolean(row.edited) && !row.deleted);
  const quote = element.querySelector('.quote');
  show(quote, Boolean(row.reply) && !row.deleted);
  if (row.reply) say(quote, `${row.reply.sender}: ${row.reply.body || 'deleted'}`);
  const reactions = element.querySelector('.reactions');
  show(reactions, row.reactions?.length > 0);
  list(reactions, row.reactions ?? [], (reaction) => reaction.emoji, (reaction, before) => {
    const chip = before ?? make('li');
    const names = reaction.usernames.join(', ') + (reaction.count > reaction.usernames.length ? ` and ${reaction.count - reaction.usernames.length} more` : '');
    say(chip, `${reaction.emoji} ${reaction.count}`);
    chip.title = names;
    chip.setAttribute('aria-label', `${reaction.emoji}: ${names}`);
    return chip;
  });
  element.className = ['message', row.own && 'own', row.deleted && 'deleted', row.follows && 'follows', row.waiting && 'waiting', row.failed && 'failed'].filter(Boolean).join(' ');
  const status = element.querySelector('.status');
  if (status) {
    const [text, again, away] = status.children;
    say(text, row.status ?? '');
    show(again, Boolean(row.failed));
    show(away, Boolean(row.failed));
    show(status, Boolean(row.status || row.failed));
  }
  return element;
}

export function drawTyping(room) {
  const names = room ? [...room.typing.keys()] : [];
  const line = find('typing');
  show(line, names.length > 0);
  say(line, names.length > 3 ? 'Several people are typing…' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} typing…`);
}
