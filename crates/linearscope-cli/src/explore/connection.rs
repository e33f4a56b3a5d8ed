//! A connection that does not wait for ever.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// How long a client may take nothing of what is written to it.
pub(crate) const SLOWEST: Duration = Duration::from_secs(20);

/// How long it may take for what is written to it without a pause, an answer or a line of one.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// A stream whose writes fail where the client takes nothing for [`SLOWEST`], or not all within [`LONGEST`].
pub(crate) struct Patient {
    stream: TokioIo<TcpStream>,
    /// Runs while a write waits.
    timer: Pin<Box<Sleep>>,
    waits: bool,
    /// When the client first kept waiting what is being written.
    late: Option<Instant>,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream: TokioIo::new(stream),
            timer: Box::pin(sleep_until(Instant::now())),
            waits: false,
            late: None,
        }
    }

    fn until<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        let now = Instant::now();
        if now - *self.late.get_or_insert(now) > LONGEST {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if !self.waits {
            self.waits = true;
            self.timer.as_mut().reset(Instant::now() + SLOWEST);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.until(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // Flushed is what was written whole.
        if flushed.is_ready() {
            self.late = None;
        }
        self.until(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.until(context, written)
    }
}
