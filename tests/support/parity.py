"""Sends points that come as JSON with the client that the first argument names.

{"points": [{"name": .., "value": .., "tags": {..}, "time": seconds}], ..}
"""

import json
import sys


def potsdb_sends(told):
    import potsdb

    client = potsdb.Client("127.0.0.1", port=told["port"], host_tag=told["host_tag"], mps=told["mps"], check_host=True)
    for point in told["points"]:
        client.send(point["name"], point["value"], timestamp=point["time"], **point["tags"])
    client.wait()


def apptuit_sends(told):
    from apptuit import Apptuit, DataPoint

    client = Apptuit(
        token=told["token"],
        api_endpoint=told["endpoint"],
        global_tags=told["tags"],
        ignore_environ_tags=True,
        sanitize_mode=None,
    )
    client.send([DataPoint(of["name"], of["tags"], of["time"], of["value"]) for of in told["points"]])


{"potsdb": potsdb_sends, "apptuit": apptuit_sends}[sys.argv[1]](json.load(sys.stdin))
