# SPDX-License-Identifier: Apache-2.0
"""How threads share a loop without the interpreter: offered, taken and waited for in compiled code.

A helping thread looks again and again at its box, a word in memory. The caller writes there where
its work begins, and goes through the loop itself; in the end it takes the word back, or waits for
the helper if that has taken the work. So a helper begins within a microsecond, needs neither the
interpreter's lock nor arguments of its own, and if it is late, nobody waits for it. One that has
found nothing for a while sleeps until it is offered work (a futex of Linux), without leaving
compiled code: so the interpreter has no state of a call that an interrupt could leave half changed.

What is offered is a record of a function's address and its arguments, on the caller's stack, where
it stays until nobody is at it. The function is the one that offers it, called once more by each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from mpc.kernels.lanes import WORD, address, emits

FREE, ASLEEP, TAKEN, GONE = range(4)
"""What is in a box: nothing, and the helper looks or has not come yet; it sleeps; it has taken the
work; it has left. Any other number is where the work begins that is offered."""

LOOKS = 32
"""How often a thread that waits looks, before it lets others run."""

_FUTEX, _WAIT, _WAKE = 202, 128, 129  # on x86-64; of one process
_SECOND = 1_000_000_000
_PLACES = [ir.Constant(ir.IntType(32), place) for place in range(3)]


@emits(types.int64, types.intp, types.int64)
def take(builder: Any, address: Any, many: Any) -> Any:
    """Add to the word at an address, which other threads do too; what it was before.

    What a thread wrote before it added is seen by those that find its sum.
    """
    place = builder.inttoptr(address, WORD.as_pointer())
    return builder.atomic_rmw("add", place, many, "acq_rel")


@emits(types.int64, types.intp)
def look(builder: Any, address: Any) -> Any:
    """The word at an address, which another thread may write."""
    return builder.load_atomic(builder.inttoptr(address, WORD.as_pointer()), "acquire", 8)


@emits(types.int64, types.intp, types.int64, types.int64)
def exchange(builder: Any, address: Any, old: Any, new: Any) -> Any:
    """Put another word in place of ``old``, if it is there; what was there."""
    place = builder.inttoptr(address, WORD.as_pointer())
    return builder.extract_value(builder.cmpxchg(place, old, new, "acq_rel", "acquire"), 0)


@emits(types.none)
def pause(builder: Any) -> None:
    """A moment, for a thread that looks again and again."""
    of = ir.FunctionType(ir.VoidType(), [])
    builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), of), [])


@emits(types.int64)
def _cycles(builder: Any) -> Any:
    """A clock that counts some billions a second."""
    of = ir.FunctionType(WORD, [])
    return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", (), of), [])


def _of_the_system(builder: Any, name: str, of: Any, args: list[Any]) -> None:
    """Call a function of the C library, which is found by its name when compiled code is loaded."""
    builder.call(cgutils.get_or_insert_function(builder.module, of, name), args)


@emits(types.none)
def _let_run(builder: Any) -> None:
    _of_the_system(builder, "sched_yield", ir.FunctionType(ir.IntType(32), []), [])


def _futex(builder: Any, args: list[Any]) -> None:
    of = ir.FunctionType(WORD, [WORD], var_arg=True)
    _of_the_system(builder, "syscall", of, [ir.Constant(WORD, _FUTEX), *args])


@emits(types.none, types.intp, types.int64)
def _wait(builder: Any, place: Any, nanoseconds: Any) -> None:
    """While the helper whose box this is sleeps, for so long at most."""
    limit = cgutils.alloca_once(builder, ir.ArrayType(WORD, 2))
    second = ir.Constant(WORD, _SECOND)
    parts = builder.udiv(nanoseconds, second), builder.urem(nanoseconds, second)
    for i, part in enumerate(parts):
        builder.store(part, builder.gep(limit, [_PLACES[0], _PLACES[i]]))
    # It compares half of the word: work begins at a multiple of eight, and is never like this.
    operation, held = (ir.Constant(WORD, value) for value in (_WAIT, ASLEEP))
    _futex(builder, [place, operation, held, builder.ptrtoint(limit, WORD)])


@emits(types.none, types.intp)
def _wake(builder: Any, place: Any) -> None:
    _futex(builder, [place, *(ir.Constant(WORD, value) for value in (_WAKE, 1))])


@emits(types.none, types.intp)
def perform(builder: Any, work: Any) -> None:
    """Call what begins a record."""
    of = ir.FunctionType(ir.VoidType(), [WORD])
    function = builder.load(builder.inttoptr(work, of.as_pointer().as_pointer()))
    builder.call(function, [work])


def _record(_typing: Any, args: Any) -> Any:
    """Where a record begins of the function that this is in, whether it failed, and arguments."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        of = ir.LiteralStructType([WORD, WORD, context.get_value_type(args)])
        place = cgutils.alloca_once(builder, of)
        task = builder.ptrtoint(_task(context, builder.function, of, args.types), WORD)
        for i, value in enumerate((task, ir.Constant(WORD, 0), values[0])):
            builder.store(value, builder.gep(place, [_PLACES[0], _PLACES[i]]))
        return builder.ptrtoint(place, WORD)

    return types.intp(args), codegen


record: Any = intrinsic(_record)


def _task(context: Any, function: Any, of: Any, args: Any) -> Any:
    """What calls a function of numba that returns nothing, with the arguments in a record."""
    name = f"{function.name}.task"
    task = ir.Function(function.module, ir.FunctionType(ir.VoidType(), [WORD]), name)
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block())
    place = builder.inttoptr(task.args[0], of.as_pointer())
    held = builder.load(builder.gep(place, [_PLACES[0], _PLACES[2]]))
    values = cgutils.unpack_tuple(builder, held)
    status, _ = context.call_conv.call_function(builder, function, types.none, args, values)
    with cgutils.if_unlikely(builder, status.is_error):
        builder.store(ir.Constant(WORD, 1), builder.gep(place, [_PLACES[0], _PLACES[1]]))
    builder.ret_void()
    return task


def sharing(boxes: list[int]) -> NDArray[np.int64]:
    """What a loop's threads have in common: how far it is, how many have begun, and the boxes of
    the helpers."""
    return np.array([0, 0, *boxes])


def share(shared: NDArray[np.int64], work: int) -> bool:
    """In compiled code: offer a record, do the work with whoever comes, and say if it failed."""
    for i in range(2, len(shared)):
        asleep = exchange(shared[i], FREE, work) == ASLEEP
        if asleep and exchange(shared[i], ASLEEP, work) == ASLEEP:
            _wake(shared[i])
    perform(work)
    for i in range(2, len(shared)):
        looks, was = 0, exchange(shared[i], work, FREE)
        while was == TAKEN:
            looks += 1
            if looks % LOOKS == 0:
                _let_run()
            pause()
            was = look(shared[i])
    return look(work + 8) != 0


def serve(box: NDArray[np.int64], patience: int, linger: int) -> None:
    """In compiled code: do what is offered; sleep when for so many cycles nothing was, and leave
    when nothing was for so many nanoseconds more, or a signal came in these."""
    place = address(box)
    looks, until = 0, _cycles() + patience
    while True:
        work = look(place)
        if work > GONE and exchange(place, work, TAKEN) == work:
            perform(work)
            exchange(place, TAKEN, FREE)
            until = _cycles() + patience
        looks += 1
        if looks % LOOKS == 0:
            if _cycles() > until and exchange(place, FREE, ASLEEP) == FREE:
                _wait(place, linger)
                if exchange(place, ASLEEP, GONE) == ASLEEP:
                    return
                until = _cycles() + patience
            _let_run()
        pause()
