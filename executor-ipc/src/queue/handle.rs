//! [`Queue`]: what users have.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::codec::{decode, encode, with_buffer};
use super::error::{GetError, JoinError, PutError, TaskDoneError};
use super::memory::{Limits, Memory};
use super::store::Store;
use crate::segment::Shape;
use crate::sync::robust::Patience;

/// How much memory a queue takes at most for the items in it, in bytes, unless it was made [`with_limits`](Queue::with_limits):
/// 1 GiB. It is taken as items come. The addresses, which are twice as many, are taken at once.
pub const QUEUE_BYTES_MAX: usize = 1 << 30;

const KIND: &str = "Queue";

/// First in, first out, with any number of producers and consumers in any process.
///
/// A clone is the same queue, and so is what arrives where a handle was sent, as a job argument or over a channel of this crate.
/// Items are anything that serde can write and read; they are copied into the memory of the queue, and out of it.
///
/// ```
/// use executor_ipc::{GetError, Queue};
///
/// let queue = Queue::bounded(16)?;
/// let consumer = std::thread::spawn({
///     let queue = queue.clone(); // or sent to another process
///     move || {
///         let mut sum = 0;
///         loop {
///             match queue.get() {
///                 Ok(number) => sum += number,
///                 Err(GetError::Closed) => return sum,
///                 Err(error) => panic!("{error}"),
///             }
///         }
///     }
/// });
/// for number in 0..100_u64 {
///     queue.put(&number)?;
/// }
/// queue.close();
/// assert_eq!(consumer.join().unwrap(), 4950);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Guarantees
///
/// * *Order.* Items leave in the order in which they came; those of one producer, and so those of one consumer, are in order.
/// * *Death.* A producer or a consumer that is killed, at any instant, tears no item and keeps nobody from the queue. An item is
///   in the queue whole, or not at all. Each thread of a consumer takes at most one item along that `get` had not returned yet.
/// * *Nobody starves.* Those who wait for an item, or for room, are woken in the order in which they began to wait.
/// * *What others write is checked.* Numbers in the memory of the queue that cannot be are an error, [`Overwritten`](GetError::Overwritten),
///   and an item that is none is [`Decode`](GetError::Decode). The locks are the C library's, and are trusted.
///
/// # What it costs
///
/// A put or a get that need not wait makes no system call, but for the first get of a process, and where the memory in use grows or
/// is given back. One that has to wait looks for about 2.5 µs, and then sleeps until it is woken. A queue takes a descriptor, another
/// one in each process that gets items, some pages of memory, and the addresses that [`QUEUE_BYTES_MAX`] tells of: where
/// these are limited (`RLIMIT_AS`), make it [`with_limits`](Queue::with_limits). It needs `/proc`, to open its memory once more in
/// each consumer.
///
/// # What it does not do
///
/// * An item that goes by descriptors, such as a lock, an end of a channel or another queue, is refused by `put`: it goes over a
///   channel. A `Blob` goes as its bytes.
/// * A process that is stopped (`SIGSTOP`) in the middle of a put or a get is waited for.
/// * It does not tell that all producers are gone: whoever puts the last item closes the queue, or puts a mark for the end.
pub struct Queue<T> {
    store: Arc<Store>,
    items: PhantomData<fn(T) -> T>,
}

impl<T: Serialize + DeserializeOwned> Queue<T> {
    /// A queue of at most `items_max` items. Who puts more waits until some are got.
    ///
    /// It is full also when the items in it take [`QUEUE_BYTES_MAX`].
    ///
    /// # Errors
    ///
    /// If `items_max` is 0. Those of the system, when descriptors, addresses or memory have run out.
    pub fn bounded(items_max: usize) -> io::Result<Self> {
        Queue::with_limits(Some(items_max), QUEUE_BYTES_MAX)
    }

    /// A queue in which nobody waits for room.
    ///
    /// Where the items in it take [`QUEUE_BYTES_MAX`], a put is an error.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn unbounded() -> io::Result<Self> {
        Queue::with_limits(None, QUEUE_BYTES_MAX)
    }

    /// A queue of at most `items_max` items, or of any number of them, in at most `bytes_max` bytes, which are rounded up to
    /// a power of two and to 4 KiB. Each item takes its encoded bytes, rounded up to 8, and 8 more.
    ///
    /// # Errors
    ///
    /// If `items_max` is 0, or `bytes_max` more than 16 GiB. Those of the system, when descriptors, addresses or memory
    /// have run out.
    pub fn with_limits(items_max: Option<usize>, bytes_max: usize) -> io::Result<Self> {
        let limits = Limits::new(items_max.map_or(u64::MAX, |items_max| items_max as u64), bytes_max)?;
        Ok(Queue::of(Store::new(Queue::<T>::shape(), limits)?))
    }

    /// Puts an item behind the others; waits for room if the queue is bounded and full.
    ///
    /// # Errors
    ///
    /// If the queue is closed, also while it waits; if the item cannot be encoded, or is too large, or finds no room in a queue
    /// without a bound. The item is not in the queue then.
    pub fn put(&self, item: &T) -> Result<(), PutError> {
        self.put_within(item, Patience::Endless)
    }

    /// Puts an item if there is room at once.
    ///
    /// # Errors
    ///
    /// As [`put`](Queue::put); and [`Full`](PutError::Full).
    pub fn try_put(&self, item: &T) -> Result<(), PutError> {
        self.put_within(item, Patience::None)
    }

    /// Puts an item, and waits for room so long at most.
    ///
    /// # Errors
    ///
    /// As [`put`](Queue::put); and [`Timeout`](PutError::Timeout).
    pub fn put_timeout(&self, item: &T, timeout: Duration) -> Result<(), PutError> {
        self.put_within(item, Patience::of(timeout))
    }

    fn put_within(&self, item: &T, patience: Patience) -> Result<(), PutError> {
        with_buffer(|bytes| {
            encode(item, bytes)?;
            self.store.put(bytes, patience)
        })
    }

    /// Takes the first item out; waits until there is one.
    ///
    /// # Errors
    ///
    /// If the queue is closed and empty, also while it waits; if the item cannot be decoded, after which the queue goes on; if the
    /// system refuses a descriptor to a process that gets its first item.
    pub fn get(&self) -> Result<T, GetError> {
        self.get_within(Patience::Endless)
    }

    /// Takes the first item out if there is one.
    ///
    /// # Errors
    ///
    /// As [`get`](Queue::get); and [`Empty`](GetError::Empty).
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_within(Patience::None)
    }

    /// Takes the first item out, and waits for one so long at most.
    ///
    /// # Errors
    ///
    /// As [`get`](Queue::get); and [`Timeout`](GetError::Timeout).
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.get_within(Patience::of(timeout))
    }

    fn get_within(&self, patience: Patience) -> Result<T, GetError> {
        with_buffer(|bytes| {
            self.store.get(bytes, patience)?;
            decode(bytes).inspect_err(|_| {
                // Nobody has it who could acknowledge it. That it was got here is certain.
                self.store.task_done().ok();
            })
        })
    }
}

impl<T> Queue<T> {
    fn shape() -> Shape {
        Shape::of::<T>(KIND)
    }

    fn of(store: Store) -> Self {
        Queue { store: Arc::new(store), items: PhantomData }
    }

    /// How many items are in the queue. Where others put and get at the same time, it was so a moment ago.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// True if no item is in the queue. Where others put and get at the same time, it was so a moment ago.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items there can be; `None` if there is no bound.
    #[must_use]
    pub fn items_max(&self) -> Option<usize> {
        let items_max = self.store.memory.limits.items_max;
        (items_max != u64::MAX).then(|| usize::try_from(items_max).unwrap_or(usize::MAX))
    }

    /// How much memory the items in the queue can take, in bytes.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.store.bytes_max()
    }

    /// Acknowledges one item that was got by this handle or a clone of it in this process: what was to be done with it is done.
    /// [`join`](Queue::join) waits for it. Who never joins need not acknowledge.
    ///
    /// # Errors
    ///
    /// If every item that was got here was acknowledged already.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        self.store.task_done()
    }

    /// Waits until every item that was put was got and [acknowledged](Queue::task_done).
    ///
    /// An item whose consumer has died, or has dropped its handle, will never be acknowledged. It is not waited for, but makes
    /// the join an error in the end, once in each process that joins; this is noticed within half a second.
    ///
    /// ```
    /// use executor_ipc::Queue;
    ///
    /// let queue = Queue::unbounded()?;
    /// queue.put(&"a letter".to_owned())?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         println!("{}", queue.get().unwrap());
    ///         queue.task_done().unwrap();
    ///     });
    ///     queue.join() // after the letter was printed
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConsumerDied`](JoinError::ConsumerDied) if consumers are gone that had items, of which no join of this handle or its clones
    /// has told yet. Those of the system.
    pub fn join(&self) -> Result<(), JoinError> {
        self.store.join(Patience::Endless)
    }

    /// As [`join`](Queue::join), for so long at most.
    ///
    /// # Errors
    ///
    /// As [`join`](Queue::join); and [`Timeout`](JoinError::Timeout).
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinError> {
        self.store.join(Patience::of(timeout))
    }

    /// Closes the queue for all who have it: nothing can be put any more, and who waits for room is told so. What is in it can be
    /// got; after that, `get` is an error. To close it again does nothing.
    pub fn close(&self) {
        self.store.close(false);
    }

    /// Closes the queue and drops the items in it; gives their number. [`join`](Queue::join) waits for none of them, but still
    /// for those that were got and not acknowledged.
    pub fn close_now(&self) -> u64 {
        self.store.close(true)
    }

    /// True once somebody has closed the queue.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.store.is_closed()
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue { store: Arc::clone(&self.store), items: PhantomData }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(KIND)
            .field("len", &self.len())
            .field("items_max", &self.items_max())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.store.memory.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Queue::of(Store::of(Memory::deserialize(deserializer, Queue::<T>::shape())?)))
    }
}
