# SPDX-License-Identifier: Apache-2.0
"""Figures of many parties' rows, of which nothing but the figures comes out; n parties.

Semi-honest, all but one may collude. The rows of all make a group, in one of two ways:

    aligned     the same rows in the same order at all parties, each of which has other columns.
                Columns are shared (``column``) and stay so; ``kept``, shared bits, picks rows, and
                then nobody knows which rows, or how many
    pooled      the same columns at all parties, each of which has other rows. A party shares no
                row but what it has added up of its own; nobody learns how many another has

    count, total, mean, variance, covariance, quantile, histogram

Each gives the figure at all parties, or at ``Terms.to`` alone, where the others get None.

**Small groups.** A figure of fewer rows than ``Terms.minimum`` says too much of each of them. Where
the count is secret it is compared with the minimum on shares, and one bit comes out: whether the
figure is withheld. If it is, all parties raise ``Withheld`` and compute nothing more.

Learns: the receiver the figure; all, whether it was withheld, the shapes and the terms; nobody
anything else. But figures say more together than alone, and these hold nothing against it:

* a mean and a count give the total; where rows are aligned and all are kept the count is public;
* the same figure of two groups that differ in one row gives that row: agree on the groups;
* a quantile is the value of one row, to a unit, and quantiles 0 and 1 are the least and the most;
* a party that knows its own rows can take them off a total;
* a total of a few large and many small values says much of the large ones: a minimum counts rows,
  it does not weigh them.

**Exactness.** Values are encoded with ``Terms.fraction_bits`` f, and figures are those of the
encoded values. Counts, totals, histograms and quantiles are exact, and so is a mean where the count
is public. Where it is not the mean is divided on shares, and off by at most ``bound`` 2^-23 and a
unit 2^-f. Variances and covariances are off by at most ``bound``^2 2^-21 and four squared units.
The unit of the values is the parties' to choose: a bound of 1 to 1000 leaves the most room.

**Room.** Sums are words of 64 bits: rows * bound * 2^f, and for a variance rows * bound^2 * 2^(2f),
must be below 2^61. Where they are not EncodingOverflow is raised before anything is sent.
"""

from mpc.protocols.statistics.groups import Aligned, Group, Pooled, Terms, aligned, column, pooled
from mpc.protocols.statistics.moments import count, covariance, mean, total, variance
from mpc.protocols.statistics.order import Histogram, histogram, quantile

__all__ = [
    "Aligned",
    "Group",
    "Histogram",
    "Pooled",
    "Terms",
    "aligned",
    "column",
    "count",
    "covariance",
    "histogram",
    "mean",
    "pooled",
    "quantile",
    "total",
    "variance",
]
