"""The four dashboards: which figures of the exporter and of the machine stand where, and where an alert begins.

How they become Grafana's JSON is in `make_dashboards`. No query holds a variable of Grafana's: a test can ask each.
"""

from panels import BARS, FULL, NUMBER, QUARTER, SIXTH, THIRD, Board, Panel

# Memory and images are no disks.
_DISKS = '{fstype!~"tmpfs|squashfs"}'

OVERVIEW = Board(
    "Overview",
    "now-14d",
    {
        "Now": [
            Panel(
                "Sources that can be read",
                {"": "sum(fraud_source_up)"},
                kind=NUMBER,
                width=SIXTH,
                limit=3,
                is_floor=True,
            ),
            Panel(
                "Alerts firing",
                {"": 'count(ALERTS{alertstate="firing"}) or vector(0)'},
                kind=NUMBER,
                width=SIXTH,
                limit=1,
            ),
            Panel("Who decides", {"{{semver}} {{algorithm}}": "fraud_model_info"}, kind=NUMBER, width=SIXTH),
            Panel("Age of what it learned", {"": "fraud_model_age_seconds"}, "s", NUMBER, SIXTH),
            Panel(
                "Newest day decided", {"": "fraud_newest_day_timestamp_seconds * 1000"}, "dateTimeAsIso", NUMBER, SIXTH
            ),
            Panel("Since new data came", {"": "fraud_last_ingest_age_seconds"}, "s", NUMBER, SIXTH, limit=48 * 3600),
        ],
        "Decisions": [
            Panel("Decisions in 24 hours", {"{{label}}": "increase(fraud_predictions_total[1d])"}),
            Panel("Decisions a minute while scoring", {"newest day": "fraud_predictions_per_minute"}),
            Panel("Fraud rate", {"newest day": "fraud_detection_rate"}, "percentunit"),
            Panel(
                "Shift of the fraud rate against the week before",
                {"relative": "abs(fraud_prediction_shift_ratio)"},
                "percentunit",
                limit=0.2,
                about="An alert needs more than chance, too: 3 standard errors.",
            ),
            Panel(
                "Seconds to score a day",
                {"p{{quantile}}": "fraud_scoring_latency_seconds"},
                "s",
                limit=10,
            ),
            Panel(
                "Days without decisions",
                {"share of the days worked on": "fraud_error_ratio"},
                "percentunit",
                limit=0.05,
            ),
        ],
        "Landed data": [
            Panel(
                "Batches that broke the contract", {"share": "fraud_schema_failure_ratio"}, "percentunit", limit=0.01
            ),
            Panel(
                "Rows with a missing or impossible value",
                {"missing": "fraud_missing_value_ratio", "out of range": "fraud_range_violation_ratio"},
                "percentunit",
                about="Of the newest day; by the first reason found in a row.",
            ),
            Panel("Rows landed", {"newest day": "fraud_landed_rows"}),
            Panel("Rows in quarantine", {"{{reason}}": "fraud_quarantined_rows"}),
        ],
        "Runs": [
            Panel("Runs in 24 hours", {"{{chain}}, {{status}}": "increase(fraud_runs_total[1d])"}),
            Panel("Last run failed", {"{{chain}}": "fraud_last_run_failed"}, limit=1),
        ],
    },
)

PERFORMANCE = Board(
    "Model performance",
    "now-90d",
    {
        "Now": [
            Panel(
                "F1 of the last judged week",
                {"": 'fraud_realised_f1{window="week"}'},
                "short",
                NUMBER,
                SIXTH,
                0.7,
                True,
            ),
            Panel(
                "Precision", {"": 'fraud_realised_precision{window="week"}'}, "percentunit", NUMBER, SIXTH, 0.75, True
            ),
            Panel("Recall", {"": 'fraud_realised_recall{window="week"}'}, "percentunit", NUMBER, SIXTH),
            Panel("Average precision", {"": 'fraud_realised_average_precision{window="week"}'}, "short", NUMBER, SIXTH),
            Panel("Decisions with a label", {"": "fraud_labelled_ratio"}, "percentunit", NUMBER, SIXTH),
            Panel("Who decides", {"{{semver}} {{algorithm}}": "fraud_model_info"}, kind=NUMBER, width=SIXTH),
        ],
        "Over time": [
            Panel(
                "F1",
                {
                    "{{window}}, realised": "fraud_realised_f1",
                    "best of seven days": "fraud_realised_f1_week_best",
                    "{{window}}, estimated": "fraud_estimated_f1",
                },
                limit=0.7,
                is_floor=True,
                about="Realised is as old as labels are late; estimated is today's, if the probabilities are right.",
            ),
            Panel(
                "Precision",
                {
                    "{{window}}, realised": "fraud_realised_precision",
                    "{{window}}, estimated": "fraud_estimated_precision",
                },
                "percentunit",
                limit=0.75,
                is_floor=True,
            ),
            Panel(
                "Recall",
                {"{{window}}, realised": "fraud_realised_recall", "{{window}}, estimated": "fraud_estimated_recall"},
                "percentunit",
            ),
            Panel(
                "Average precision",
                {
                    "{{window}}, realised": "fraud_realised_average_precision",
                    "{{window}}, estimated": "fraud_estimated_average_precision",
                },
            ),
        ],
        "Confusion matrix of the last judged week": [
            Panel("Fraud, alerted", {"": 'fraud_confusion_rows{outcome="true_positives"}'}, kind=NUMBER),
            Panel("Fraud, missed", {"": 'fraud_confusion_rows{outcome="false_negatives"}'}, kind=NUMBER),
            Panel("Legitimate, alerted", {"": 'fraud_confusion_rows{outcome="false_positives"}'}, kind=NUMBER),
            Panel("Legitimate, left alone", {"": 'fraud_confusion_rows{outcome="true_negatives"}'}, kind=NUMBER),
        ],
        "Models": [
            Panel("Registered models", {"{{stage}}": "fraud_registered_models"}, width=THIRD),
            Panel("Age of what the champion learned", {"champion": "fraud_model_age_seconds"}, "s", width=THIRD),
            Panel("Retrainings", {"{{status}}": 'fraud_runs_total{chain="retraining"}'}, width=THIRD),
        ],
    },
)

DRIFT = Board(
    "Data drift",
    "now-30d",
    {
        "Now": [
            Panel("Features drifted", {"": "fraud_features_drifted"}, kind=NUMBER, width=QUARTER, limit=3),
            Panel(
                "Largest index", {"{{feature}}": "topk(1, fraud_feature_psi)"}, kind=NUMBER, width=QUARTER, limit=0.25
            ),
            Panel("Features beyond training's range", {"": "fraud_features_out_of_range"}, kind=NUMBER, width=QUARTER),
            Panel(
                "Index of the score", {"": 'fraud_feature_psi{feature="fraud_probability"}'}, kind=NUMBER, width=QUARTER
            ),
        ],
        "By feature": [
            Panel(
                "Population stability index",
                {"{{feature}}": "sort_desc(fraud_feature_psi)"},
                kind=BARS,
                width=FULL,
                limit=0.25,
                about="Of the last days against training: the Kullback-Leibler divergence in both directions, "
                "added up over deciles of training. Below 0.1 nothing has changed, from 0.25 on act.",
            ),
        ],
        "Over time": [
            Panel(
                "Population stability index, the ten largest",
                {"{{feature}}": "topk(10, fraud_feature_psi)"},
                limit=0.25,
            ),
            Panel("Features drifted", {"features": "fraud_features_drifted"}, limit=3),
            Panel(
                "Shift of the mean",
                {"{{feature}}": "topk(10, abs(fraud_feature_mean_shift_sigmas))"},
                limit=3,
                about="In standard deviations of training.",
            ),
            Panel(
                "Shift of the standard deviation",
                {"{{feature}}": "topk(10, abs(fraud_feature_std_shift_sigmas))"},
                limit=3,
                about="In standard deviations of training: 1 is doubled.",
            ),
            Panel(
                "Shift of the fraud rate",
                {"relative": "fraud_prediction_shift_ratio", "in standard errors": "fraud_prediction_shift_sigmas"},
            ),
            Panel("Features beyond training's range", {"features": "fraud_features_out_of_range"}),
        ],
    },
)

INFRASTRUCTURE = Board(
    "Infrastructure",
    "now-24h",
    {
        "Machine": [
            Panel(
                "Processors at work",
                {"{{instance}}": '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))'},
                "percentunit",
            ),
            Panel(
                "Memory in use",
                {"{{instance}}": "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"},
                "percentunit",
            ),
            Panel(
                "Disks, read and written",
                {
                    "{{device}} read": "rate(node_disk_read_bytes_total[5m])",
                    "{{device}} written": "rate(node_disk_written_bytes_total[5m])",
                },
                "Bps",
            ),
            Panel(
                "Disks, in use",
                {"{{mountpoint}}": f"1 - node_filesystem_avail_bytes{_DISKS} / node_filesystem_size_bytes{_DISKS}"},
                "percentunit",
                limit=0.9,
            ),
            Panel("Network", {"{{device}} {{direction}}": "rate(fraud_host_network_bytes_total[5m])"}, "Bps"),
            Panel("Load", {"{{instance}}": "node_load5"}),
        ],
        "Containers": [
            Panel("Restarts in an hour", {"{{service}}": "increase(fraud_container_restarts_total[1h])"}, limit=4),
            Panel("Running", {"{{service}}": "fraud_container_running"}, limit=1, is_floor=True),
            Panel("Healthy", {"{{service}}": "fraud_container_healthy"}, limit=1, is_floor=True),
            Panel("Runs restarted", {"runs": "increase(fraud_run_restarts_total[1d])"}),
        ],
        "Watching": [
            Panel("Can be scraped", {"{{job}}": "up"}, limit=1, is_floor=True),
            Panel("Sources that can be read", {"{{source}}": "fraud_source_up"}, limit=1, is_floor=True),
            Panel("Seconds to read them", {"exporter": "fraud_gathering_seconds"}, "s"),
            Panel("Memory of those who watch", {"{{job}}": "process_resident_memory_bytes"}, "bytes"),
            Panel("Restarts of those who watch, in an hour", {"{{job}}": "changes(process_start_time_seconds[1h])"}),
            Panel(
                "Notifications that failed",
                {"{{integration}}": "increase(alertmanager_notifications_failed_total[1h])"},
                limit=1,
            ),
        ],
    },
)

BOARDS = {"overview": OVERVIEW, "model-performance": PERFORMANCE, "data-drift": DRIFT, "infrastructure": INFRASTRUCTURE}
