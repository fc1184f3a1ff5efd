# SPDX-License-Identifier: Apache-2.0
"""A joint linear score: features at several parties, weights at one, the result for one.

Every row is scored as ``logit = intercept + sum_j weight_j * z_j``. Each feature j belongs to one
*feature owner* and the weights to the *model owner*; the *receiver* gets what is asked for. Roles
may coincide in a party, but someone other than the model owner must own a feature. Two forms:

``shares``      for many rows, for any result but the probability, and whenever there are more than
                two parties: 8 bytes for each feature of a row, one round, and correlations that are
                made ahead. Gives ``probability``, ``band``, ``decision`` or ``reasons``.
``paillier``    the probability alone, for a few rows between parties that have nothing prepared and
                keep a key: the rows go under the model owner's Paillier key, in one round trip of
                kilobytes with no set-up between them. Its logit is finer, to 2^-32.

Both hide the same things from the same parties, semi-honest. What the *result* gives away is in
``shares``, with which result to choose.
"""

from mpc.protocols.scoring import paillier, shares
from mpc.protocols.scoring.roles import FEATURE_LIMIT, Model, Roles, logistic

__all__ = ["FEATURE_LIMIT", "Model", "Roles", "logistic", "paillier", "shares"]
