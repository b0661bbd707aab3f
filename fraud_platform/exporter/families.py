"""Figures as Prometheus metric families: a name, its meaning, and one sample for each label.

Which figures there are does not belong here.
"""

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


def gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    """A figure that goes up and down; without a sample where it is not known."""
    family = GaugeMetricFamily(name, meaning)
    if value is not None:
        family.add_metric((), float(value))
    return family


def gauges(name: str, meaning: str, label: str, values: Mapping[str, float | None]) -> GaugeMetricFamily:
    """The same for each value of a label; those that are not known are left out."""
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for text, value in values.items():
        if value is not None:
            family.add_metric([text], float(value))
    return family


def counter(name: str, meaning: str, value: float | None) -> CounterMetricFamily:
    """A number that only grows, named without its ending `_total`."""
    family = CounterMetricFamily(name, meaning)
    if value is not None:
        family.add_metric((), float(value))
    return family


def counters(name: str, meaning: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    """The same for each value of a label."""
    family = CounterMetricFamily(name, meaning, labels=[label])
    for text, value in values.items():
        family.add_metric([text], float(value))
    return family
