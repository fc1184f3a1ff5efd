# SPDX-License-Identifier: Apache-2.0
"""Functions of shared fixed-point numbers, n parties; semi-honest, all but one may collude.

    y = functions.exp(mesh, x, triples)

Everything here is made of the operations of ``arith``, ``boolean``, ``compare`` and ``convert``,
and of one opening of its own, in ``sigmoid_series``.

Learns: nobody anything but the shape of x. All openings are masked by uniform words that serve
once, and which operations are done depends on shapes and scales alone.

The functions take 8 to 20 fraction bits f and give as many (the series gives 44). Where x is out of
the range given, the result is wrong and nobody can see it. Units are 2^-f; the bytes are those that
a party sends to each other one in openings, for a number of a large vector::

                             largest error                      for x            rounds   bytes
    sigmoid_series           1e-4                               |x| <= 10             1       4
    sigmoid_series (clamp)   1e-4                               |x| < 2^(62 - f)      9      98
    sigmoid                  2 units                            |x| < 2^(34 - f)     35     536
    tanh                     4 units                            |x| < 2^(33 - f)     35     536
    exp                      1 unit + e^x 2^-22                 -2^(34 - f) to 11    18     337
    log                      1 unit + 2^-23                     0 to 2^(61 - f)      23     328
    reciprocal               1 unit + 2^-20 / |x|               |x| < 2^(61 - f)     26     392
    rsqrt                    1 unit + 2^-21 / sqrt(x)           0 to 2^(61 - f)      25     352
    softmax (k = 8)          k + 4 units                                             67     456

The sigmoid for choosing: the series where a round costs most or 1e-4 will do, as in training; the
compared one where the result is to be as exact as its scale; and neither where one party gets the
probability, which it can compute of the logit itself.
"""

from mpc.protocols.functions.logistic import (
    RANGE,
    SERIES_FRACTION_BITS,
    sigmoid,
    sigmoid_series,
    softmax,
    tanh,
)
from mpc.protocols.functions.powers import divide, exp, log, quotient_room, reciprocal, rsqrt

__all__ = [
    "RANGE",
    "SERIES_FRACTION_BITS",
    "divide",
    "exp",
    "log",
    "quotient_room",
    "reciprocal",
    "rsqrt",
    "sigmoid",
    "sigmoid_series",
    "softmax",
    "tanh",
]
