//! What a seeded database holds: who is in which room, and who has said what. All of it follows from a few numbers, so a scenario knows
//! every page without having read it.

use anyhow::{Result, bail};

use super::words;

/// The size of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedPlan {
    /// Rooms.
    pub rooms: usize,
    /// Members of each. Two are a direct room, more a group.
    pub members: usize,
    /// Messages in each: their `seq` is 1 and up, because nothing else ever happened there.
    pub messages: usize,
    /// Users: `f0`, `f1`, …
    pub users: usize,
    /// Bytes of a message.
    pub body: usize,
    /// How many rooms talk at a time, a message each in turn: so many rows lie between the messages of one room.
    pub together: usize,
    /// The messages are words, for searches, and not a stamp and what fills it up.
    pub words: bool,
}

/// In how many rooms a user is, where the number of users is not given: the same in a small and in a large database, so that what it
/// costs to connect can be compared.
const ROOMS_OF_A_USER: usize = 20;

/// Where nothing else is said, so many rooms talk at a time, as on a busy server. (It is also how many are made before they talk.)
pub const TOGETHER: usize = 20_000;

/// Least bytes of a message: room and number, in hexadecimal.
const STAMP: usize = 17;

impl SeedPlan {
    /// A database of these numbers; without `users`, as many as make everybody a member of 20 rooms.
    ///
    /// # Errors
    /// There can be none, and why.
    pub fn new(rooms: usize, members: usize, messages: usize, users: Option<usize>, body: usize) -> Result<Self> {
        if rooms == 0 || !(2..=100).contains(&members) {
            bail!("give at least one room, of 2 to 100 members");
        }
        if body < STAMP {
            bail!("a message of a filled database has at least {STAMP} bytes");
        }
        // 21 are the fewest among whom everybody can have ten partners to the one side and ten to the other.
        let least = if members == 2 { ROOMS_OF_A_USER + 1 } else { members };
        let users = users.unwrap_or_else(|| (rooms * members).div_ceil(ROOMS_OF_A_USER).max(least));
        let plan = Self { rooms, members, messages, users, body, together: TOGETHER, words: false };
        // A pair has one direct room: `i` with `i + d` must never be `j` with `j + e`.
        if members == 2 && rooms.div_ceil(users.max(1)) * 2 >= users {
            bail!("{users} users are not enough for {rooms} rooms of two: there is one direct room a pair");
        }
        if users < members {
            bail!("{users} users cannot fill a room of {members}");
        }
        Ok(plan)
    }

    /// The same, but so many rooms talk at a time.
    pub fn talking_together(self, together: usize) -> Self {
        Self { together: together.clamp(1, TOGETHER), ..self }
    }

    /// The same, but the messages are words.
    pub fn in_words(self) -> Self {
        Self { words: true, ..self }
    }

    /// A file name that tells it from every other, the version of the schema too.
    pub fn file_name(&self) -> String {
        let version = |schema: db::Migrations| schema.steps.last().map_or(0, |step| step.number);
        let (users, messages) = (version(users::MIGRATIONS), version(messages::MIGRATIONS));
        format!(
            "rooms{}-members{}-messages{}-users{}-body{}{}-together{}-schema{users}.{messages}.db",
            self.rooms,
            self.members,
            self.messages,
            self.users,
            self.body,
            if self.words { "-words" } else { "" },
            self.together
        )
    }

    /// How a user is called.
    pub fn username(user: usize) -> String {
        format!("f{user}")
    }

    /// The user who is a room's member number `place`; number 0 has created it.
    pub fn member(&self, room: usize, place: usize) -> usize {
        // Each further round over the users takes partners who are one further away.
        let step = if self.members == 2 { 1 + room / self.users } else { 1 };
        (room % self.users + place * step) % self.users
    }

    /// The room of two of this user and the one who is `distance` further, if there is one.
    pub fn pair(&self, user: usize, distance: usize) -> Option<usize> {
        let room = distance.checked_sub(1)? * self.users + user;
        (self.members == 2 && room < self.rooms).then_some(room)
    }

    /// Who has sent a room's message with this `seq`: all members in turn.
    pub fn sender(&self, room: usize, seq: usize) -> usize {
        self.member(room, seq % self.members)
    }

    /// What this message says.
    pub fn body(&self, room: usize, seq: usize) -> String {
        if self.words {
            return words::text(room, seq, self.body);
        }
        let mut text = format!("{room:08x} {seq:08x}");
        text.extend(std::iter::repeat_n('x', self.body.saturating_sub(text.len())));
        text
    }

    /// All users in the order in which they first appear.
    pub fn users_in_order(&self) -> Vec<usize> {
        scattered(self.users)
    }

    /// All rooms in the order in which they are made: in each round everybody creates one, in the order in which they came. So a user's
    /// rooms lie far apart, and so do those of users with near numbers; and yet the database need not change all of its pages at once.
    pub fn rooms_in_order(&self) -> impl Iterator<Item = usize> + use<> {
        let (users, Self { rooms, users: each, .. }) = (self.users_in_order(), *self);
        (0..rooms.div_ceil(each))
            .flat_map(move |round| users.clone().into_iter().map(move |user| round * each + user).filter(move |room| *room < rooms))
    }
}

/// All numbers below `count`, so that each comes far from its neighbours, as people who know one another did not all come on one day.
/// Steps of the golden ratio are the most even (Knuth, volume 3, 6.4).
fn scattered(count: usize) -> Vec<usize> {
    let golden = (count as u128 * 618_034 / 1_000_000) as usize;
    let step = (golden.max(1)..).find(|step| coprime(*step, count)).unwrap_or(1);
    let mut places: Vec<(usize, usize)> =
        (0..count).map(|number| ((number as u128 * step as u128 % count as u128) as usize, number)).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, number)| number).collect()
}

/// Whether one is their greatest common divisor; so steps of this size come to every place.
fn coprime(mut a: usize, mut b: usize) -> bool {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn pairs(plan: &SeedPlan) -> HashSet<(usize, usize)> {
        (0..plan.rooms).map(|room| (plan.member(room, 0), plan.member(room, 1))).map(|(a, b)| (a.min(b), a.max(b))).collect()
    }

    #[test]
    fn no_pair_comes_twice_and_everybody_is_in_twenty_rooms() {
        for rooms in [1, 20, 50, 209, 210, 211, 1_000, 12_345] {
            let plan = SeedPlan::new(rooms, 2, 3, None, 100).unwrap();
            let pairs = pairs(&plan);
            assert_eq!(pairs.len(), rooms, "{plan:?}");
            assert!(pairs.iter().all(|(a, b)| a != b && *b < plan.users), "{plan:?}");
        }
        let plan = SeedPlan::new(1_000, 2, 3, None, 100).unwrap();
        let mut rooms = vec![0; plan.users];
        (0..plan.rooms).flat_map(|room| [plan.member(room, 0), plan.member(room, 1)]).for_each(|user| rooms[user] += 1);
        assert_eq!(rooms, vec![20; 100]);
    }

    #[test]
    fn a_pairs_room_is_found() {
        let plan = SeedPlan::new(1_000, 2, 3, None, 100).unwrap();
        let room = plan.pair(95, 10).unwrap();
        assert_eq!([plan.member(room, 0), plan.member(room, 1)], [95, 5]);
        assert_eq!([plan.pair(0, 0), plan.pair(0, 11)], [None, None]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(SeedPlan::new(1_000, 2, 3, Some(44), 100).unwrap_err().to_string().contains("44 users"));
        assert!(SeedPlan::new(1_000, 2, 3, Some(50), 100).is_ok_and(|plan| pairs(&plan).len() == 1_000));
        assert!(SeedPlan::new(0, 2, 3, None, 100).is_err() && SeedPlan::new(1, 1, 3, None, 100).is_err());
        assert!(SeedPlan::new(10, 30, 3, Some(20), 100).is_err() && SeedPlan::new(10, 2, 3, None, 16).is_err());
    }

    #[test]
    fn a_group_has_different_members_and_all_of_them_speak() {
        let plan = SeedPlan::new(10, 30, 60, None, 100).unwrap();
        for room in 0..10 {
            let members: HashSet<_> = (0..30).map(|place| plan.member(room, place)).collect();
            let senders: HashSet<_> = (1..=60).map(|seq| plan.sender(room, seq)).collect();
            assert_eq!((members.len(), &senders), (30, &members));
        }
    }

    #[test]
    fn every_number_comes_once_and_neighbours_come_far_apart() {
        for count in [1, 2, 3, 10, 1_000, 12_345] {
            assert_eq!(scattered(count).into_iter().collect::<HashSet<_>>().len(), count);
        }
        let mut place = vec![0_usize; 1_000];
        scattered(1_000).into_iter().enumerate().for_each(|(at, number)| place[number] = at);
        assert!(place.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 100));
    }

    #[test]
    fn every_room_is_made_once() {
        for rooms in [1, 20, 50, 1_000] {
            let plan = SeedPlan::new(rooms, 2, 3, None, 100).unwrap();
            let mut made: Vec<usize> = plan.rooms_in_order().collect();
            made.sort_unstable();
            assert_eq!(made, (0..rooms).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bodies_differ_and_have_their_length() {
        let plan = SeedPlan::new(1_000, 2, 3, None, 40).unwrap();
        assert_eq!(plan.body(255, 3), format!("000000ff 00000003{}", "x".repeat(23)));
        assert!(plan.file_name().starts_with("rooms1000-members2-messages3-users100-body40-together20000-schema"));
    }
}
