"""Several calls at the same time, with an end to waiting: a host that does not answer keeps nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


def at_once(calls: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | Exception]:
    """Every call in a thread of its own; what it gave, what it raised, or TimeoutError after that many seconds.

    Threads that are late are left behind and keep no program from ending.
    """
    futures: dict[str, Future[T]] = {name: Future() for name in calls}

    def run(name: str, call: Callable[[], T]) -> None:
        try:
            futures[name].set_result(call())
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            futures[name].set_exception(error)

    if len(calls) == 1:
        (only,) = calls.items()
        run(*only)
    else:
        for name, call in calls.items():
            threading.Thread(target=run, args=(name, call), name=f"host {name}", daemon=True).start()
    done = wait(futures.values(), timeout=max(seconds, 0.0)).done

    def answer(future: Future[T]) -> T | Exception:
        if future not in done:
            return TimeoutError(f"no answer within {seconds:g} s")
        error = future.exception()
        if error is None:
            return future.result()
        return error if isinstance(error, Exception) else RuntimeError(str(error))

    return {name: answer(future) for name, future in futures.items()}
