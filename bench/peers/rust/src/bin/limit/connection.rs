//! One client's socket: frames that wait for it, and the loop that reads from it. It moves bytes; what they mean is [`crate::hub`]'s.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    task::spawn_local,
};

use crate::{
    hub::Hub,
    ws::{self, ProtocolError},
};

/// Bytes that may wait for one client before it is cut.
const MAX_QUEUED: usize = 64 << 20;
/// Frames in one system call.
const FRAMES: usize = 128;
/// The longest HTTP request.
const MAX_REQUEST: usize = 8192;

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

    /// Serves the client until it leaves.
    pub async fn serve(self: Rc<Self>, mut reader: OwnedReadHalf, hub: &Hub) -> io::Result<()> {
        // What was read and is not a whole request or frame yet; nearly always empty, so that an idle client costs no buffer.
        let mut partial = Vec::new();
        let mut upgraded = false;
        loop {
            // One buffer for all clients: nothing else runs between reading into it and having taken out what it holds.
            let length = poll_fn(|context| {
                let mut buffer = hub.buffer.borrow_mut();
                let mut buffer = ReadBuf::new(&mut buffer);
                Pin::new(&mut reader).poll_read(context, &mut buffer).map_ok(|()| buffer.filled().len())
            });
            let length = length.await?;
            let mut buffer = hub.buffer.borrow_mut();
            let mut read = &mut buffer[..length];
            if read.is_empty() {
                return Ok(());
            }
            let mut joined = std::mem::take(&mut partial);
            if !joined.is_empty() {
                joined.extend_from_slice(read);
                read = &mut joined;
            }
            if !upgraded {
                let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
                    if read.len() > MAX_REQUEST {
                        return Ok(());
                    }
                    partial = read.to_vec();
                    continue;
                };
                let (request, rest) = read.split_at_mut(end + 4);
                let Some(answer) = ws::upgrade(request) else {
                    self.push(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
                    self.flush();
                    return Ok(());
                };
                upgraded = true;
                self.push(answer);
                hub.opened(&self);
                read = rest;
            }
            match self.take_frames(hub, read) {
                Ok(Some(rest)) => partial = rest.to_vec(),
                Ok(None) | Err(ProtocolError) => return Ok(()),
            }
        }
    }

    /// Handles every whole frame and returns what is left; `None` ends the connection.
    fn take_frames<'a>(self: &Rc<Self>, hub: &Hub, mut read: &'a mut [u8]) -> Result<Option<&'a mut [u8]>, ProtocolError> {
        loop {
            let frame = match ws::split(read)? {
                Ok(frame) => frame,
                Err(rest) => return Ok(Some(rest)),
            };
            match frame.opcode {
                ws::TEXT => hub.received(self, frame.payload)?,
                ws::PING => self.send(ws::frame(ws::PONG, &[frame.payload])),
                ws::PONG => {}
                ws::CLOSE => {
                    self.send(ws::frame(ws::CLOSE, &[frame.payload]));
                    return Ok(None);
                }
                _ => return Err(ProtocolError),
            }
            read = frame.rest;
        }
    }

    /// Queues a frame and writes at once.
    pub fn send(self: &Rc<Self>, frame: Bytes) {
        self.push(frame);
        self.flush();
    }
}
