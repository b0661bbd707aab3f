# Names and places that more than one file needs.

data "aws_partition" "current" {}

locals {
  name      = "${var.project}-${var.environment}"
  partition = data.aws_partition.current.partition

  tags = {
    Project     = var.project
    Environment = var.environment
    ManagedBy   = "terraform"
  }

  # The compose stack's web pages: where the host serves them, and the path that says they are well.
  pages = {
    dagster = { port = 3000, health_path = "/server_info" }
    mlflow  = { port = 5000, health_path = "/health" }
    grafana = { port = 3001, health_path = "/api/health" }
  }

  # Prefixes inside the buckets. The platform keeps what runs print below its storage.
  landing_prefix     = "landing"
  storage_prefix     = "storage"
  compute_log_prefix = "${local.storage_prefix}/compute_logs"
  tombstone_prefix   = "${local.storage_prefix}/tombstones"
  # One key signs a trail from its first entry to its last, so a new key begins a new one.
  audit_prefix    = var.audit_key_version == 1 ? "audit" : "audit-${var.audit_key_version}"
  artifact_prefix = "mlflow"

  artifacts_url = "s3://${aws_s3_bucket.data["mlflow"].id}/${local.artifact_prefix}"

  # Runs on ECS find MLflow here. A fixed address, because the host is replaced at every release.
  host_address = cidrhost(local.private_ranges[local.host_zone], 10)
  tracking_url = "http://${local.host_address}:${local.pages.mlflow.port}"

  image = "${aws_ecr_repository.platform.repository_url}:${var.image_tag}"

  # What every process of the platform is told, wherever it runs. No secret is among it.
  environment = merge(var.settings, {
    FRAUD_LANDING       = "s3://${aws_s3_bucket.data["landing"].id}/${local.landing_prefix}"
    FRAUD_STORAGE       = "s3://${aws_s3_bucket.data["storage"].id}/${local.storage_prefix}"
    FRAUD_AUDIT         = "s3://${aws_s3_bucket.data["audit"].id}/${local.audit_prefix}"
    FRAUD_START_DATE    = var.start_date
    FRAUD_LOG_FORMAT    = "json"
    FRAUD_POSTGRES_URL  = local.database_urls.dagster
    MLFLOW_TRACKING_URI = local.tracking_url
    AWS_DEFAULT_REGION  = var.region
  })
}
