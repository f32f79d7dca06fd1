//! [`StartMethod`].

/// How the worker processes of a pool come to be.
///
/// The figures are from one machine with two cores: start to first answer in a release build, and the share of memory of
/// each of two idle workers.
///
/// | | first worker | each further one | an idle worker | sees what `main` did |
/// |---|---|---|---|---|
/// | `ForkServer` | 1.3 ms | 0.3 ms | 0.5 MB, and 0.9 MB for the server | no |
/// | `Spawn` | 1.1 ms | 1.1 ms | 0.8 MB | no |
/// | `Fork` | 0.6 ms | 0.25 ms | 0.5 MB, and 0.7 MB for the server | yes, up to the build of the pool |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// Fork workers from a server: a second, small process of this executable with one thread, which the first worker
    /// starts. It works whatever threads and memory the program has. One server serves all pools with the same
    /// environment, and ends with the last of them.
    ///
    /// A library that begins a thread before `main` makes the server unfit to fork; the error says so.
    #[default]
    ForkServer,
    /// Start the executable anew for each worker. Nothing is shared between workers, and each begins as fresh as a
    /// program does; choose it for libraries that do not survive a fork. Each worker has one thread more, which watches
    /// the owner.
    Spawn,
    /// Fork the program itself when the pool is built. Workers see the memory of the program as it was then, such as
    /// large tables that need no copy, and inherit its open files. Refused if the program has more than one thread, as
    /// the others would be missing in the workers while the locks they hold stay locked: build this pool first in
    /// `main`, before any other pool, runtime or thread.
    ///
    /// Workers also begin with one and the same state of every generator of random numbers that the program has used.
    ///
    /// What is forked then is a server, from which all workers are forked, also those that replace others later.
    /// If that server is killed, the pool cannot start workers any more.
    Fork,
}
