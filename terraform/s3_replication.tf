# The second copy of what could not be made again, in another region under another key, with the same retention.

resource "aws_s3_bucket" "copy" {
  #checkov:skip=CKV_AWS_18:CloudTrail records every read and write of an object, see cloudtrail.tf
  #checkov:skip=CKV2_AWS_62:nothing waits for an event
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket = local.replica_names[each.key]

  tags = { Name = local.replica_names[each.key] }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "copy" {
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket = aws_s3_bucket.copy[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "copy" {
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket                  = aws_s3_bucket.copy[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "copy" {
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket = aws_s3_bucket.copy[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "copy" {
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket = aws_s3_bucket.copy[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.replica.arn
    }
  }
}

resource "aws_s3_bucket_policy" "copy" {
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket = aws_s3_bucket.copy[each.key].id
  policy = data.aws_iam_policy_document.only_tls["${each.key}-copy"].json

  depends_on = [aws_s3_bucket_public_access_block.copy]
}

resource "aws_s3_bucket_lifecycle_configuration" "copy" {
  for_each = local.replicated_buckets
  provider = aws.replica

  bucket = aws_s3_bucket.copy[each.key].id

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

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.copy]
}

resource "aws_s3_bucket_replication_configuration" "data" {
  for_each = local.replicated_buckets

  bucket = aws_s3_bucket.data[each.key].id
  role   = aws_iam_role.replication.arn

  rule {
    id       = "everything"
    status   = "Enabled"
    priority = 0

    filter {}

    # What is deleted here, by erasure or by retention, must not live on there.
    delete_marker_replication {
      status = "Enabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = aws_s3_bucket.copy[each.key].arn
      storage_class = "STANDARD_IA"

      encryption_configuration {
        replica_kms_key_id = aws_kms_key.replica.arn
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.data, aws_s3_bucket_versioning.copy]
}
