//! Messages that were found together: who is named in them, and what came in the threads that begin with them.

use crate::once::OncePer;
use crate::request_context::RequestContext;
use crate::shared_page::SharedPage;
use crate::user_batch::UserBatch;
use contract::calls::threads::RepliesOf;
use contract::{Limit, Message, Refusal, RoomId, Username};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How many threads a service is asked about at once (the call's own bound).
const AT_ONCE: usize = 100;

/// A message with which a thread begins: its room and its seq.
type Root = (RoomId, i64);

/// A page of each thread, and all messages of these pages.
type Replies = (Arc<HashMap<Root, Result<SharedPage<Arc<Message>>, Refusal>>>, Arc<MessageBatch>);

/// See the module.
#[derive(Default)]
pub(crate) struct MessageBatch {
    people: Arc<UserBatch>,
    roots: BTreeSet<Root>,
    replies: OncePer<(i64, i64), Replies>,
}

impl MessageBatch {
    /// Messages as a service answers them.
    pub(crate) fn new<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Arc<Self> {
        Self::with([], messages)
    }

    /// The same, and others who are named beside them.
    pub(crate) fn with<'a>(names: impl IntoIterator<Item = &'a Username>, messages: impl IntoIterator<Item = &'a Message>) -> Arc<Self> {
        let mut names: BTreeSet<Username> = names.into_iter().cloned().collect();
        let mut roots = BTreeSet::new();
        for message in messages {
            names.extend(message.people().cloned());
            if message.thread.is_none() && message.thread_info.is_some() {
                roots.insert((message.room, message.seq));
            }
        }
        Arc::new(Self { people: UserBatch::new(names), roots, replies: OncePer::default() })
    }

    /// A message that an event tells, which does not say whether a thread begins with it.
    pub(crate) fn heard(people: &Arc<UserBatch>, message: &Message) -> Arc<Self> {
        let root = message.thread.is_none().then_some((message.room, message.seq));
        Arc::new(Self { people: Arc::clone(people), roots: root.into_iter().collect(), replies: OncePer::default() })
    }

    /// Who is named in them.
    pub(crate) fn people(&self) -> &Arc<UserBatch> {
        &self.people
    }

    /// Messages of the thread that begins with one of them, after a seq, and all that were found with them.
    pub(crate) async fn replies(
        &self,
        context: &RequestContext,
        root: Root,
        after: i64,
        limit: Limit,
    ) -> Result<(SharedPage<Arc<Message>>, Arc<MessageBatch>), Refusal> {
        if !self.roots.contains(&root) {
            return Ok((SharedPage::empty(), Arc::default()));
        }
        let ask = async {
            let mut found = Vec::with_capacity(self.roots.len());
            let roots: Vec<Root> = self.roots.iter().copied().collect();
            for threads in roots.chunks(AT_ONCE) {
                found.extend(context.ask(RepliesOf { threads: threads.to_vec(), after, limit }).await?);
            }
            let pages = found.iter().filter_map(|of| of.answer.as_ref().ok());
            let batch = MessageBatch::new(pages.flat_map(|page| &page.items).map(|(_, message)| message));
            let each = found.into_iter().map(|of| ((of.room, of.thread), of.answer.map(SharedPage::from))).collect();
            Ok((Arc::new(each), batch))
        };
        let (each, batch) = self.replies.get((after, limit.into()), ask).await?;
        let page = each.get(&root).cloned().unwrap_or_else(|| Err(Refusal::no_room()))?;
        Ok((page, batch))
    }
}
