# Where everything that runs keeps what it prints, for var.log_retention_days and under the key of the logs.

resource "aws_cloudwatch_log_group" "platform" {
  for_each = {
    services  = "the compose stack's containers on the host"
    tasks     = "Dagster runs and commands on ECS"
    flow-logs = "who talked to whom in the VPC"
    trail     = "CloudTrail, for searches and alarms; the bucket keeps it for longer"
  }

  name              = "/${local.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main["logs"].arn

  tags = { Purpose = each.value }
}

# RDS prescribes these names.
resource "aws_cloudwatch_log_group" "database" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${local.database_identifier}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main["logs"].arn
}
