"""What a contender is asked to do, once, and what it says about it: no metric, no round, no report.

Purpose: keep what is done apart from who does it and from what is made of it.
Takes: a contender's near end: connections and pipes.
Gives: works, each with the class of its outcome.
May look at: the seams of `bench.subjects`, `bench.statistics`; rooms below `bench`.
"""

from plait.bench.works.bulk import Bulk, Direction, Moved
from plait.bench.works.churn import Churned, ConnectionChurn, PipeChurn
from plait.bench.works.distance import Distance, Travelled
from plait.bench.works.harm import Harm, Harmed
from plait.bench.works.idle import Held, Idle
from plait.bench.works.layers import Added, Layered, Layers
from plait.bench.works.linking import link_to, one_there_and_back, use_once
from plait.bench.works.requests import Answered, Beside, Pings, Requests
from plait.bench.works.work import Near, Usage, Work

__all__ = [
    "Added",
    "Answered",
    "Beside",
    "Bulk",
    "Churned",
    "ConnectionChurn",
    "Direction",
    "Distance",
    "Harm",
    "Harmed",
    "Held",
    "Idle",
    "Layered",
    "Layers",
    "Moved",
    "Near",
    "Pings",
    "PipeChurn",
    "Requests",
    "Travelled",
    "Usage",
    "Work",
    "link_to",
    "one_there_and_back",
    "use_once",
]
