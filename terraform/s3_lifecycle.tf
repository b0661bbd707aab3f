# How long objects stay: var.retention_days for what is current, var.noncurrent_days for what was overwritten.

locals {
  # Storage is tidied by the platform's own retention job, whose periods differ by asset and which leaves tombstones where
  # they are. The audit trail stays; a model must be loadable as long as its decisions are kept, and a release as long as
  # somebody may go back to it: they stay until somebody deletes them (null).
  retention = {
    landing     = var.retention_days.landing
    storage     = null
    audit       = null
    mlflow      = null
    releases    = null
    trail       = var.retention_days.trail
    access-logs = var.retention_days.access_logs
  }

  # Where old objects go before they expire. Training reads half a year back, so its data moves to the class that
  # asks nothing for reading; the trail is read only by auditors.
  cheaper_storage = {
    landing = { after_days = 30, storage_class = "INTELLIGENT_TIERING" }
    storage = { after_days = 30, storage_class = "INTELLIGENT_TIERING" }
    trail   = { after_days = 90, storage_class = "GLACIER_IR" }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "data" {
  for_each = local.buckets

  bucket = aws_s3_bucket.data[each.key].id

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    dynamic "expiration" {
      for_each = local.retention[each.key] == null ? [] : [local.retention[each.key]]

      content {
        days = expiration.value
      }
    }

    dynamic "transition" {
      for_each = contains(keys(local.cheaper_storage), each.key) ? [local.cheaper_storage[each.key]] : []

      content {
        days          = transition.value.after_days
        storage_class = transition.value.storage_class
      }
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # What runs printed stands beside the assets and goes earlier than they.
  dynamic "rule" {
    for_each = each.key == "storage" ? [var.retention_days.compute_logs] : []

    content {
      id     = "compute-logs"
      status = "Enabled"

      filter {
        prefix = "${local.compute_log_prefix}/"
      }

      expiration {
        days = rule.value
      }

      abort_incomplete_multipart_upload {
        days_after_initiation = 7
      }
    }
  }

  # A versioned bucket must be one before its old versions can expire.
  depends_on = [aws_s3_bucket_versioning.data]
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    expiration {
      days = local.retention["access-logs"]
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.access_logs]
}
