# Roles that AWS's own services take: S3 to copy, the VPC and CloudTrail to log, RDS to measure.

locals {
  aws_services = {
    replication = "s3.amazonaws.com"
    flow_logs   = "vpc-flow-logs.amazonaws.com"
    trail       = "cloudtrail.amazonaws.com"
    monitoring  = "monitoring.rds.amazonaws.com"
  }
}

data "aws_iam_policy_document" "aws_service_assumes" {
  for_each = local.aws_services

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # The service must act for this account and not for somebody who knows the role's name. S3 and CloudTrail do not
    # document that they send this key here; they take a role only from whoever may pass it.
    dynamic "condition" {
      for_each = contains(["flow_logs", "monitoring"], each.key) ? [1] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.account_id]
      }
    }
  }
}

# S3 copies from the buckets to their copies, decrypting with one key and encrypting with the other.

resource "aws_iam_role" "replication" {
  name               = "${local.name}-replication"
  description        = "Copies the data of ${local.name} to ${var.replica_region}"
  assume_role_policy = data.aws_iam_policy_document.aws_service_assumes["replication"].json
}

resource "aws_iam_role_policy" "replication" {
  name   = "replication"
  role   = aws_iam_role.replication.id
  policy = data.aws_iam_policy_document.replication.json
}

data "aws_iam_policy_document" "replication" {
  statement {
    sid       = "SeeWhatIsNew"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [for purpose in local.replicated_buckets : aws_s3_bucket.data[purpose].arn]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    resources = [for purpose in local.replicated_buckets : "${aws_s3_bucket.data[purpose].arn}/*"]
  }

  statement {
    sid       = "WriteTheCopy"
    actions   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    resources = [for purpose in local.replicated_buckets : "${aws_s3_bucket.copy[purpose].arn}/*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main["data"].arn, aws_kms_key.main["logs"].arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "EncryptTheCopy"
    actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.replica.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.replica_region}.amazonaws.com"]
    }
  }
}

# The VPC writes its flow log, CloudTrail its events.

resource "aws_iam_role" "flow_logs" {
  name               = "${local.name}-flow-logs"
  description        = "Writes the flow log of ${local.name}"
  assume_role_policy = data.aws_iam_policy_document.aws_service_assumes["flow_logs"].json
}

resource "aws_iam_role_policy" "flow_logs" {
  name   = "log"
  role   = aws_iam_role.flow_logs.id
  policy = data.aws_iam_policy_document.write_log["flow-logs"].json
}

resource "aws_iam_role" "trail" {
  name               = "${local.name}-trail"
  description        = "Writes the trail of ${local.name} to CloudWatch"
  assume_role_policy = data.aws_iam_policy_document.aws_service_assumes["trail"].json
}

resource "aws_iam_role_policy" "trail" {
  name   = "log"
  role   = aws_iam_role.trail.id
  policy = data.aws_iam_policy_document.write_log["trail"].json
}

data "aws_iam_policy_document" "write_log" {
  for_each = toset(["flow-logs", "trail"])

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [aws_cloudwatch_log_group.platform[each.key].arn, "${aws_cloudwatch_log_group.platform[each.key].arn}:log-stream:*"]
  }
}

# RDS reports what the operating system below PostgreSQL does; AWS owns that log group and its policy.

resource "aws_iam_role" "monitoring" {
  name               = "${local.name}-monitoring"
  description        = "Reports the operating system's figures of the database of ${local.name}"
  assume_role_policy = data.aws_iam_policy_document.aws_service_assumes["monitoring"].json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
