# The buckets, how they encrypt, keep versions and stay private. Policies, retention and copies have files of their own.

locals {
  # Buckets of data, encrypted with the data key (the trail with the key of the logs). A replicated one has a second
  # copy in another region: what could not be made again.
  buckets = {
    landing  = { is_replicated = true }  # FRAUD_LANDING: what upstream systems delivered
    storage  = { is_replicated = true }  # FRAUD_STORAGE: every asset of every day, and what Dagster's runs printed
    audit    = { is_replicated = true }  # FRAUD_AUDIT: the platform's own audit trail, to which can only be added
    mlflow   = { is_replicated = true }  # MLflow's artifacts: models and their cards
    releases = { is_replicated = false } # the compose stack of each release
    trail    = { is_replicated = true }  # who did what on AWS, from CloudTrail
  }
  replicated_buckets = toset([for purpose, bucket in local.buckets : purpose if bucket.is_replicated])

  # Names are global; the account makes them unique and tells at once whose they are.
  bucket_names  = { for purpose in concat(keys(local.buckets), ["access-logs"]) : purpose => "${local.name}-${purpose}-${var.account_id}" }
  replica_names = { for purpose in local.replicated_buckets : purpose => "${local.name}-${purpose}-copy-${var.account_id}" }
}

resource "aws_s3_bucket" "data" {
  #checkov:skip=CKV_AWS_18:CloudTrail records every read and write of an object, with the caller's identity, see cloudtrail.tf
  #checkov:skip=CKV_AWS_144:what could be made again has no second copy, see local.buckets
  #checkov:skip=CKV2_AWS_62:nothing waits for an event; landing_sensor lists the landing zone
  for_each = local.buckets

  bucket = local.bucket_names[each.key]

  tags = { Name = local.bucket_names[each.key] }

  # force_destroy stays off as well: a bucket that holds objects cannot be deleted.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "data" {
  for_each = local.buckets

  bucket = aws_s3_bucket.data[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "data" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.data[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "data" {
  for_each = local.buckets

  bucket = aws_s3_bucket.data[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  for_each = local.buckets

  bucket = aws_s3_bucket.data[each.key].id

  rule {
    # One call to KMS for many objects instead of one for each.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.main[each.key == "trail" ? "logs" : "data"].arn
    }
  }
}

# The load balancer's access log. It can be written to no bucket that encrypts with KMS, so this one alone uses keys
# that S3 manages; it holds addresses and paths, no transactions.
resource "aws_s3_bucket" "access_logs" {
  #checkov:skip=CKV_AWS_18:a log of who reads the log would fill itself
  #checkov:skip=CKV_AWS_144:a year of access logs needs no second copy
  #checkov:skip=CKV_AWS_145:load balancers cannot write to a bucket that encrypts with KMS
  #checkov:skip=CKV2_AWS_62:nothing waits for an event
  bucket = local.bucket_names["access-logs"]

  tags = { Name = local.bucket_names["access-logs"] }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  bucket                  = aws_s3_bucket.access_logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}
