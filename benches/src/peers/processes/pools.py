"""The pools of Python, asked by lines of standard input, answering with one line each.

The first argument is the pool: `executor`, `pool` or `loky`; the second the number of workers. A question is a word and
numbers; an answer is `figures` and figures, or `failed` and a reason. The pool starts with the first question that needs it.
"""

import ctypes
import signal
import statistics
import sys
import time
from concurrent.futures import TimeoutError

KIND, WORKERS = sys.argv[1], int(sys.argv[2])

# The chunk sizes of a map that are tried before the best is taken. None is what the pool chooses by itself.
CHUNKS = [None, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000]


def end_with_parent():
    """Whoever is measured next must not find the rest of this one at work."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def inc(n):
    return n + 1


def echo(data):
    return data


def busy(seconds):
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        pass
    return 1


class Executor:
    """`ProcessPoolExecutor`, of the standard library or of loky."""

    def __init__(self):
        if KIND == "loky":
            from loky import ProcessPoolExecutor
        else:
            from concurrent.futures import ProcessPoolExecutor
        self.pool = ProcessPoolExecutor(WORKERS, initializer=end_with_parent)

    def submit(self, function, argument):
        return self.pool.submit(function, argument)

    def result(self, future):
        return future.result()

    def is_done(self, future, seconds):
        try:
            future.exception(max(seconds, 0))
            return True
        except TimeoutError:
            return False

    def map(self, function, items, chunk):
        return self.pool.map(function, items, chunksize=1 if chunk is None else chunk)

    def close(self):
        self.pool.shutdown()


class Pool:
    """`multiprocessing.Pool`."""

    def __init__(self):
        import multiprocessing

        self.pool = multiprocessing.Pool(WORKERS, initializer=end_with_parent)

    def submit(self, function, argument):
        return self.pool.apply_async(function, (argument,))

    def result(self, future):
        return future.get()

    def is_done(self, future, seconds):
        future.wait(max(seconds, 0))
        return future.ready()

    def map(self, function, items, chunk):
        return self.pool.map(function, items, chunksize=chunk)

    def close(self):
        self.pool.close()
        self.pool.join()


def open_pool():
    return Pool() if KIND == "pool" else Executor()


def in_ms(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


class Questions:
    def __init__(self):
        self.pool = None
        self.chunk = None
        self.managed = None

    def ready(self):
        if self.pool is None:
            self.pool = open_pool()
        return self.pool

    def submit(self, jobs):
        pool = self.ready()
        futures = [pool.submit(inc, n) for n in range(jobs)]
        return {"sum": sum(pool.result(future) for future in futures)}

    def map(self, items):
        """The first map tries each size of chunk; the others use the best."""
        pool = self.ready()
        if self.chunk is None:
            pool.result(pool.submit(inc, 1))
            took = [(in_ms(lambda: sum(pool.map(inc, range(items), chunk))), chunk) for chunk in CHUNKS
                    if KIND == "pool" or chunk is not None]
            self.chunk = min(took, key=lambda pair: pair[0])[1:]
        return {"sum": sum(pool.map(inc, range(items), self.chunk[0])), "chunk": self.chunk[0] or 0}

    def round_trips(self, count):
        pool = self.ready()
        took = []
        for n in range(count):
            begin = time.perf_counter()
            result = pool.result(pool.submit(inc, n))
            took.append((time.perf_counter() - begin) * 1e6)
            assert result == n + 1
        took.sort()
        return {"p50": statistics.median(took), "p99": took[len(took) * 99 // 100]}

    def gets(self, count):
        if self.managed is None:
            from multiprocessing.managers import SyncManager

            # As `multiprocessing.Manager()`. Kept, because with it goes the process of its server; but not where this one is killed.
            self.manager = SyncManager()
            self.manager.start(end_with_parent)
            self.managed = self.manager.dict({n: n + 1 for n in range(1000)})
        took = []
        for n in range(count):
            begin = time.perf_counter()
            value = self.managed[n % 1000]
            took.append((time.perf_counter() - begin) * 1e6)
            assert value == n % 1000 + 1
        took.sort()
        return {"p50": statistics.median(took), "p99": took[len(took) * 99 // 100]}

    def start(self, times):
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            pool = open_pool()
            pool.result(pool.submit(inc, 1))
            took.append((time.perf_counter() - begin) * 1e3)
            pool.close()
        return {"ms": statistics.median(took)}

    def payload(self, length, times):
        pool = self.ready()
        data = bytes(place // 64 % 256 for place in range(64 * 256)) * (length // (64 * 256))
        assert pool.result(pool.submit(echo, data)) == data
        return {"ms": statistics.median(in_ms(lambda: pool.result(pool.submit(echo, data))) for _ in range(times))}

    def busy(self, jobs, nanos):
        pool = self.ready()
        futures = [pool.submit(busy, nanos / 1e9) for _ in range(jobs)]
        return {"sum": sum(pool.result(future) for future in futures)}

    def busy_map(self, jobs, nanos):
        return {"sum": sum(self.ready().map(busy, [nanos / 1e9] * jobs, 1))}

    def around(self, jobs, nanos):
        pool = self.ready()
        begin = time.perf_counter()
        futures = [pool.submit(inc, n) for n in range(jobs // 2)]
        long_one = pool.submit(busy, nanos / 1e9)
        futures += [pool.submit(inc, n) for n in range(jobs // 2, jobs)]
        half = begin + nanos / 2e9
        delayed = sum(not pool.is_done(future, half - time.perf_counter()) for future in futures)
        total = sum(pool.result(future) for future in futures)
        last_ms = (time.perf_counter() - begin) * 1e3
        pool.result(long_one)
        return {"sum": total, "delayed": delayed, "last_ms": last_ms}


if __name__ == "__main__":
    end_with_parent()
    questions = Questions()
    for line in sys.stdin:
        word, *numbers = line.split()
        try:
            figures = getattr(questions, word)(*map(int, numbers))
            print("figures", *(f"{key}={value}" for key, value in figures.items()), flush=True)
        except Exception as error:
            print("failed", type(error).__name__, str(error).replace("\n", " "), flush=True)
