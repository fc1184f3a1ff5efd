# SPDX-License-Identifier: Apache-2.0
"""How threads share a loop without the interpreter: offered, taken and waited for in compiled code.

A helping thread looks again and again at its box, a word in memory. The caller writes there where
its work begins, and goes through the loop itself; in the end it takes the word back, or waits for
the helper if that has taken the work. So a helper begins within a microsecond, needs neither the
interpreter's lock nor arguments of its own, and if it is late, nobody waits for it.

What is offered is a record of a function's address and its arguments, on the caller's stack, where
it stays until nobody is at it. The function is the one that offers it, called once more by each.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from mpc.kernels.lanes import WORD, address, emits

FREE, CALLED, TAKEN, DONE = range(4)
"""What is in a box: nothing; the caller of a helper will soon offer it work; the helper has taken
that; it has done it. Any other number is where the work begins that is offered."""

LOOKS = 32
"""How often a thread that waits looks, before it lets others run."""

YIELD = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value
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
def _pause(builder: Any) -> None:
    of = ir.FunctionType(ir.VoidType(), [])
    builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), of), [])


@emits(types.int64)
def _cycles(builder: Any) -> Any:
    """A clock that counts some billions a second."""
    of = ir.FunctionType(WORD, [])
    return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", (), of), [])


@emits(types.none, types.intp)
def _let_run(builder: Any, sched_yield: Any) -> None:
    of = ir.FunctionType(ir.VoidType(), [])
    builder.call(builder.inttoptr(sched_yield, of.as_pointer()), [])


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
    """What a loop's threads have in common: how far it is, how many have begun, how to let others
    run, and the boxes of the helpers."""
    return np.array([0, 0, YIELD, *boxes])


def share(shared: NDArray[np.int64], work: int) -> bool:
    """In compiled code: offer a record, do the work with whoever comes, and say if it failed."""
    for i in range(3, len(shared)):
        exchange(shared[i], CALLED, work)
    perform(work)
    for i in range(3, len(shared)):
        looks, was = 0, exchange(shared[i], work, FREE)
        while was == TAKEN:
            looks += 1
            if looks % LOOKS == 0:
                _let_run(shared[2])
            _pause()
            was = look(shared[i])
        if was == DONE:
            exchange(shared[i], DONE, FREE)
    return look(work + 8) != 0


def serve(box: NDArray[np.int64], patience: int, sched_yield: int) -> None:
    """In compiled code: do what is offered, until for so many cycles nothing was."""
    place = address(box)
    looks, until = 0, _cycles() + patience
    while True:
        work = look(place)
        if work > DONE and exchange(place, work, TAKEN) == work:
            perform(work)
            exchange(place, TAKEN, DONE)
            until = _cycles() + patience
        looks += 1
        if looks % LOOKS == 0:
            if _cycles() > until:
                return
            _let_run(sched_yield)
        _pause()
