"""The queue of Python's multiprocessing, asked by lines of standard input, answering with one line each.

The question is `queue` and how many numbers the other process is to put; the answer is `figures` and their sum, or `failed` and a
reason.
"""

import ctypes
import multiprocessing
import signal
import sys


def end_with_parent():
    """Whoever is measured next must not find the rest of this one at work."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def produce(orders, numbers):
    end_with_parent()
    while True:
        for n in range(orders.recv()):
            numbers.put(n + 1)


if __name__ == "__main__":
    end_with_parent()
    numbers = multiprocessing.Queue()
    theirs, orders = multiprocessing.Pipe(duplex=False)
    multiprocessing.Process(target=produce, args=(theirs, numbers), daemon=True).start()
    for line in sys.stdin:
        try:
            count = int(line.split()[1])
            orders.send(count)
            print("figures", f"sum={sum(numbers.get() for _ in range(count))}", flush=True)
        except Exception as error:
            print("failed", type(error).__name__, str(error).replace("\n", " "), flush=True)
