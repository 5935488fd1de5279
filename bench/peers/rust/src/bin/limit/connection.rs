//! One client's socket, and the frames that wait for it.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    io::{ErrorKind, IoSlice},
    rc::Rc,
    sync::Arc,
};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::{net::tcp::OwnedWriteHalf, task::spawn_local};

/// Bytes that may wait for one client before it is cut.
const MAX_QUEUED: usize = 64 << 20;
/// Frames in one system call.
const FRAMES: usize = 128;

pub struct Connection {
    pub id: u64,
    /// Set by CONNECT.
    pub user: OnceCell<Arc<str>>,
    pub rooms: RefCell<Vec<Rc<str>>>,
    /// A ping has gone out and its pong has not come.
    pub awaits_pong: Cell<bool>,
    writer: OwnedWriteHalf,
    queue: RefCell<VecDeque<Bytes>>,
    queued: Cell<usize>,
    /// The kernel takes no more for now; a task waits until it does.
    stalled: Cell<bool>,
}

impl Connection {
    pub fn new(id: u64, writer: OwnedWriteHalf) -> Rc<Self> {
        Rc::new(Self {
            id,
            user: OnceCell::new(),
            rooms: RefCell::default(),
            awaits_pong: Cell::new(false),
            writer,
            queue: RefCell::default(),
            queued: Cell::new(0),
            stalled: Cell::new(false),
        })
    }

    /// Queues a frame, and says whether it is the first in the queue, so that [`Connection::flush`] is owed.
    pub fn push(&self, frame: Bytes) -> bool {
        let mut queue = self.queue.borrow_mut();
        self.queued.set(self.queued.get() + frame.len());
        if self.queued.get() > MAX_QUEUED {
            self.cut();
        }
        queue.push_back(frame);
        queue.len() == 1
    }

    /// Writes what is queued, as much as the kernel takes; the rest follows as soon as it takes more.
    pub fn flush(self: &Rc<Self>) {
        if self.stalled.get() || self.write().is_ok() {
            return;
        }
        self.stalled.set(true);
        let this = self.clone();
        spawn_local(async move {
            while this.writer.writable().await.is_ok() && this.write().is_err() {}
            this.stalled.set(false);
        });
    }

    /// `Err` means that the kernel would block. Where the client is gone the queue is dropped; the reading loop notices by itself.
    fn write(&self) -> Result<(), ()> {
        let mut queue = self.queue.borrow_mut();
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES];
            let count = queue.iter().zip(&mut slices).map(|(frame, slice)| *slice = IoSlice::new(frame)).count();
            match self.writer.try_write_vectored(&slices[..count]) {
                Ok(mut written) => {
                    self.queued.set(self.queued.get().saturating_sub(written));
                    while let Some(front) = queue.front_mut() {
                        if front.len() > written {
                            front.advance(written);
                            break;
                        }
                        written -= front.len();
                        queue.pop_front();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(()),
                Err(_) => {
                    queue.clear();
                    self.queued.set(0);
                }
            }
        }
        Ok(())
    }

    /// Ends the connection: the reading loop finds its end.
    pub fn cut(&self) {
        let _ = SockRef::from(self.writer.as_ref()).shutdown(std::net::Shutdown::Both);
    }

    /// Queues a frame and writes at once.
    pub fn send(self: &Rc<Self>, frame: Bytes) {
        self.push(frame);
        self.flush();
    }
}
