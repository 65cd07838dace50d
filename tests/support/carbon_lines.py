"""Reads lines of Graphite's plaintext protocol as carbon does, and prints what it reads as a JSON object a line.

The line is taken apart as in carbon 1.1.7's `MetricLineReceiver.lineReceived`, the name by carbon's own `TaggedSeries`.
"""

import json
import sys

from carbon.util import TaggedSeries

for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
    metric, value, timestamp = line.decode("utf-8").strip().split()
    series = TaggedSeries.parse(metric)
    tags = {key: of for key, of in series.tags.items() if key != "name"}
    point = {"name": series.metric, "tags": tags, "value": float(value), "second": int(timestamp)}
    sys.stdout.write(json.dumps(point) + "\n")
