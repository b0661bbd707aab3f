# What every bucket refuses, whoever asks: unencrypted connections, other accounts, other keys.

resource "aws_s3_bucket_policy" "data" {
  for_each = local.buckets

  bucket = aws_s3_bucket.data[each.key].id
  policy = data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.data]
}

# Bucket by bucket, the copies and the access log included.
data "aws_iam_policy_document" "only_tls" {
  for_each = merge(
    local.bucket_names,
    { for purpose, name in local.replica_names : "${purpose}-copy" => name },
  )

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:${local.partition}:s3:::${each.value}", "arn:${local.partition}:s3:::${each.value}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "OnlyOverTls12OrLater"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:${local.partition}:s3:::${each.value}", "arn:${local.partition}:s3:::${each.value}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  source_policy_documents = [data.aws_iam_policy_document.only_tls[each.key].json]

  # Whoever names another algorithm or key at upload would hide the object from the platform, or leave it readable
  # to a key that is not ours. Without a name the bucket's own key is used.
  statement {
    sid       = "OnlyWithKms"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.data[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "s3:x-amz-server-side-encryption"
      values   = ["aws:kms"]
    }

    # What is not named is not equal either, and must pass.
    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption"
      values   = ["false"]
    }
  }

  statement {
    sid       = "OnlyWithTheBucketsKey"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.data[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
      values   = [aws_kms_key.main[each.key == "trail" ? "logs" : "data"].arn]
    }

    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
      values   = ["false"]
    }
  }

  # An entry of the audit trail is made where none is, and never written over, whoever asks.
  dynamic "statement" {
    for_each = each.key == "audit" ? [1] : []

    content {
      sid       = "EntriesAreOnlyAdded"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.data[each.key].arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "Null"
        variable = "s3:if-none-match"
        values   = ["true"]
      }
    }
  }

  # Without its tombstone, an erased transaction that is landed again would come back.
  dynamic "statement" {
    for_each = each.key == "storage" ? [1] : []

    content {
      sid       = "TombstonesStay"
      effect    = "Deny"
      actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
      resources = ["${aws_s3_bucket.data[each.key].arn}/${local.tombstone_prefix}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "landing" && length(var.landing_writer_arns) > 0 ? [1] : []

    content {
      sid       = "UpstreamDelivers"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.data[each.key].arn}/landing/transactions/*", "${aws_s3_bucket.data[each.key].arn}/landing/labels/*"]

      principals {
        type        = "AWS"
        identifiers = var.landing_writer_arns
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "trail" ? [1] : []

    content {
      sid       = "TrailAsksWhoseBucketItIs"
      actions   = ["s3:GetBucketAcl"]
      resources = [aws_s3_bucket.data[each.key].arn]

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
    for_each = each.key == "trail" ? [1] : []

    content {
      sid       = "TrailWrites"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.data[each.key].arn}/AWSLogs/${var.account_id}/*"]

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
}

resource "aws_s3_bucket_policy" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id
  policy = data.aws_iam_policy_document.access_logs_bucket.json

  depends_on = [aws_s3_bucket_public_access_block.access_logs]
}

data "aws_iam_policy_document" "access_logs_bucket" {
  source_policy_documents = [data.aws_iam_policy_document.only_tls["access-logs"].json]

  # The path names the account: a load balancer of another one writes elsewhere.
  statement {
    sid       = "LoadBalancerWrites"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.access_logs.arn}/AWSLogs/${var.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
}
