//! The calls that each service answers. A call that says "services only" is refused to users.

pub mod mentions;
pub mod messages;
pub mod state;
pub mod threads;
pub mod users;

macro_rules! call {
    ($call:ty => $reply:ty, $subject:literal $(, $more:item)?) => {
        impl crate::Call for $call {
            const SUBJECT: &'static str = $subject;
            type Reply = $reply;
            $($more)?
        }
    };
}
pub(crate) use call;
