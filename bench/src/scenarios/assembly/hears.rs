//! What the sockets bring, and what is asked next.

use std::time::Instant;

use serde_json::Value;

use super::{Ask, Assembly};
use crate::json::number_after;
use crate::net::{Heard, Hears, Net};
use crate::virtual_users::Step;

/// An assembly at work.
pub(super) struct Working<'a> {
    pub assembly: &'a mut Assembly,
    /// The n-th thing to ask of a room.
    pub next: &'a dyn Fn(usize, usize) -> Option<Ask>,
}

impl Working<'_> {
    /// Asks for a room's next thing, if there is one.
    pub fn ask(&mut self, net: &mut Net, number: usize) {
        let all = &mut *self.assembly;
        let Some(room) = all.rooms.get_mut(number) else { return };
        let Some(Ask { member, request }) = (self.next)(number, room.asked) else { return };
        room.asked += 1;
        room.head += 1;
        room.open.push((room.asked, request, Instant::now()));
        all.work.asked += 1;
        let mut text = std::mem::take(&mut all.text);
        text.clear();
        let members = all.virtual_users.users.get(number * all.members..).unwrap_or_default();
        request.write(&mut text, room.asked, &room.id, members, all.bytes);
        all.tell(net, number * all.members + member, &text);
        all.text = text;
    }

    fn answered(&mut self, net: &mut Net, client: usize, number: u64, answer: &str) {
        let now = Instant::now();
        let all = &mut *self.assembly;
        let place = client / all.members.max(1);
        let Some(room) = all.rooms.get_mut(place) else { return };
        let open = room.open.iter().position(|(open, ..)| *open as u64 == number).map(|at| room.open.swap_remove(at));
        let Some((_, request, since)) = open else {
            all.problem = Some(format!("an acknowledgement of nothing: {number} {answer}"));
            return;
        };
        if !answer.starts_with("[{\"ok\":true") {
            all.problem = Some(format!("{request:?} was refused: {answer} (limits must be off, see docs/performance.md)"));
            return;
        }
        if request.answers().is_some_and(|seq| number_after(answer, "\"seq\":") != Some(seq)) {
            all.problem = Some(format!("{request:?} was answered with another message: {answer}"));
            return;
        }
        all.work.acked += 1;
        all.work.took.add(since, now);
        self.ask(net, place);
    }

    fn event(&mut self, client: usize, event: &str) {
        let all = &mut *self.assembly;
        let (Some(seq), Some(newest)) = (number_after(event, "\"seq\":"), all.newest.get_mut(client)) else {
            all.problem = Some(format!("an event without its place: {event}"));
            return;
        };
        all.work.delivered += 1;
        if seq != *newest + 1 {
            all.work.misplaced += 1;
        }
        *newest = seq;
    }
}

/// Whether an event takes a `seq` of its room here. What else a socket hears is of presence, of its rooms, or of a read mark.
fn is_numbered(event: &str) -> bool {
    ["new message", "message edited", "message deleted", "reactions changed"]
        .iter()
        .any(|name| event.strip_prefix("[\"").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with("\",")))
}

impl Hears for Working<'_> {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match self.assembly.virtual_users.heard(net, client, &what) {
            Step::Other => {}
            Step::Lost(why) => return self.assembly.problem = Some(format!("user {client} was cut: {why}")),
            Step::OnTheWay | Step::Ready => return,
        }
        match what {
            Heard::Event(event) if is_numbered(event) => self.event(client, event),
            Heard::Ack(number, answer) => self.answered(net, client, number, answer),
            _ => {}
        }
    }
}

/// While the rooms are made.
impl Hears for Assembly {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match self.virtual_users.heard(net, client, &what) {
            Step::Other => {}
            Step::Lost(why) => return self.problem = Some(format!("user {client} was cut: {why}")),
            Step::OnTheWay | Step::Ready => return,
        }
        let Heard::Ack(0, answer) = what else { return };
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        let first = answer.get(0).unwrap_or(&Value::Null);
        let id = first.pointer("/room/id").and_then(Value::as_str);
        let room = self.rooms.get_mut(client / self.members.max(1));
        match (first["ok"] == true, id, room) {
            (true, Some(id), Some(room)) => {
                id.clone_into(&mut room.id);
                self.made += 1;
            }
            _ => self.problem = Some(format!("{} (limits must be off, see docs/performance.md)", first["error"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_with_a_place_in_the_room_are_told_from_the_others() {
        for event in ["new message", "message edited", "message deleted", "reactions changed"] {
            assert!(is_numbered(&format!("[\"{event}\",{{\"seq\":1}}]")), "{event}");
        }
        for event in ["read", "user online", "room created", "message edited too", "typing"] {
            assert!(!is_numbered(&format!("[\"{event}\",{{\"seq\":1}}]")), "{event}");
        }
    }
}
