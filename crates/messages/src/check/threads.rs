//! The rules of threads: what their first messages tell of them, and who has something unread in them, are computed again from the log.

use super::Column::{Id, Number};
use super::Rule;

pub(super) const RULES: [Rule; 5] = [
    Rule {
        says: "a message in a thread names an earlier message of its room that is in no thread",
        finds: "SELECT l.room, l.seq, l.thread FROM log l WHERE l.thread IS NOT NULL AND (l.kind <> 2 OR NOT EXISTS
                (SELECT 1 FROM log m WHERE m.room = l.room AND m.seq = l.thread AND m.seq < l.seq AND m.kind = 2 AND m.thread IS NULL))
            UNION ALL SELECT room, seq, thread FROM log WHERE (thread IS NULL) <> (thread_count IS NULL)
            UNION ALL SELECT room, seq, thread FROM log WHERE kind = 2 AND version BETWEEN 1 AND 3 AND (version = 3) <> (thread IS NOT NULL)",
        columns: &[Id("room"), Number("seq"), Number("of thread")],
    },
    Rule {
        says: "the messages of a thread are counted 1, 2, 3, …",
        finds: "SELECT room, seq, thread_count FROM (SELECT room, seq, thread_count,
                ROW_NUMBER() OVER (PARTITION BY room, thread ORDER BY seq) AS counted FROM log WHERE thread IS NOT NULL) AS l
            WHERE thread_count <> counted",
        columns: &[Id("room"), Number("seq"), Number("counted")],
    },
    Rule {
        says: "the first message of a thread tells what came in it",
        finds: "SELECT t.room, t.thread, t.total FROM (SELECT room, thread, COUNT(*) AS total,
                    SUM(CASE WHEN payload IS NULL THEN 1 ELSE 0 END) AS deleted, MAX(CASE WHEN payload IS NULL THEN NULL ELSE seq END) AS last
                FROM log WHERE thread IS NOT NULL GROUP BY room, thread) AS t
            LEFT JOIN message_state s ON s.room = t.room AND s.seq = t.thread
            LEFT JOIN log l ON l.room = t.room AND l.seq = t.last
            WHERE s.thread_total IS NULL OR s.thread_total <> t.total OR s.thread_deleted IS NULL OR s.thread_deleted <> t.deleted
                OR COALESCE(s.thread_last_seq, 0) <> COALESCE(t.last, 0) OR COALESCE(s.thread_last_at, 0) <> COALESCE(l.created_at, 0)
            UNION ALL SELECT s.room, s.seq, s.thread_total FROM message_state s WHERE s.thread_total IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM log l WHERE l.room = s.room AND l.thread = s.seq)",
        columns: &[Id("room"), Number("thread"), Number("messages")],
    },
    Rule {
        says: "what a message has become stands in the message's thread",
        finds: "SELECT s.room, s.seq, s.thread FROM message_state s JOIN log l ON l.room = s.room AND l.seq = s.seq
            WHERE COALESCE(s.thread, 0) <> COALESCE(l.thread, 0)
                OR COALESCE(s.aside, 0) <> CASE WHEN l.thread IS NOT NULL AND l.newest <> l.seq THEN 1 ELSE 0 END",
        columns: &[Id("room"), Number("message"), Number("thread")],
    },
    Rule {
        says: "who follows a thread has something unread where its newest message lies past the mark",
        finds: "SELECT t.room, t.member, t.thread FROM thread_members t LEFT JOIN message_state s ON s.room = t.room AND s.seq = t.thread
            WHERE t.unread <> CASE WHEN t.following = 1 AND COALESCE(s.thread_last_seq, 0) > t.read THEN 1 ELSE 0 END
                OR t.following NOT IN (0, 1) OR t.read < 0
                OR t.read > COALESCE((SELECT MAX(l.seq) FROM log l WHERE l.room = t.room AND l.thread = t.thread), 0)
                OR NOT EXISTS (SELECT 1 FROM members m WHERE m.room = t.room AND m.member = t.member)",
        columns: &[Id("room"), Id("member"), Number("thread")],
    },
];
