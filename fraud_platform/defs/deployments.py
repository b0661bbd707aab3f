"""What the graph's resources point at, from the settings: folders on a laptop, S3 and servers in production.

The graph itself is the same in both; nothing else may ask where it runs.
"""

from fraud_platform.defs.io_managers import BundleIOManager, DocumentIOManager, FooterIOManager, TableIOManager
from fraud_platform.defs.resources import ExperimentTracking, Platform
from fraud_platform.settings import Settings


def resources(settings: Settings) -> dict[str, object]:
    """Every resource the graph asks for, by the key it asks with."""
    storage = settings.storage_url
    return {
        "platform": Platform(
            landing_url=settings.landing_url,
            storage_url=storage,
            tracking_url=settings.tracking_url,
            artifact_url=settings.artifact_url,
        ),
        "tracking": ExperimentTracking(tracking_url=settings.tracking_url, artifact_url=settings.artifact_url),
        "tables": TableIOManager(storage_url=storage),
        "footers": FooterIOManager(storage_url=storage),
        "documents": DocumentIOManager(storage_url=storage),
        "bundles": BundleIOManager(storage_url=storage),
    }
