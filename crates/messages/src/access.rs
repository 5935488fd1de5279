//! Who may do what in a room, by its kind and by the caller's membership. Every operation asks here.
//!
//! A room does not exist for a non-member (`not_found`). A channel can be looked at by everybody, but only its members read, page or write it
//! (`forbidden` for others).

use contract::room::LIVELY_MEMBERS;
use contract::{Refusal, RoomKind};

/// Reading and writing a room: its members.
pub(crate) fn member_only(kind: RoomKind, is_member: bool) -> Result<(), Refusal> {
    match (is_member, kind) {
        (true, _) => Ok(()),
        (false, RoomKind::Channel) => Err(Refusal::forbidden("join this channel first").about("room")),
        (false, _) => Err(Refusal::no_room()),
    }
}

/// Reading how far the members have read: in rooms in which that is told. The caller is known to be a member.
pub(crate) fn reads(member_count: i64) -> Result<(), Refusal> {
    if member_count <= LIVELY_MEMBERS {
        Ok(())
    } else {
        Err(Refusal::forbidden(format!("read marks can be listed in rooms of up to {LIVELY_MEMBERS} members")).about("room"))
    }
}

/// Looking at a room: its members, and everybody at a channel.
pub(crate) fn look(kind: RoomKind, is_member: bool) -> Result<(), Refusal> {
    if is_member || kind == RoomKind::Channel { Ok(()) } else { Err(Refusal::no_room()) }
}

/// Making somebody a member.
pub(crate) fn add(kind: RoomKind, is_member: bool, is_oneself: bool) -> Result<(), Refusal> {
    look(kind, is_member)?;
    match kind {
        RoomKind::Direct => Err(Refusal::forbidden("a direct room is for two, for ever; create a group instead").about("room")),
        RoomKind::Channel if !is_oneself => Err(Refusal::forbidden("into a channel everybody goes by themselves").about("username")),
        RoomKind::Channel | RoomKind::Group => Ok(()),
    }
}

/// Ending a membership.
pub(crate) fn remove(kind: RoomKind, is_member: bool, is_oneself: bool, is_owner: bool) -> Result<(), Refusal> {
    look(kind, is_member)?;
    match kind {
        RoomKind::Direct => Err(Refusal::forbidden("a direct room cannot be left").about("room")),
        _ if is_oneself => Ok(()),
        _ if is_owner && is_member => Ok(()),
        _ => Err(Refusal::forbidden("only the room's owner can remove others").about("username")),
    }
}

/// Editing a message: its sender. The caller is known to be a member.
pub(crate) fn edit(is_sender: bool) -> Result<(), Refusal> {
    if is_sender { Ok(()) } else { Err(Refusal::forbidden("only its sender can edit a message").about("seq")) }
}

/// Deleting a message: its sender, and in groups and channels the room's owner. The caller is known to be a member.
pub(crate) fn delete(kind: RoomKind, is_sender: bool, is_owner: bool) -> Result<(), Refusal> {
    match kind {
        _ if is_sender => Ok(()),
        RoomKind::Direct => Err(Refusal::forbidden("in a direct room only its sender can delete a message").about("seq")),
        _ if is_owner => Ok(()),
        _ => Err(Refusal::forbidden("only its sender and the room's owner can delete a message").about("seq")),
    }
}

/// Reading what a message said before it was edited: whoever may delete it. The caller is known to be a member.
pub(crate) fn versions(kind: RoomKind, is_sender: bool, is_owner: bool) -> Result<(), Refusal> {
    let refused = |_| Refusal::forbidden("only its sender and the room's owner can read a message's versions").about("seq");
    delete(kind, is_sender, is_owner).map_err(refused)
}

/// Pinning and unpinning: the members of a direct room or a group, a channel's owner. The caller is known to be a member.
pub(crate) fn pin(kind: RoomKind, is_owner: bool) -> Result<(), Refusal> {
    if kind != RoomKind::Channel || is_owner {
        Ok(())
    } else {
        Err(Refusal::forbidden("only a channel's owner can pin and unpin messages").about("room"))
    }
}

/// Mentioning everybody: in a room of more than 100 members its owner alone.
pub(crate) fn mention_everybody(member_count: i64, is_owner: bool) -> bool {
    member_count <= LIVELY_MEMBERS || is_owner
}

/// Writing in a thread, and following one: not in a direct room.
pub(crate) fn thread(kind: RoomKind) -> Result<(), Refusal> {
    match kind {
        RoomKind::Direct => Err(Refusal::forbidden("a direct room has no threads").about("thread")),
        RoomKind::Group | RoomKind::Channel => Ok(()),
    }
}

/// Changing a room's name: not that of a direct room.
pub(crate) fn rename(kind: RoomKind, is_member: bool, is_owner: bool) -> Result<(), Refusal> {
    member_only(kind, is_member)?;
    match kind {
        RoomKind::Direct => Err(Refusal::forbidden("a direct room has no name").about("room")),
        _ if is_owner => Ok(()),
        _ => Err(Refusal::forbidden("only the room's owner can rename it").about("room")),
    }
}

/// Changing a room's topic and metadata: both people of a direct room, the owner of another one.
pub(crate) fn describe(kind: RoomKind, is_member: bool, is_owner: bool) -> Result<(), Refusal> {
    member_only(kind, is_member)?;
    match kind {
        RoomKind::Direct => Ok(()),
        _ if is_owner => Ok(()),
        _ => Err(Refusal::forbidden("only the room's owner can change its topic and metadata").about("room")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Code;
    use contract::RoomKind::{Channel, Direct, Group};

    fn code(outcome: Result<(), Refusal>) -> Option<Code> {
        outcome.err().map(|refusal| refusal.code)
    }

    #[test]
    fn what_is_not_yours_does_not_exist() {
        for kind in [Direct, Group] {
            assert_eq!(code(member_only(kind, false)), Some(Code::NotFound));
            assert_eq!(code(look(kind, false)), Some(Code::NotFound));
            assert_eq!(code(add(kind, false, true)), Some(Code::NotFound));
            assert_eq!(code(remove(kind, false, true, false)), Some(Code::NotFound));
            assert_eq!(code(rename(kind, false, false)), Some(Code::NotFound));
        }
    }

    #[test]
    fn a_channel_can_be_looked_at_and_joined() {
        assert_eq!(code(look(Channel, false)), None);
        assert_eq!(code(add(Channel, false, true)), None);
        assert_eq!(code(add(Channel, true, false)), Some(Code::Forbidden));
        assert_eq!(code(member_only(Channel, false)), Some(Code::Forbidden));
        assert_eq!(code(rename(Channel, false, false)), Some(Code::Forbidden));
    }

    #[test]
    fn a_direct_room_stays_as_it_is() {
        assert_eq!(code(add(Direct, true, true)), Some(Code::Forbidden));
        assert_eq!(code(remove(Direct, true, true, true)), Some(Code::Forbidden));
        assert_eq!(code(rename(Direct, true, true)), Some(Code::Forbidden));
    }

    #[test]
    fn an_owner_removes_others_and_renames() {
        assert_eq!(code(remove(Group, true, false, true)), None);
        assert_eq!(code(remove(Group, true, false, false)), Some(Code::Forbidden));
        assert_eq!(code(remove(Group, true, true, false)), None);
        assert_eq!(code(rename(Group, true, false)), Some(Code::Forbidden));
        assert_eq!(code(rename(Group, true, true)), None);
    }
}
