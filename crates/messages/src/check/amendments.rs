//! The rules of what messages have become: their states, reactions and pins are computed again from the log.
//!
//! A row that tells several changes of reactions together (kind 8 without a payload) does not say which. Up to the newest such row of a message, and
//! while one waits, the table `reactions` says who has reacted; the counts and names of the state are compared with it (`projections`).

use super::Column::{Id, Number};
use super::Rule;

pub(super) const RULES: [Rule; 10] = [
    Rule {
        says: "a change of a message names an earlier message of its room",
        finds: "SELECT l.room, l.seq, l.ref_seq FROM log l WHERE l.kind BETWEEN 6 AND 10 AND l.version = 1 AND NOT EXISTS
                (SELECT 1 FROM log m WHERE m.room = l.room AND m.seq = l.ref_seq AND m.seq < l.seq AND m.kind = 2)
            UNION ALL SELECT room, seq, ref_seq FROM log WHERE ref_seq IS NOT NULL AND kind BETWEEN 1 AND 5",
        columns: &[Id("room"), Number("seq"), Number("of message")],
    },
    Rule {
        says: "a change of a message, and a message that stands in a thread alone, do not move their room in the order of rooms",
        finds: "SELECT l.room, l.seq, l.active_at FROM log l
                WHERE (l.kind BETWEEN 6 AND 10 AND l.version = 1 OR l.kind = 2 AND l.version = 3 AND l.newest <> l.seq)
                AND (l.active_at IS NULL OR l.active_at <> (SELECT a.created_at FROM log a
                    WHERE a.room = l.room AND a.seq < l.seq AND a.active_at IS NULL ORDER BY a.seq DESC LIMIT 1))
            UNION ALL SELECT room, seq, active_at FROM log WHERE active_at IS NOT NULL AND kind BETWEEN 1 AND 5
                AND NOT (kind = 2 AND thread IS NOT NULL AND newest <> seq)",
        columns: &[Id("room"), Number("seq"), Number("active at")],
    },
    Rule {
        says: "a message's rev is that of its newest change",
        // Before the first change of reactions that waits is told, it is the message's own seq; so it is where messages came in its thread alone.
        finds: "SELECT s.room, s.seq, s.rev FROM message_state s WHERE s.rev <> COALESCE((SELECT MAX(l.seq) FROM log l
                WHERE l.room = s.room AND l.ref_seq = s.seq AND l.kind BETWEEN 6 AND 10),
                (SELECT u.seq FROM untold_reactions u WHERE u.room = s.room AND u.seq = s.seq),
                CASE WHEN s.thread_total IS NULL THEN 0 ELSE s.seq END)
            UNION ALL SELECT l.room, l.ref_seq, l.seq FROM log l WHERE l.kind BETWEEN 6 AND 10 AND l.version = 1
                AND NOT EXISTS (SELECT 1 FROM message_state s WHERE s.room = l.room AND s.seq = l.ref_seq)",
        columns: &[Id("room"), Number("message"), Number("rev")],
    },
    Rule {
        says: "an edited message is what its newest edit says",
        finds: "SELECT s.room, s.seq, s.edits FROM message_state s LEFT JOIN log e ON e.room = s.room AND e.seq = s.edited_seq
            WHERE s.deleted_at IS NULL AND (s.edits <> (SELECT COUNT(*) FROM log l WHERE l.room = s.room AND l.ref_seq = s.seq AND l.kind = 6)
                OR s.edits = 0 AND (s.edited_seq IS NOT NULL OR s.edited_at IS NOT NULL OR s.body IS NOT NULL OR s.extra IS NOT NULL)
                OR s.edits > 0 AND (s.edited_seq IS NULL OR s.edited_at IS NULL OR e.kind IS NULL OR e.kind <> 6 OR e.ref_seq <> s.seq
                    OR s.edited_at <> e.created_at OR s.body IS NULL OR e.payload IS NULL OR s.body <> e.payload
                    OR COALESCE(s.extra, '') <> COALESCE(e.extra, '')
                    OR s.edited_seq <> (SELECT MAX(l.seq) FROM log l WHERE l.room = s.room AND l.ref_seq = s.seq AND l.kind = 6)))",
        columns: &[Id("room"), Number("message"), Number("edits")],
    },
    Rule {
        says: "only its sender edits a message",
        finds: "SELECT l.room, l.seq, l.ref_seq FROM log l JOIN log m ON m.room = l.room AND m.seq = l.ref_seq
            WHERE l.kind = 6 AND l.version = 1 AND l.actor <> m.actor",
        columns: &[Id("room"), Number("seq"), Number("of message")],
    },
    Rule {
        says: "a message is deleted where the log says so, and once",
        finds: "SELECT s.room, s.seq, s.deleted_at FROM message_state s WHERE (s.deleted_at IS NOT NULL) <> EXISTS (SELECT 1 FROM log l
                WHERE l.room = s.room AND l.ref_seq = s.seq AND l.kind = 7)
            UNION ALL SELECT s.room, s.seq, s.deleted_at FROM message_state s JOIN log l ON l.room = s.room AND l.ref_seq = s.seq AND l.kind = 7
                WHERE s.deleted_at <> l.created_at OR s.deleted_by IS NULL OR s.deleted_by <> l.actor
            UNION ALL SELECT room, ref_seq, COUNT(*) FROM log WHERE kind = 7 GROUP BY room, ref_seq HAVING COUNT(*) > 1
            UNION ALL SELECT l.room, l.ref_seq, l.seq FROM log l JOIN log d ON d.room = l.room AND d.ref_seq = l.ref_seq AND d.kind = 7
                WHERE l.kind BETWEEN 6 AND 10 AND l.seq > d.seq",
        columns: &[Id("room"), Number("message"), Number("deleted at")],
    },
    Rule {
        says: "nothing is left of what was deleted, and only that has no text",
        finds: "SELECT m.room, m.seq, m.position FROM log m LEFT JOIN message_state s ON s.room = m.room AND s.seq = m.seq
                WHERE m.kind = 2 AND m.version BETWEEN 1 AND 3 AND ((m.payload IS NULL) <> (s.deleted_at IS NOT NULL)
                    OR m.payload IS NULL AND (m.extra IS NOT NULL OR m.version <> CASE WHEN m.thread IS NULL THEN 2 ELSE 3 END))
            UNION ALL SELECT l.room, l.ref_seq, l.position FROM log l JOIN message_state s ON s.room = l.room AND s.seq = l.ref_seq
                WHERE l.kind IN (6, 8) AND s.deleted_at IS NOT NULL AND (l.payload IS NOT NULL OR l.extra IS NOT NULL)
            UNION ALL SELECT s.room, s.seq, s.rev FROM message_state s WHERE s.deleted_at IS NOT NULL AND (s.edits <> 0 OR s.body IS NOT NULL
                OR s.extra IS NOT NULL OR s.edited_at IS NOT NULL OR s.reactions IS NOT NULL OR s.pin_seq IS NOT NULL OR s.pinned_at IS NOT NULL)
            UNION ALL SELECT s.room, s.seq, r.at_seq FROM message_state s JOIN reactions r ON r.room = s.room AND r.seq = s.seq
                WHERE s.deleted_at IS NOT NULL",
        columns: &[Id("room"), Number("message"), Number("at")],
    },
    Rule {
        says: "reactions are what the log says: the last change of each is a giving, and it stands there",
        finds: "SELECT l.room, l.ref_seq, l.seq FROM (SELECT room, ref_seq, seq, actor, payload, created_at,
                    LEAD(seq) OVER (PARTITION BY room, ref_seq, actor, substr(payload, 2) ORDER BY seq) AS later
                FROM log WHERE kind = 8 AND version = 1 AND payload IS NOT NULL) AS l
                WHERE l.later IS NULL AND (substr(l.payload, 1, 1) = '+') <> EXISTS (SELECT 1 FROM reactions r WHERE r.room = l.room
                    AND r.seq = l.ref_seq AND r.emoji = substr(l.payload, 2) AND r.member = l.actor
                    AND r.at_seq = l.seq AND r.at_place = 0 AND r.created_at = l.created_at)
                AND NOT EXISTS (SELECT 1 FROM log t WHERE t.room = l.room AND t.ref_seq = l.ref_seq AND t.kind = 8 AND t.seq > l.seq
                    AND t.payload IS NULL)
                AND NOT EXISTS (SELECT 1 FROM untold_reactions u WHERE u.room = l.room AND u.seq = l.ref_seq)
            UNION ALL SELECT r.room, r.seq, r.at_seq FROM reactions r WHERE r.at_place = 0 AND NOT EXISTS (SELECT 1 FROM log l
                WHERE l.room = r.room AND l.seq = r.at_seq AND l.kind = 8 AND l.ref_seq = r.seq AND l.actor = r.member
                AND l.payload = '+' || r.emoji)",
        columns: &[Id("room"), Number("message"), Number("seq")],
    },
    Rule {
        says: "a change of reactions that has no row of its own is told by a later one, or waits",
        finds: "SELECT r.room, r.seq, r.at_seq FROM reactions r WHERE r.at_place <> 0
                AND NOT EXISTS (SELECT 1 FROM log t WHERE t.room = r.room AND t.ref_seq = r.seq AND t.kind = 8 AND t.seq > r.at_seq
                    AND t.payload IS NULL)
                AND NOT EXISTS (SELECT 1 FROM untold_reactions u WHERE u.room = r.room AND u.seq = r.seq AND u.changes >= r.at_place)
            UNION ALL SELECT u.room, u.seq, u.changes FROM untold_reactions u WHERE NOT EXISTS (SELECT 1 FROM message_state s
                WHERE s.room = u.room AND s.seq = u.seq AND s.deleted_at IS NULL)",
        columns: &[Id("room"), Number("message"), Number("at")],
    },
    Rule {
        says: "pins are what the log says",
        finds: "SELECT s.room, s.seq, s.pin_seq FROM message_state s LEFT JOIN log p ON p.room = s.room AND p.seq = (SELECT MAX(l.seq) FROM log l
                WHERE l.room = s.room AND l.ref_seq = s.seq AND l.kind IN (9, 10))
            WHERE s.deleted_at IS NULL AND (COALESCE(s.pin_seq, 0) <> CASE WHEN p.kind = 9 THEN p.seq ELSE 0 END
                OR s.pin_seq IS NOT NULL AND (s.pinned_at IS NULL OR s.pinned_at <> p.created_at OR s.pinned_by IS NULL OR s.pinned_by <> p.actor)
                OR s.pin_seq IS NULL AND (s.pinned_at IS NOT NULL OR s.pinned_by IS NOT NULL))",
        columns: &[Id("room"), Number("message"), Number("pinned at")],
    },
];
