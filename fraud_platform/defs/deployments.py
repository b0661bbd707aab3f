"""What the graph's resources point at, from the settings: folders on a laptop, S3 and servers in production.

The graph itself is the same in both; nothing else may ask where it runs.
"""

from fraud_platform.defs.io_managers import BundleIOManager, DocumentIOManager, FooterIOManager, TableIOManager
from fraud_platform.defs.resources import ExperimentTracking, Platform
from fraud_platform.settings import Settings


def resources(settings: Settings) -> dict[str, object]:
    """Every resource the graph asks for, by the key it asks with."""
    where = {"storage_url": settings.storage_url}
    tracking = {"tracking_url": settings.tracking_url, "artifact_url": settings.artifact_url}
    return {
        "platform": Platform(landing_url=settings.landing_url, **where, **tracking),
        "tracking": ExperimentTracking(**tracking),
        "tables": TableIOManager(**where),
        "footers": FooterIOManager(**where),
        "documents": DocumentIOManager(**where),
        "bundles": BundleIOManager(**where),
    }
