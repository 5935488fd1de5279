//! The network side of a websocket: counts what leaves, and can be stopped from outside.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    runtime::Handle,
};

use crate::{backpressure::Side, link::Link};

/// How long a closed socket is still read from. A socket that is closed with unread bytes is reset, and the client may then lose the last
/// bytes that were sent to it. Long enough for a round trip, short enough not to collect sockets.
const LINGER: Duration = Duration::from_secs(2);

/// A stream that belongs to a link.
#[derive(Debug)]
pub(crate) struct WebSocketTransport<T: Stream> {
    /// Gone only after the drop has taken it.
    stream: Option<T>,
    link: Arc<Link>,
    ended: bool,
}

/// What a websocket runs over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

impl<T: Stream> WebSocketTransport<T> {
    pub(crate) fn new(stream: T, link: Arc<Link>) -> Self {
        WebSocketTransport { stream: Some(stream), link, ended: false }
    }

    /// The stream, unless the connection was stopped.
    fn open(&mut self, side: Side, cx: &Context<'_>) -> io::Result<Pin<&mut T>> {
        if self.link.backpressure.must_stop(side, cx) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<T: Stream> AsyncRead for WebSocketTransport<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let stream = self.open(Side::Reader, cx)?;
        let read = stream.poll_read(cx, buffer);
        // Not the client's own end: the stream still lingers after it.
        if read.is_pending() && self.link.backpressure.must_end() {
            return Poll::Ready(Ok(()));
        }
        let read = ready!(read);
        self.ended = read.is_err() || buffer.filled().len() == before;
        Poll::Ready(read)
    }
}

impl<T: Stream> AsyncWrite for WebSocketTransport<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.open(Side::Writer, cx)?.poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) => {
                self.link.backpressure.wrote(written as u64);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => {
                self.ended = true;
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                self.link.backpressure.block();
                Poll::Pending
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open(Side::Writer, cx)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open(Side::Writer, cx)?.poll_shutdown(cx)
    }
}

impl<T: Stream> Drop for WebSocketTransport<T> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take()
            && !self.ended
            && !self.link.backpressure.is_stopped()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(LINGER, linger(stream)));
        }
        // Mostly the session has ended before. After a failed handshake or upgrade the engine forgets to end it.
        self.link.end();
    }
}

/// Says goodbye, then reads on until the client has closed too.
async fn linger<T: Stream>(mut stream: T) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
