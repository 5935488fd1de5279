//! The rules of the log, of rooms and of memberships.

use super::Column::{Id, Number};
use super::Rule;
use crate::store::log::is_known;

pub(super) const RULES: [Rule; 17] = [
    Rule {
        says: "positions count 1, 2, 3, … without a gap",
        finds: "SELECT part, MIN(position), MAX(position), COUNT(*) FROM log GROUP BY part
            HAVING MIN(position) <> 1 OR COUNT(*) <> MAX(position)",
        columns: &[Number("partition"), Number("first"), Number("last"), Number("rows")],
    },
    Rule {
        says: "a room stands in one partition",
        finds: "SELECT room, MIN(part), MAX(part) FROM log GROUP BY room HAVING MIN(part) <> MAX(part)",
        columns: &[Id("room"), Number("partition"), Number("and")],
    },
    Rule {
        says: "seqs count 1, 2, 3, … in every room without a gap or a double",
        finds: "SELECT room, MIN(seq), MAX(seq), COUNT(*) FROM log WHERE seq IS NOT NULL GROUP BY room
            HAVING MIN(seq) <> 1 OR COUNT(*) <> MAX(seq) OR COUNT(DISTINCT seq) <> COUNT(*)",
        columns: &[Id("room"), Number("first"), Number("last"), Number("rows")],
    },
    Rule {
        says: "what is addressed to one user has no seq, and everything else has one",
        finds: concat!("SELECT room, position, kind FROM log WHERE ", is_known!(), " AND (kind = 1) <> (seq IS NULL)"),
        columns: &[Id("room"), Number("position"), Number("kind")],
    },
    Rule {
        says: "seqs rise with positions in every room",
        finds: "SELECT room, position, seq FROM (SELECT room, position, seq, LAG(seq) OVER (PARTITION BY room ORDER BY position) AS before
            FROM log WHERE seq IS NOT NULL) AS l WHERE before >= seq",
        columns: &[Id("room"), Number("position"), Number("seq")],
    },
    Rule {
        says: "times never fall from one position to the next",
        finds: "SELECT part, position FROM (SELECT part, position, created_at, LAG(created_at) OVER (PARTITION BY part ORDER BY position) AS before
            FROM log) AS l WHERE before > created_at",
        columns: &[Number("partition"), Number("position")],
    },
    Rule {
        says: "a nonce stands once for a sender in a room",
        finds: "SELECT room, actor, COUNT(*) FROM log WHERE nonce IS NOT NULL GROUP BY room, actor, nonce HAVING COUNT(*) > 1",
        columns: &[Id("room"), Id("sender"), Number("times")],
    },
    Rule {
        says: "a message's id stands once",
        finds: "SELECT id, COUNT(*) FROM log WHERE id IS NOT NULL GROUP BY id HAVING COUNT(*) > 1",
        columns: &[Id("message"), Number("times")],
    },
    Rule {
        says: "every row carries its room's count of messages and newest message",
        finds: concat!(
            "SELECT room, position, messages, newest FROM (SELECT room, position, seq, kind, version, thread, messages, newest,
                COALESCE(LAG(messages) OVER earlier, 0) AS counted, COALESCE(LAG(newest) OVER earlier, 0) AS last
            FROM log WINDOW earlier AS (PARTITION BY room ORDER BY position)) AS l
            WHERE ",
            is_known!(),
            // A message in a thread may stand there alone. Then it does not count among the room's messages.
            " AND (messages <> counted + CASE WHEN kind = 2 AND (thread IS NULL OR newest = seq) THEN 1 ELSE 0 END
                OR newest <> CASE WHEN kind = 2 AND (thread IS NULL OR newest = seq) THEN seq ELSE last END)"
        ),
        columns: &[Id("room"), Number("position"), Number("messages"), Number("newest")],
    },
    Rule {
        says: "every row carries its room's count of members",
        finds: concat!(
            "SELECT room, position, member_count FROM (SELECT room, position, kind, version, member_count,
                COALESCE(LAG(member_count) OVER (PARTITION BY room ORDER BY position), 0) AS counted FROM log) AS l
            WHERE ",
            is_known!(),
            " AND member_count <> counted + CASE kind WHEN 1 THEN 1 WHEN 4 THEN -1 ELSE 0 END"
        ),
        columns: &[Id("room"), Number("position"), Number("members")],
    },
    Rule {
        says: "a room counts its members",
        finds: "SELECT id, member_count, (SELECT COUNT(*) FROM members m WHERE m.room = r.id AND m.state = 'active') FROM rooms r
            WHERE member_count <> (SELECT COUNT(*) FROM members m WHERE m.room = r.id AND m.state = 'active')",
        columns: &[Id("room"), Number("counted"), Number("members")],
    },
    Rule {
        says: "a room's owner is one of its members",
        finds: "SELECT r.id, r.owner FROM rooms r WHERE r.member_count > 0
            AND NOT EXISTS (SELECT 1 FROM members m WHERE m.room = r.id AND m.member = r.owner AND m.state = 'active')",
        columns: &[Id("room"), Id("owner")],
    },
    Rule {
        says: "a direct room is for two, once a pair",
        finds: "SELECT id, member_count FROM rooms WHERE (kind = 'direct') <> (pair IS NOT NULL) OR (kind = 'direct' AND member_count <> 2)
            OR pair IN (SELECT pair FROM rooms WHERE pair IS NOT NULL GROUP BY pair HAVING COUNT(*) > 1)",
        columns: &[Id("room"), Number("members")],
    },
    Rule {
        says: "memberships are what the log says: each begins and ends with its rows, and none overlaps",
        finds: "SELECT s.room, s.member, s.from_position FROM stays s WHERE
                NOT EXISTS (SELECT 1 FROM log l WHERE l.part = s.part AND l.position = s.from_position
                    AND (l.kind = 1 OR l.kind NOT BETWEEN 1 AND 10) AND l.room = s.room AND l.subject = s.member)
                OR (s.to_position IS NOT NULL AND NOT EXISTS (SELECT 1 FROM log l WHERE l.part = s.part AND l.position = s.to_position
                    AND (l.kind = 4 OR l.kind NOT BETWEEN 1 AND 10) AND l.room = s.room AND l.subject = s.member AND l.seq = s.to_seq))
                OR EXISTS (SELECT 1 FROM stays o WHERE o.member = s.member AND o.room = s.room AND o.from_position > s.from_position
                    AND (s.to_position IS NULL OR o.from_position <= s.to_position))
                OR (s.to_position IS NULL) <> EXISTS (SELECT 1 FROM members m WHERE m.room = s.room AND m.member = s.member
                    AND m.state = 'active' AND m.since = s.from_position)
            UNION ALL SELECT l.room, l.subject, l.position FROM log l WHERE l.kind = 1 AND l.version = 1
                AND NOT EXISTS (SELECT 1 FROM stays s WHERE s.member = l.subject AND s.room = l.room AND s.part = l.part
                    AND s.from_position = l.position)",
        columns: &[Id("room"), Id("member"), Number("from position")],
    },
    Rule {
        says: "whoever sent a message was a member then",
        finds: "SELECT l.room, l.actor, l.seq FROM log l WHERE l.kind = 2 AND l.version BETWEEN 1 AND 3 AND NOT EXISTS (SELECT 1 FROM stays s WHERE s.member = l.actor
            AND s.room = l.room AND s.from_position < l.position AND (s.to_position IS NULL OR s.to_position > l.position))",
        columns: &[Id("room"), Id("sender"), Number("seq")],
    },
    Rule {
        says: "the search index knows nothing that the log does not hold",
        finds: "SELECT part, position FROM indexed_2 i WHERE position < 0
            OR position > COALESCE((SELECT MAX(l.position) FROM log l WHERE l.part = i.part), 0)",
        columns: &[Number("partition"), Number("indexed to")],
    },
    Rule {
        says: "nobody has read past a room's head",
        finds: "SELECT m.room, m.member, m.read FROM members m WHERE m.read < 0
            OR m.read > COALESCE((SELECT MAX(l.seq) FROM log l WHERE l.room = m.room), 0)",
        columns: &[Id("room"), Id("member"), Number("read")],
    },
];
