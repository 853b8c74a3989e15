"""A value that an object works out when it is first asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

_Value = TypeVar("_Value")


class once(Generic[_Value]):
    """``functools.cached_property`` without the lock that it takes up to Python 3.11, which costs as much as the work.

    In lower case as that is: it is read as a decorator.
    """

    def __init__(self, make: Callable[[Any], _Value]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> once[_Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _Value: ...

    def __get__(self, instance: object | None, owner: type) -> once[_Value] | _Value:
        if instance is None:
            return self
        value = self._make(instance)
        # From now on the attribute is found before this descriptor is.
        instance.__dict__[self._name] = value
        return value
