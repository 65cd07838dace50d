"""Reads pages for Prometheus with its client library for Python, and says what OpenTelemetry's exporter makes of names.

    prometheus_pages.py text|openmetrics < PAGE     all families of a page, as JSON
    prometheus_pages.py pages < PAGES               the same of each page of a list, in text
    prometheus_pages.py names < CASES               of each metric of a list, the families of OpenTelemetry's page

Numbers are texts as Python writes them, which name each of them exactly.
"""

import json
import sys


def exemplar(of):
    if of is None:
        return None
    time = of.timestamp
    return {"labels": of.labels, "value": repr(float(of.value)), "time": None if time is None else repr(float(time))}


def families(page, kind):
    if kind == "openmetrics":
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    else:
        from prometheus_client.parser import text_string_to_metric_families
    return [
        {
            "name": family.name,
            "type": family.type,
            "help": family.documentation,
            "unit": family.unit,
            "samples": [
                {
                    "name": sample.name,
                    "labels": sample.labels,
                    "value": repr(float(sample.value)),
                    "exemplar": exemplar(sample.exemplar),
                }
                for sample in family.samples
            ],
        }
        for family in text_string_to_metric_families(page)
    ]


def names(case):
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry)
    resource = Resource(dict(case.get("resource", {})))
    provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter("telemetry")
    create = getattr(meter, "create_" + case["kind"])
    instrument = create(case["name"], unit=case["unit"], description=case["description"])
    for at in {"histogram": ["record"], "gauge": ["set"]}.get(case["kind"], ["add"]):
        getattr(instrument, at)(1, dict(case["tags"]))
    page = generate_latest(registry).decode()
    return families(page, "text")


def main(mode):
    text = sys.stdin.buffer.read().decode()
    if mode == "names":
        result = [names(case) for case in json.loads(text)]
    elif mode == "pages":
        result = [families(page, "text") for page in json.loads(text)]
    else:
        result = families(text, mode)
    json.dump(result, sys.stdout)


main(sys.argv[1])
