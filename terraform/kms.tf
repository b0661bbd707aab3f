# The keys. Each has one purpose, so that a role that may decrypt data cannot thereby read secrets or logs.

locals {
  keys = {
    data    = "objects in the landing zone, storage, audit trail, MLflow artifacts and releases"
    secrets = "the database, passwords, keys that sign and the disks of the host"
    logs    = "CloudWatch logs, the trail and alarms"
    images  = "the image repository"
  }
}

resource "aws_kms_key" "main" {
  for_each = local.keys

  description             = "${local.name}: ${each.value}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key[each.key].json

  tags = { Name = "${local.name}-${each.key}" }

  # What it encrypted is lost with the key.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "main" {
  for_each = local.keys

  name          = "alias/${local.name}-${each.key}"
  target_key_id = aws_kms_key.main[each.key].key_id
}

resource "aws_kms_key" "replica" {
  provider = aws.replica

  description             = "${local.name}: the second copy of the data"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.account_decides.json

  tags = { Name = "${local.name}-replica" }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "replica" {
  provider = aws.replica

  name          = "alias/${local.name}-replica"
  target_key_id = aws_kms_key.replica.key_id
}

# A key policy without the account would lock everybody out, the owner included. With it, IAM policies of the account
# decide. In a key policy "*" is the key itself.
data "aws_iam_policy_document" "account_decides" {
  #checkov:skip=CKV_AWS_109:the account's own administrators manage the key; no other principal is named
  #checkov:skip=CKV_AWS_111:in a key policy the resource "*" is this key
  #checkov:skip=CKV_AWS_356:in a key policy the resource "*" is this key
  statement {
    sid       = "AccountDecides"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${var.account_id}:root"]
    }
  }
}

data "aws_iam_policy_document" "key" {
  for_each = local.keys

  source_policy_documents = [data.aws_iam_policy_document.account_decides.json]

  # Whoever delivers to the landing zone encrypts what it delivers; multipart uploads also decrypt their parts.
  dynamic "statement" {
    for_each = each.key == "data" && length(var.landing_writer_arns) > 0 ? [1] : []

    content {
      sid       = "UpstreamDelivers"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = var.landing_writer_arns
      }

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${var.region}.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:aws:s3:arn"
        values   = ["arn:${local.partition}:s3:::${local.bucket_names["landing"]}"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "LogGroupsOfThisInstallation"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.${var.region}.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values = ["arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:/${local.name}/*",
        "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:/aws/rds/instance/${local.name}/*"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "TrailOfThisInstallation"
      actions   = ["kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["cloudtrail.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceArn"
        values   = [local.trail_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "AlarmsOfThisAccount"
      actions   = ["kms:GenerateDataKey*", "kms:Decrypt"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["cloudwatch.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.account_id]
      }
    }
  }
}
