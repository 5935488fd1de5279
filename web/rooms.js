// What this window knows about the user's rooms. Whatever the order in which REST answers and live events come, a room's `seq` tells
// which of them is news: an event at or below the room's head has been counted already.

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
    room.log.set(message.seq, { seq: message.seq, at: message.created_at, message });
    if (message.nonce) room.waiting = room.waiting.filter((one) => one.nonce !== message.nonce);
    if (this.#isNews(room, message.seq)) {
      room.last_message = message;
      if (message.sender === this.me) Object.assign(room, { read: message.seq, unread: 0 });
      else room.unread += 1;
    }
    room.typing.delete(message.sender);
    return room;
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

  renamed({ room: id, seq, name }) {
    const room = this.all.get(id);
    if (!room) return undefined;
    if (this.#isNews(room, seq)) room.name = name;
    return this.#note(room, seq, `the room is now called “${name}”`);
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
