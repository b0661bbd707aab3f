"""The front door: what `dagster dev` loads. Assets, checks, clocks and resources, put together and nothing else."""

import dagster as dg

from fraud_platform.defs.assets import features, ingestion, monitoring, release, scoring, splits, training
from fraud_platform.defs.checks import CHECKS
from fraud_platform.defs.code_location import end_with_the_watch
from fraud_platform.defs.deployments import resources
from fraud_platform.defs.jobs import daily, retraining
from fraud_platform.defs.landing_sensor import landing_sensor
from fraud_platform.defs.late_labels_sensor import late_labels_sensor
from fraud_platform.defs.model_jobs import promote_model, roll_back_model, settle_shadow
from fraud_platform.defs.model_sensors import rollback_sensor, shadow_sensor
from fraud_platform.defs.notification_sensor import notification_sensor
from fraud_platform.defs.partitions import SETTINGS
from fraud_platform.defs.retention import retention, retention_schedule
from fraud_platform.defs.schedules import daily_schedule, monthly_retraining_schedule
from fraud_platform.defs.sensors import (
    retrain_on_drift_sensor,
    retrain_on_performance_sensor,
    run_failure_sensor,
)

end_with_the_watch()

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([ingestion, features, splits, training, release, scoring, monitoring]),
    asset_checks=CHECKS,
    jobs=[daily, retraining, promote_model, roll_back_model, settle_shadow, retention],
    schedules=[daily_schedule, monthly_retraining_schedule, retention_schedule],
    sensors=[
        landing_sensor,
        late_labels_sensor,
        retrain_on_drift_sensor,
        retrain_on_performance_sensor,
        shadow_sensor,
        rollback_sensor,
        run_failure_sensor,
        notification_sensor,
    ],
    resources=resources(SETTINGS),
    # A process per step would pay several seconds of imports for each.
    executor=dg.in_process_executor,
)
