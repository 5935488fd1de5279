// A row of the log as a newer program writes it: of a kind, or of a version of a kind, that nobody knows yet.

/** What the program calls the locks of the log's partitions on PostgreSQL: this and the partition's number. */
const LOCKS = 0x4749_4c44 * 65_536;

/**
 * The statement that appends one to a room's log, after what the room has last; one row at least has to be there that all members hear of.
 * With `to` it is for that person alone, and has no seq. It answers `position|of tomorrow, after 4`: its place in the log, and the room's last seq before it.
 *
 * Others may append at the same time. On PostgreSQL it takes the lock of the room's partition, as the program does, and holds it to the end
 * of its transaction (several statements in one text are one); so no two rows want one position. SQLite has one writer at a time.
 */
export function newerRow(server, room, { kind, version = 1, to }) {
  const { postgres } = server.shape;
  const blob = (id) => (postgres ? `'\\x${id.replaceAll('-', '')}'::bytea` : `x'${id.replaceAll('-', '')}'`);
  const [own, now] = [blob(room.id), Date.now()];
  const lock = `DO $$ BEGIN PERFORM pg_advisory_xact_lock(${LOCKS} + part) FROM log WHERE room = ${own} LIMIT 1; END $$;`;
  // Times never fall within a partition, so the time is that of its last row at least.
  return `${postgres ? lock : ''}
    INSERT INTO log (position, part, room, seq, kind, version, actor, subject, messages, newest, member_count, payload, created_at)
    SELECT m.position + 1, l.part, l.room, ${to ? 'NULL' : 'l.seq + 1'}, ${kind}, ${version}, l.actor, ${to ? blob(to.user.id) : 'NULL'},
      l.messages, l.newest, l.member_count, 'of tomorrow, after ' || l.seq, CASE WHEN m.created_at > ${now} THEN m.created_at ELSE ${now} END
    FROM log l, log m
    WHERE l.room = ${own} AND l.seq = (SELECT MAX(seq) FROM log WHERE room = ${own})
      AND m.part = l.part AND m.position = (SELECT MAX(position) FROM log WHERE part = l.part)
    RETURNING position, payload`;
}
