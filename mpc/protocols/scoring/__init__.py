# SPDX-License-Identifier: Apache-2.0
"""A joint linear score: features at several parties, weights at one, the result for one.

Every row is scored as ``logit = intercept + sum_j weight_j * z_j``. Each feature j belongs to one
*feature owner* and the weights to the *model owner*; the *receiver* gets what is asked for. Roles
may coincide in a party, but someone other than the model owner must own a feature. Two forms:

``shares``      the usual one: any result (``probability``, ``band``, ``decision``, ``reasons``), 8
                bytes for each feature of a row in one round, by correlations that are made ahead
                or on the spot. Made on the spot, all counted, it takes less time than the other
                from one row on (``python -m benchmarks scoring``).
``paillier``    the probability alone, in one round trip, with nothing prepared and nothing shared
                between the parties: for a few rows where round trips are long, for weights that
                leave no room in 64 bits, or for a logit that is finer, to 2^-32. The model owner
                keeps a Paillier key, which takes a second to make.

Both hide the same things from the same parties, semi-honest. What the *result* gives away is in
``shares``, with which result to choose.
"""

from mpc.protocols.scoring import paillier, shares
from mpc.protocols.scoring.roles import FEATURE_LIMIT, Model, Roles, logistic

__all__ = ["FEATURE_LIMIT", "Model", "Roles", "logistic", "paillier", "shares"]
