# SPDX-License-Identifier: Apache-2.0
"""A joint linear score on additive shares over Z_2^64; semi-honest, all but one may collude.

M is the model owner, T the feature owners other than M, R the receiver. With correlations of
``triples`` between M and each k in T (rows a that k alone knows, a mask b that M alone knows, and
c = a b shared between the two), which are made before features are known::

    model_owner M                     feature_owner k in T              receiver R
    once for a model, ``open_model``
      SeedHalf      <------------------- every two parties ------------------->
      MaskedWeights -----------------> w_k - b_k
    for each score, ``logit``
                    <----------------- MaskedFeatures: z_k - a, in blocks of rows
      c_M + (z_k - a) w_k               c_k + a (w_k - b_k)
    ``probability``
      HighParts     ----------------------------------------------------->  adds them up
                                        HighParts ----------------------->
    ``decision``, ``band``, ``reasons``
      <------------ compare, arith, boolean among all parties -------------->
      HandedShares  ----------------------------------------------------->  XOR of them

The two lines of ``logit`` add up to z_k w_k (Beaver 1991, with both factors known to one party
each), so the features go over the wire once, 8 bytes each, in one round; the weights' mask stays
for as long as the model does. To its part every party adds a share of zero (``seeds``): the parts
are then uniform but for their sum.

Learns: M and every k, from masked words, nothing. R, what it asked for:

``probability``  the logit, of which it gets no more than a multiple of 2^-22, off by up to
                 ``error_bound``: the parts are sent without their low 26 bits. (An exact sum is a
                 knapsack, whose 48 fraction bits would tell the features to a model owner who
                 receives.) Which of the values around it comes out is random, so t scores of the
                 same row narrow it t-fold.
``band``         between which of M's limits the probability lies
``decision``     whether it is at M's threshold or above
``reasons``      the names, in this order, of the features that lower the score most

M's limits and threshold are shared like the weights, and nobody sees them. Public: the number of
rows, of each owner's features, of bands and of reasons. All parties but k together learn from a
probability the part of k, z_k w_k, as follows from the sum.

**What a linear score gives away by itself.** It is a linear function, exact to 22 bits after the
point. Who receives probabilities and knows the features of d + 1 rows solves for the weights of d
features; who receives them and owns the model gets one linear equation on the features of each row,
and so a single unknown feature of an owner outright, or several that have few possible values. A
rounded probability says less, a band log2(bands) bits and a decision at most one, so the weights
take many chosen rows; reasons say which of two parts is smaller. So give probabilities to the model
owner where the features are many or the parties trust it; else a decision, or bands.

**Numbers.** Features and weights have 24 fraction bits, so each z up to 128 has 32 bits, and all
sums stay below 2^62 as encoded: the model owner must have sum |w| * 128 + |intercept| < 2^14.

A lying party can put in other features or weights than its own, and change the result, unnoticed.
"""

from mpc.protocols.scoring.shares.compared import band, decision, reasons
from mpc.protocols.scoring.shares.linear import (
    BLOCK_BYTES,
    FRACTION_BITS,
    LOGIT_LIMIT,
    REVEALED_BITS,
    Opened,
    error_bound,
    logit,
    open_model,
    prepare,
    prepare_model,
    probability,
)

__all__ = [
    "BLOCK_BYTES",
    "FRACTION_BITS",
    "LOGIT_LIMIT",
    "REVEALED_BITS",
    "Opened",
    "band",
    "decision",
    "error_bound",
    "logit",
    "open_model",
    "prepare",
    "prepare_model",
    "probability",
    "reasons",
]
