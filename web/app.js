// The page at /: log in, see who is online, open a room, talk. It uses the public API and nothing else, so it is also an example:
// api.js is REST, talk.js the live connection, rooms.js what is known, view.js how it looks, controls.js what the buttons do; this file
// is what happens when.

import { Api } from './api.js';
import { dress, find, notice, say, show } from './dom.js';
import { Entrance } from './entrance.js';
import { NewConversation } from './create.js';
import { Rooms } from './rooms.js';
import { Talk } from './talk.js';
import { wire } from './controls.js';
import { drawHead, drawLog, drawSide, drawTyping } from './view.js';

const PAGE = 50;
/** A little longer than a typist's own window waits before it says that they have stopped. */
const TYPING_LASTS_MS = 6_000;
/** The events about presence are for contacts; everybody else is asked for. */
const LOOK_AROUND_MS = 5_000;
/** Several events that call for a look come together. */
const SOON_MS = 200;

const nonce = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

class Chat {
  constructor(api, user, end) {
    this.api = api;
    this.me = user.username;
    this.end = end;
    this.rooms = new Rooms(this.me);
    this.online = new Map();
    this.channels = [];
    this.open = undefined;
    this.drawn = false;
    this.listeners = new AbortController();
    this.create = new NewConversation(api, this.me, (request) => this.createRoom(request));
    say(find('me'), user.display_name);
    dress(find('me-badge'), this.me);
    wire(this, this.listeners.signal);
    this.talk = new Talk(api.token, {
      hear: (name, data) => this.hear(name, data),
      ended: (why) => this.end(why),
      state: (state, text) => {
        const line = find('state');
        this.away = state === 'connected' ? undefined : text;
        this.draw();
        line.className = `state ${{ connected: 'good', away: 'bad' }[state] ?? ''}`;
        say(line, text);
      },
    });
    this.clock = setInterval(() => document.visibilityState === 'visible' && this.lookAround(), LOOK_AROUND_MS);
    this.draw();
  }

  close() {
    this.talk.close();
    this.listeners.abort();
    this.create.close();
    clearInterval(this.clock);
    clearTimeout(this.soon);
  }

  /** Runs what may be refused, and says so where it is. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (error.code !== 'unauthenticated') notice(error.message);
      return undefined;
    }
  }

  // ---- what the server says ----

  hear(name, data) {
    const { rooms } = this;
    const about = {
      ready: () => this.arrive(data.resumed),
      resync: () => rooms.forget(new Set(data.rooms.map((room) => room.id))),
      'room created': () => (rooms.put(data.room), this.lookSoon()),
      'new message': () => this.heardMessage(data),
      'member joined': () => (rooms.joined(data), this.lookSoon()),
      'member left': () => this.heardLeft(data),
      'room updated': () => rooms.updated(data),
      'message edited': () => rooms.amended(data),
      'message deleted': () => rooms.amended(data),
      'reactions changed': () => rooms.reacted(data),
      'message pinned': () => rooms.passed(data),
      'message unpinned': () => rooms.passed(data),
      event: () => rooms.passed(data),
      'user online': () => this.cameOnline(data.username),
      'user offline': () => this.online.delete(data.username),
      typing: () => this.heardTyping(data),
      read: () => this.heardRead(data),
      // A restart is what the state says already.
      error: () => data.code !== 'busy' && notice(data.detail),
    };
    about[name]?.();
    this.draw();
  }

  heardMessage({ cursor, ...message }) {
    const room = this.rooms.message(message);
    if (!room) void this.fetchRoom(message.room);
  }

  heardLeft(data) {
    this.rooms.left(data);
    if (data.username !== this.me) return;
    if (this.open === data.room) this.leaveView();
    this.lookSoon();
  }

  cameOnline(username) {
    this.online.set(username, this.online.get(username) ?? { username });
  }

  heardTyping({ room: id, username, typing }) {
    const room = this.rooms.get(id);
    if (!room) return;
    clearTimeout(room.typing.get(username));
    room.typing.delete(username);
    if (typing) {
      // A last "stopped" may be lost with its sender's line.
      room.typing.set(username, setTimeout(() => (room.typing.delete(username), drawTyping(this.shown)), TYPING_LASTS_MS));
    }
  }

  heardRead({ room: id, username, seq }) {
    const room = this.rooms.get(id);
    if (!room) return;
    if (username !== this.me) return void room.seen.set(username, seq);
    // Another window of mine has read.
    if (seq <= room.read) return;
    room.read = seq;
    if (seq >= room.head) room.unread = 0;
    else void this.fetchRoom(id);
  }

  /** Connected: without a cursor nothing is known yet, with one everything has been sent already. */
  async arrive(resumed) {
    if (!resumed) {
      await this.attempt(async () => {
        for (const room of await this.api.all('/users/me/rooms')) this.rooms.put(room);
      });
      const wanted = this.open ?? location.hash.slice(1);
      if (this.rooms.get(wanted)) await this.show(wanted);
    }
    await this.lookAround();
  }

  lookSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => void this.lookAround(), SOON_MS);
  }

  async lookAround() {
    // What the state says need not be said again by every look.
    if (!this.talk.ready) return;
    await this.attempt(async () => {
      const [users, channels] = await Promise.all([this.api.all('/users/online'), this.api.get('/rooms?limit=50')]);
      this.online = new Map(users.map((user) => [user.username, user]));
      this.channels = channels.items;
    });
    this.draw();
  }

  async fetchRoom(id) {
    await this.attempt(async () => this.rooms.put(await this.api.get(`/rooms/${id}`)));
    this.draw();
  }

  // ---- what the user does ----

  get shown() { return this.open && this.rooms.get(this.open); }

  async show(id) {
    const room = this.rooms.get(id);
    if (!room) return;
    const body = find('body');
    if (this.shown) this.shown.draft = body.value;
    this.open = id;
    history.replaceState(null, '', `#${id}`);
    find('room-menu').open = false;
    body.value = room.draft;
    this.atEnd = true;
    this.draw();
    if (!room.loaded) await this.load(room);
    this.toEnd();
    this.read();
    if (matchMedia('(pointer: fine)').matches) body.focus();
  }

  leaveView() {
    if (this.shown) this.shown.draft = find('body').value;
    this.open = undefined;
    history.replaceState(null, '', location.pathname);
    this.draw();
  }

  /** The newest messages, or those before the oldest that is known. */
  async load(room) {
    if (room.loading || room.complete) return;
    room.loading = true;
    const log = find('log');
    log.ariaBusy = 'true';
    await this.attempt(async () => {
      const before = room.loaded ? Math.min(...room.log.keys()) : undefined;
      const { items } = await this.api.get(`/rooms/${room.id}/messages?limit=${PAGE}${before ? `&before=${before}` : ''}`);
      for (const message of items) this.rooms.fetched(room, message);
      room.loaded = true;
      room.complete = items.length < PAGE;
    });
    room.loading = false;
    const scroll = find('scroll');
    const below = scroll.scrollHeight - scroll.scrollTop;
    this.draw();
    if (!this.atEnd) scroll.scrollTop = scroll.scrollHeight - below;
    log.ariaBusy = 'false';
  }

  toEnd() {
    const scroll = find('scroll');
    scroll.scrollTop = scroll.scrollHeight;
    this.atEnd = true;
    show(find('newest'), false);
  }

  /** Who sees the newest message has read it. */
  async read() {
    const room = this.shown;
    if (!room || !room.loaded || !this.atEnd || room.read >= room.head || room.marking || !this.talk.ready || !document.hasFocus()) return;
    room.marking = true;
    await this.attempt(async () => {
      const { read, unread } = await this.talk.ask('read', { room: room.id, seq: room.head });
      Object.assign(room, { read, unread });
    });
    room.marking = false;
    this.draw();
  }

  send(room, body, key = nonce()) {
    const one = { nonce: key, body, at: new Date().toISOString(), status: this.talk.ready ? '' : 'Goes out when the connection is back', failed: false };
    room.waiting = [...room.waiting.filter((other) => other.nonce !== key), one];
    const told = (change) => () => (change(), this.draw());
    this.talk.send({ room: room.id, body, nonce: key }, {
      sent: (message) => told(() => (room.waiting = room.waiting.filter((other) => other !== one), this.rooms.message(message)))(),
      waits: (why) => told(() => (one.status = `Not sent yet: ${why}`))(),
      failed: (why) => told(() => Object.assign(one, { failed: true, status: `Not sent: ${why}` }))(),
    });
    this.atEnd = true;
    this.draw();
  }

  async pickPerson(username) {
    const room = this.rooms.directWith(username);
    if (room) return this.show(room.id);
    return this.attempt(() => this.createRoom({ usernames: [username] }));
  }

  /** Throws what the server refuses. */
  async createRoom(request) {
    const { room } = await this.talk.ask('create room', { nonce: nonce(), ...request });
    this.rooms.put(room);
    await this.show(room.id);
  }

  async join({ id }) {
    await this.attempt(async () => {
      const { room } = await this.talk.ask('join room', { room: id });
      this.rooms.put(room);
      await this.show(id);
    });
  }

  // ---- how it looks ----

  draw() {
    if (this.drawn) return;
    this.drawn = true;
    // Many events may come at once; they are drawn once.
    queueMicrotask(() => {
      this.drawn = false;
      if (!this.listeners.signal.aborted) this.drawNow();
    });
  }

  drawNow() {
    const room = this.shown;
    drawSide(this, { pick: (id) => void this.show(id), pickPerson: (name) => void this.pickPerson(name), join: (channel) => void this.join(channel) });
    find('chat').classList.toggle('open', Boolean(room));
    show(find('nothing-open'), !room);
    for (const id of ['scroll', 'composer']) show(find(id), Boolean(room));
    show(document.querySelector('#room > header'), Boolean(room));
    drawTyping(room);
    if (!room) return show(find('newest'), false);
    const { atEnd } = this;
    drawHead(this.rooms, room, this.online, this.away);
    drawLog(this.rooms, room, {
      retry: (key) => this.send(room, room.waiting.find((one) => one.nonce === key).body, key),
      discard: (key) => ((room.waiting = room.waiting.filter((one) => one.nonce !== key)), this.draw()),
    });
    if (atEnd) this.toEnd();
    else show(find('newest'), room.head > room.read);
    return void this.read();
  }
}

// ---- in and out ----

let chat;

async function enter(token) {
  let told = false;
  const end = (why) => {
    if (told) return;
    told = true;
    sessionStorage.removeItem('token');
    chat?.close();
    chat = undefined;
    show(find('chat'), false);
    entrance.show(why);
  };
  const api = new Api(token, end);
  const user = await api.get('/users/me');
  // In this window only, so that two windows can be two people.
  sessionStorage.setItem('token', token);
  entrance.hide();
  show(find('chat'), true);
  chat = new Chat(api, user, end);
}

const entrance = new Entrance(enter);
const kept = sessionStorage.getItem('token');
if (kept) enter(kept).catch((error) => entrance.show(error.message));
else entrance.show();
