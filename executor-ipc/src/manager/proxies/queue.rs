//! [`Queue`].

use std::time::Duration;

use serde_bytes::Bytes;

use super::stored::Stored;
use crate::manager::error::ManagerError;
use crate::manager::nested::Leaving;
use crate::manager::objects::queue::QueueCall;

proxy! {
    /// Items, each of which goes to one consumer. [`Manager::queue`](crate::manager::Manager::queue) and
    /// [`bounded_queue`](crate::manager::Manager::bounded_queue) make one.
    ///
    /// Items come out in the order in which they went in. Consumers that wait are served in the order in which they came, and so are producers.
    ///
    /// # When a client dies
    ///
    /// One that waits takes nothing along. An item that was on its way to one that died before it had it goes back to the front. One that
    /// it had is gone with it; if it had not reported it as done, [`join`](Queue::join) says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::{Manager, ManagerError, Queue};
    ///
    /// let manager = Manager::new()?;
    /// let tasks: Queue<u32> = manager.queue()?;
    /// let worker = tasks.clone();
    /// let worker = std::thread::spawn(move || -> Result<u32, ManagerError> {
    ///     let mut sum = 0;
    ///     loop {
    ///         match worker.get() {
    ///             Ok(n) => sum += n,
    ///             Err(ManagerError::Closed) => return Ok(sum),
    ///             Err(error) => return Err(error),
    ///         }
    ///         worker.task_done()?;
    ///     }
    /// });
    /// (1..=4).try_for_each(|n| tasks.put(&n))?;
    /// tasks.join()?;
    /// tasks.close()?;
    /// assert_eq!(worker.join().expect("it does not panic")?, 10);
    /// # Ok::<(), ManagerError>(())
    /// ```
    Queue<T>, QUEUE
}

impl<T: Stored> Queue<T> {
    /// Puts an item at the end, and waits for room if there is none.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Closed`] if the queue is, or is meanwhile. The item was not put then.
    ///
    /// # Blocking
    ///
    /// Until there is room. Other calls, of other threads, go on.
    pub fn put(&self, item: &T) -> Result<(), ManagerError> {
        self.put_within(item, None)
    }

    /// Puts an item, if there is room.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Full`] if there is none, and [`ManagerError::Closed`].
    pub fn try_put(&self, item: &T) -> Result<(), ManagerError> {
        self.put_within(item, Some(Duration::ZERO))
    }

    /// Puts an item, and waits for room for so long.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Timeout`] if none came, or [`ManagerError::Full`] with a limit of zero; and [`ManagerError::Closed`].
    ///
    /// # Blocking
    ///
    /// As [`put`](Queue::put), for the limit at most, by the clock of the server.
    pub fn put_timeout(&self, item: &T, limit: Duration) -> Result<(), ManagerError> {
        self.put_within(item, Some(limit))
    }

    /// Puts many items, one after the other, in one message.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Closed`] if the queue is, or is meanwhile; some may have been put. [`ManagerError::TooLarge`] if all together are.
    ///
    /// # Blocking
    ///
    /// Until there was room for all.
    pub fn put_many<'i>(&self, items: impl IntoIterator<Item = &'i T>) -> Result<(), ManagerError>
    where
        T: 'i,
    {
        let items = items.into_iter().map(|item| self.encode(item)).collect::<Result<Vec<_>, _>>()?;
        let put: u64 = self.handle.ask(&QueueCall::PutMany(items.iter().map(Leaving::wire).collect()))?;
        if put == items.len() as u64 { Ok(()) } else { Err(ManagerError::Closed) }
    }

    /// Takes the first item, and waits for one if there is none.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Closed`] if the queue is, and has no item any more. [`ManagerError::Decode`] if the item is not of this type;
    /// it is gone then.
    ///
    /// # Blocking
    ///
    /// Until there is one. Other calls, of other threads, go on.
    pub fn get(&self) -> Result<T, ManagerError> {
        self.get_within(None)
    }

    /// Takes the first item, if there is one.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Empty`] if there is none, and those of [`get`](Queue::get).
    pub fn try_get(&self) -> Result<T, ManagerError> {
        self.get_within(Some(Duration::ZERO))
    }

    /// Takes the first item, and waits for one for so long.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Timeout`] if none came, or [`ManagerError::Empty`] with a limit of zero; and those of [`get`](Queue::get).
    ///
    /// # Blocking
    ///
    /// As [`get`](Queue::get), for the limit at most, by the clock of the server.
    pub fn get_timeout(&self, limit: Duration) -> Result<T, ManagerError> {
        self.get_within(Some(limit))
    }

    /// Takes as many items as there are, `max` at most, and waits for the first one if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Queue::get), and [`ManagerError::TooLarge`] if all together are; they stay in the queue then.
    ///
    /// # Blocking
    ///
    /// As [`get`](Queue::get).
    pub fn get_many(&self, max: usize) -> Result<Vec<T>, ManagerError> {
        let call = QueueCall::Get { max: max as u64, limit: None };
        self.handle.take(&call, |reply| reply.values())
    }

    /// How many items there are.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.handle.ask::<u64>(&QueueCall::Len).map(|len| usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Whether there is no item.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|len| len == 0)
    }

    /// Lets no more items in. Those that are there can be taken. To close it again does nothing.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn close(&self) -> Result<(), ManagerError> {
        self.handle.ask(&QueueCall::Close)
    }

    /// Reports that an item that was taken is done.
    ///
    /// # Errors
    ///
    /// [`ManagerError::TooManyDone`] if no item was taken that is not.
    pub fn task_done(&self) -> Result<(), ManagerError> {
        self.handle.ask(&QueueCall::TaskDone)
    }

    /// Waits until every item that was put has been reported as done.
    ///
    /// # Errors
    ///
    /// [`ManagerError::TasksLost`] if clients died with items that they had not reported, once for all of these. All others are done then.
    ///
    /// # Blocking
    ///
    /// Until then.
    pub fn join(&self) -> Result<(), ManagerError> {
        self.handle.ask(&QueueCall::Join { limit: None })
    }

    /// The same, for so long.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Timeout`], and those of [`join`](Queue::join).
    ///
    /// # Blocking
    ///
    /// As [`join`](Queue::join), for the limit at most, by the clock of the server.
    pub fn join_timeout(&self, limit: Duration) -> Result<(), ManagerError> {
        self.handle.ask(&QueueCall::Join { limit: Some(limit) })
    }

    fn put_within(&self, item: &T, limit: Option<Duration>) -> Result<(), ManagerError> {
        self.handle.ask(&QueueCall::Put { value: self.encode(item)?.wire(), limit })
    }

    fn get_within(&self, limit: Option<Duration>) -> Result<T, ManagerError> {
        let call = QueueCall::Get { max: 1, limit };
        self.handle.take(&call, |mut reply| {
            let items: Vec<&Bytes> = reply.read()?;
            let item = items.first().ok_or(ManagerError::Protocol { what: "an answer without an item" })?;
            reply.decode(item)
        })
    }

    fn encode(&self, item: &T) -> Result<Leaving, ManagerError> {
        Leaving::value(self.handle.link()?, item)
    }
}
