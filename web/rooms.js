// What this window knows about the user's rooms. Whatever the order in which REST answers and live events come, a room's `seq` tells
// which of them is news: an event at or below the room's head has been counted already.

/** Whether a message stands in a thread alone: this page shows what is said in the room, and no threads. */
const isAside = (message) => message.thread !== undefined && !message.also_in_room;

export class Rooms {
  constructor(me) {
    this.me = me;
    this.all = new Map();
  }

  get(id) { return this.all.get(id); }

  /** A room as the server told it. It replaces what is known unless events have gone past it. */
  put(told) {
    const known = this.all.get(told.id);
    if (known && !known.stale && known.head > told.head) return known;
    const kept = known ?? { log: new Map(), waiting: [], typing: new Map(), seen: new Map(), loaded: false, complete: false, draft: '' };
    const room = Object.assign(kept, told, { stale: false });
    this.all.set(room.id, room);
    // What came while the answer was on its way is news to it.
    const later = [...room.log.values()].filter((item) => item.message && item.seq > told.head);
    for (const { message } of later.sort((a, b) => a.seq - b.seq)) this.message(message);
    return room;
  }

  drop(id) { this.all.delete(id); }

  /** Nothing of what was known can be relied on: only what is about to be fetched. */
  forget(ids) {
    for (const room of [...this.all.values()]) {
      if (ids && !ids.has(room.id)) this.all.delete(room.id);
      room.log.clear();
      room.loaded = room.complete = false;
      room.stale = true;
    }
  }

  /** Newest activity first. */
  sorted() {
    const when = (room) => room.last_message?.created_at ?? room.created_at;
    return [...this.all.values()].sort((a, b) => when(b).localeCompare(when(a)));
  }

  unread() { return [...this.all.values()].reduce((sum, room) => sum + room.unread, 0); }

  /** Whether the event is news to the room; if so the room has come so far. */
  #isNews(room, seq) {
    if (!room || seq <= room.head) return false;
    room.head = seq;
    return true;
  }

  message(message) {
    const room = this.all.get(message.room);
    if (!room) return undefined;
    if (isAside(message)) {
      this.passed(message);
      return room;
    }
    this.#keep(room, message);
    if (message.nonce) room.waiting = room.waiting.filter((one) => one.nonce !== message.nonce);
    if (this.#isNews(room, message.seq)) {
      room.last_message = message;
      if (message.sender === this.me) Object.assign(room, { read: message.seq, unread: 0 });
      else if (!message.deleted_at) room.unread += 1;
    }
    room.typing.delete(message.sender);
    return room;
  }

  /** A message that was edited or deleted comes whole. */
  amended({ room: id, seq, message }) {
    const room = this.all.get(id);
    if (!room) return undefined;
    const before = room.log.get(message.seq)?.message;
    if (before) this.#keep(room, message);
    // Replies show what they answer as it is now.
    for (const item of room.log.values()) {
      const { reply_to: reply, ...rest } = item.message ?? {};
      if (reply?.seq === message.seq) item.message = { ...rest, reply_to: { ...reply, body: [...message.body].slice(0, 200).join('') } };
    }
    if (room.last_message?.seq === message.seq && room.last_message.rev < message.rev) room.last_message = message;
    const counted = message.deleted_at && !before?.deleted_at && !isAside(message) && message.sender !== this.me && message.seq > room.read;
    if (this.#isNews(room, seq) && counted) room.unread = Math.max(0, room.unread - 1);
    return room;
  }

  /** A message's reactions come whole. */
  reacted({ room: id, seq, ref, reactions }) {
    const room = this.all.get(id);
    if (!room) return undefined;
    const item = room.log.get(ref);
    if (item?.message && seq > (item.reactedAt ?? 0)) Object.assign(item, { reactedAt: seq, message: { ...item.message, reactions } });
    this.#isNews(room, seq);
    return room;
  }

  /** A message out of an answer, which may be older than an event that came meanwhile. */
  fetched(room, message) {
    const item = room.log.get(message.seq);
    if (!item?.message || item.message.rev < message.rev) this.#keep(room, message);
  }

  /** What this page does not show counts as well: the next event has the next seq. */
  passed({ room: id, seq }) {
    const room = this.all.get(id);
    if (room && seq) this.#isNews(room, seq);
  }

  /** Keeps a message as it is now: the state with the higher rev. Only answers and events of their own tell reactions. */
  #keep(room, message) {
    const item = room.log.get(message.seq);
    if (item?.message && item.message.rev > message.rev) return;
    const reactions = message.deleted_at ? [] : (message.reactions ?? item?.message?.reactions);
    room.log.set(message.seq, { ...item, seq: message.seq, at: message.created_at, message: { ...message, reactions } });
  }

  joined({ room: id, seq, username }) {
    const room = this.all.get(id);
    if (!room) return undefined;
    if (this.#isNews(room, seq)) {
      room.member_count += 1;
      if (!room.usernames.includes(username) && room.usernames.length < 100) room.usernames.push(username);
    }
    return this.#note(room, seq, `${username} joined`);
  }

  left({ room: id, seq, username }) {
    const room = this.all.get(id);
    if (!room) return undefined;
    if (this.#isNews(room, seq)) {
      room.member_count -= 1;
      room.usernames = room.usernames.filter((name) => name !== username);
    }
    room.typing.delete(username);
    if (username === this.me) this.drop(id);
    return this.#note(room, seq, `${username} left`);
  }

  updated({ room: id, seq, name, topic }) {
    const room = this.all.get(id);
    if (!room) return undefined;
    const said = [name !== room.name && name && `the room is now called “${name}”`, topic !== room.topic && (topic ? `the topic is now “${topic}”` : 'the topic was removed')];
    const text = said.filter(Boolean).join(', and ');
    if (this.#isNews(room, seq)) Object.assign(room, { name, topic });
    return text ? this.#note(room, seq, text) : room;
  }

  #note(room, seq, text) {
    room.log.set(seq, { seq, at: new Date().toISOString(), text });
    return room;
  }

  /** What people call the room. */
  title(room) {
    if (room.name) return room.name;
    const others = room.usernames.filter((name) => name !== this.me);
    if (!others.length) return room.kind === 'direct' ? this.me : 'Only you';
    return others.slice(0, 4).join(', ') + (others.length > 4 ? ` and ${room.member_count - 5} more` : '');
  }

  /** The other one of a direct room. */
  other(room) { return room.kind === 'direct' ? room.usernames.find((name) => name !== this.me) : undefined; }

  directWith(username) { return [...this.all.values()].find((room) => this.other(room) === username); }
}
