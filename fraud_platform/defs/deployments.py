"""What the graph's resources point at, from the settings: folders on a laptop, S3 and servers in production.

The graph itself is the same in both; nothing else may ask where it runs.
"""

from fraud_platform.defs.io_managers import BundleIOManager, DocumentIOManager, FooterIOManager, TableIOManager
from fraud_platform.defs.resources import ExperimentTracking, Platform
from fraud_platform.settings import Settings


def platform_of(settings: Settings) -> Platform:
    """The platform's places and rules."""
    return Platform(
        landing_url=settings.landing_url,
        storage_url=settings.storage_url,
        tracking_url=settings.tracking_url,
        artifact_url=settings.artifact_url,
    )


def resources(settings: Settings) -> dict[str, object]:
    """Every resource the graph asks for, by the key it asks with."""
    storage = settings.storage_url
    return {
        "platform": platform_of(settings),
        "tracking": ExperimentTracking(tracking_url=settings.tracking_url, artifact_url=settings.artifact_url),
        "tables": TableIOManager(storage_url=storage),
        "footers": FooterIOManager(storage_url=storage),
        "documents": DocumentIOManager(storage_url=storage),
        "bundles": BundleIOManager(storage_url=storage),
    }
