// The peer `node`: socket.io 4 and better-sqlite3, with group commit. The messages that arrive in one turn of the event loop are
// written in one transaction; then each is acknowledged and sent to its room.
//
//     node server.mjs PORT FOLDER

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Server } from "socket.io";

const [port, folder] = process.argv.slice(2);

const db = new Database(join(folder, "node.db"));
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`CREATE TABLE IF NOT EXISTS messages (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL, room TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL,
  nonce TEXT NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE (room, seq))`);
const insert = db.prepare("INSERT INTO messages (id, room, seq, sender, nonce, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)");
const lastSeq = db.prepare("SELECT coalesce(max(seq), 0) FROM messages WHERE room = ?").pluck();

/** The newest committed seq of each room that was written to. This process is the only writer, so it need not ask twice. */
const heads = new Map();

/** Writes a batch in one transaction and returns its messages in order. Throws where it could not be committed; nothing is then kept. */
function save(batch) {
  const taken = new Map();
  const createdAt = new Date().toISOString();
  const saved = db.transaction(() => batch.map(({ sender, room, body, nonce }) => {
    const seq = (taken.get(room) ?? heads.get(room) ?? lastSeq.get(room)) + 1;
    const message = { id: randomUUID(), room, seq, sender, body, created_at: createdAt };
    insert.run(message.id, room, seq, sender, nonce, body, createdAt);
    taken.set(room, seq);
    return message;
  }))();
  for (const [room, seq] of taken) heads.set(room, seq);
  return saved;
}

const refusal = (code, detail) => ({ ok: false, error: { code, detail } });

let waiting = [];

/** Queues one message for the commit at the end of this turn of the event loop. */
function enqueue(job) {
  if (waiting.push(job) === 1) setImmediate(commit);
}

function commit() {
  const batch = waiting;
  waiting = [];
  let saved;
  try {
    saved = save(batch);
  } catch (error) {
    console.error(`could not write ${batch.length} messages: ${error.message}`);
    for (const { ack } of batch) ack?.(refusal("internal", "The message could not be stored."));
    return;
  }
  saved.forEach((message, i) => {
    const { ack, nonce } = batch[i];
    ack?.({ ok: true, message: { ...message, nonce } });
    io.to(message.room).emit("new message", message);
  });
}

/** The user's name: `username`, else that claim of the token, which nobody verifies here; undefined where neither can be read. */
function nameOf(auth) {
  try {
    const name = auth.username ?? JSON.parse(Buffer.from(auth.token.split(".")[1], "base64url")).username;
    return typeof name === "string" && name !== "" ? name : undefined;
  } catch {
    return undefined;
  }
}

const server = createServer();
const io = new Server(server, { serveClient: false, pingInterval: 25_000, pingTimeout: 20_000, cors: { origin: "*" } });

io.use((socket, next) => {
  socket.data.username = nameOf(socket.handshake.auth);
  next(socket.data.username ? undefined : new Error("unauthenticated"));
});

io.on("connection", (socket) => {
  socket.on("join", (data, ack) => {
    const reply = typeof ack === "function" ? ack : undefined;
    if (typeof data?.room !== "string") return reply?.(refusal("invalid_request", "join takes {room}"));
    socket.join(data.room);
    reply?.({ ok: true, room: data.room });
  });
  socket.on("message", (data, ack) => {
    const reply = typeof ack === "function" ? ack : undefined;
    const { room, body, nonce } = data ?? {};
    if (![room, body, nonce].every((field) => typeof field === "string")) {
      return reply?.(refusal("invalid_request", "message takes {room, body, nonce}"));
    }
    enqueue({ sender: socket.data.username, room, body, nonce, ack: reply });
  });
});

process.on("SIGTERM", () => process.exit(0));
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 }, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
