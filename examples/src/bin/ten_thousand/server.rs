//! The server that is asked: each answer takes it a while, and it counts how many requests it has at once.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Barrier;
use tokio::time::sleep;

/// How long an answer takes.
const ANSWER: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Counts {
    received: AtomicUsize,
    here: AtomicUsize,
    most: AtomicUsize,
    first: (usize, Barrier),
}

impl Counts {
    /// The most requests that were here at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(SeqCst)
    }

    async fn answer(&self) -> Result<Response<String>, Infallible> {
        self.most.fetch_max(self.here.fetch_add(1, SeqCst) + 1, SeqCst);
        let (count, barrier) = &self.first;
        // The first wait until all of them are here, so that how many meet is no matter of luck.
        if self.received.fetch_add(1, SeqCst) < *count {
            barrier.wait().await;
        }
        sleep(ANSWER).await;
        self.here.fetch_sub(1, SeqCst);
        Ok(Response::new(String::from("here you are\n")))
    }
}

/// Serves for as long as the runtime runs. The `first` requests are answered when all of them have come.
pub(crate) fn start(first: usize) -> io::Result<(SocketAddr, Arc<Counts>)> {
    let [received, here, most] = [const { AtomicUsize::new(0) }; 3];
    let counts = Arc::new(Counts { received, here, most, first: (first, Barrier::new(first)) });
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    // So many may come before any is accepted. Where there is no room, TCP tries again after a second.
    let listener = socket.listen(1024)?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, Arc::clone(&counts)));
    Ok((address, counts))
}

async fn serve(listener: TcpListener, counts: Arc<Counts>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let counts = Arc::clone(&counts);
        let service = service_fn(move |_| {
            let counts = Arc::clone(&counts);
            async move { counts.answer().await }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
