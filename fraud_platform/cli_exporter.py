"""The command that serves metrics: its arguments, and what it says when it starts.

What is served belongs to the exporter.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer

from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform.terminal import out


def exporter(
    host: Annotated[str, typer.Option(help="Address to listen on; by default only this machine is answered.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9700,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two rounds of reading.")] = 15.0,
) -> None:
    """Serve metrics for Prometheus (/metrics) and whether they can be believed (/health), until stopped.

    Example: fraud-platform exporter --port 9700
    """
    from fraud_platform.defs.deployments import platform_of
    from fraud_platform.exporter.serving import Exporter
    from fraud_platform.exporter.snapshot import Gatherer

    def now() -> datetime:
        return datetime.now(UTC)

    platform = platform_of(load_settings())
    gatherer = Gatherer(store=lambda: platform.store, registry=lambda: platform.registry, clock=now)
    try:
        served = Exporter(gatherer, host=host, port=port, every_seconds=every, clock=now)
    except OSError as error:
        raise PlatformError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
    shown = f"[{host}]" if ":" in host else host
    # Where the disk is full that this is written to, figures are wanted most.
    with suppress(OSError):
        out.print(f"http://{shown}:{served.port}/metrics and /health", highlight=False, soft_wrap=True)
    served.serve()
