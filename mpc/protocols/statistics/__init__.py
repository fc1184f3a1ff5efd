# SPDX-License-Identifier: Apache-2.0
"""Figures of many parties' rows, of which nothing but the figures comes out; n parties.

Semi-honest, all but one may collude. The rows of all make a group, in one of two ways:

    aligned     the same rows in the same order at all parties, each of which has other columns.
                Columns are shared (``column``) and stay so; ``kept``, shared bits, picks rows, and
                then nobody knows which rows, or how many
    pooled      the same columns at all parties, each of which has other rows. A party shares no
                row but what it has added up of its own; nobody learns how many another has

    count, total, mean, variance, covariance, quantile, histogram

Each gives the figure at all parties, or at ``Terms.to`` alone, where the others get None. When a
group is made all parties compare the terms, and stop with ParameterMismatch where they differ.

**Small groups.** A figure of fewer rows than ``Terms.minimum`` says too much of each of them. Where
the count is secret it is compared with the minimum on shares, and one bit comes out: whether the
figure is withheld. If it is, all parties raise ``Withheld`` and compute nothing more.

Learns: the receiver the figure; all, whether it was withheld, the shapes and the terms; nobody
anything else. A mean, variance or covariance over a secret count is told no finer than the values
(or their squares) are encoded, as otherwise it would be a fraction whose denominator shows. But
figures say more together than alone, and these hold nothing against it:

* a mean and a count give the total, and a mean and a total the count; where rows are aligned and
  all are kept the count is public;
* a mean of values that are coarser than the unit, as whole numbers and flags are at 8 fraction
  bits, is a fraction over the count again, and tells counts up to about the root of how much
  coarser they are: give such columns terms with fewer fraction bits;
* what is divided on shares is rounded anew each time, up or down by chance: who gets t means of one
  group narrows the quotient t-fold below the unit, and so comes to the count: tell a figure once;
* the same figure of two groups that differ in one row gives that row: agree on the groups; so do
  two histograms of which one has an edge more;
* a quantile is the value of one row, to a unit, and quantiles 0 and 1 are the least and the most;
* a party that knows its own rows can take them off a total;
* a total of a few large and many small values says much of the large ones: a minimum counts rows,
  it does not weigh them.

**Exactness.** Values are encoded with ``Terms.fraction_bits`` f, and figures are those of the
encoded values. Counts, totals, histograms and quantiles are exact, and so is a mean where the count
is public. Where it is not the mean is divided on shares, and off by at most ``bound`` 2^-22, a unit
2^-f and 2^-29. Variances and covariances are off by at most ``bound``^2 2^-20, four squared units
and 2^-28; by twice that over the count less one. The unit of the values is the parties' to choose:
a bound of 1 to 1000 leaves the most room.

**Room.** Sums are words of 64 bits: rows * bound * 2^f, and for a variance rows * bound^2 * 2^(2f),
must be below 2^61. What is divided on shares must leave room for the quotient too
(``functions.quotient_room``): 2 * bound may have 32 bits, and with the bits of the number of rows
and f, 61; for a variance the same holds of 2 * bound^2 and 2f. Where there is no room
EncodingOverflow is raised before anything is sent. Terms whose
bound is 2^62 units or more are refused.
"""

from mpc.protocols.statistics.groups import Aligned, Group, Pooled, aligned, column, pooled
from mpc.protocols.statistics.moments import count, covariance, mean, total, variance
from mpc.protocols.statistics.order import Histogram, histogram, quantile
from mpc.protocols.statistics.terms import Terms

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
