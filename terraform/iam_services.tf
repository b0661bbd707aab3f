# What each service of the platform may do on AWS, and nothing else. One role per service; local.data_access is the
# table of who reads and writes which part of which bucket.

locals {
  # Everything that the platform reads by itself.
  own_data = [
    { bucket = "landing", prefix = local.landing_prefix },
    { bucket = "storage", prefix = local.storage_prefix },
    { bucket = "audit", prefix = local.audit_prefix },
  ]

  data_access = {
    # Shows what runs printed.
    webserver = {
      read = [{ bucket = "storage", prefix = local.compute_log_prefix }], write = [], delete = []
    }
    # Starts runs; it touches no data.
    daemon = { read = [], write = [], delete = [] }
    # Evaluates sensors and schedules: looks at what landed and at what is stored, tells people what the audit trail says,
    # and keeps what sensors print. The orders of the host are given here: `production.sh promote` writes the trail,
    # `doctor` a probe to each place, which it removes.
    code-location = {
      read = local.own_data
      write = [
        { bucket = "landing", prefix = "${local.landing_prefix}/.doctor-" },
        { bucket = "storage", prefix = "${local.storage_prefix}/.doctor-" },
        { bucket = "storage", prefix = local.compute_log_prefix },
        { bucket = "audit", prefix = local.audit_prefix },
      ]
      delete = [
        { bucket = "landing", prefix = "${local.landing_prefix}/.doctor-" },
        { bucket = "storage", prefix = "${local.storage_prefix}/.doctor-" },
        { bucket = "audit", prefix = "${local.audit_prefix}/.doctor-" },
      ]
    }
    # Does the work, the job `retention` included, which deletes from storage. Nobody but upstream systems writes to the
    # landing zone.
    run = {
      read = local.own_data
      write = [
        { bucket = "storage", prefix = local.storage_prefix },
        { bucket = "audit", prefix = local.audit_prefix },
      ]
      delete = [{ bucket = "storage", prefix = local.storage_prefix }]
    }
    # Commands by hand, `fraud-platform doctor`, `erase` and others. `doctor` also writes a probe to each place, and
    # removes it.
    command = {
      read = local.own_data
      write = [
        { bucket = "landing", prefix = "${local.landing_prefix}/.doctor-" },
        { bucket = "storage", prefix = local.storage_prefix },
        { bucket = "audit", prefix = local.audit_prefix },
      ]
      delete = [
        { bucket = "landing", prefix = "${local.landing_prefix}/.doctor-" },
        { bucket = "storage", prefix = local.storage_prefix },
        { bucket = "audit", prefix = "${local.audit_prefix}/.doctor-" },
      ]
    }
    # Keeps models for everybody, who reach them only through it.
    mlflow = {
      read   = [{ bucket = "mlflow", prefix = local.artifact_prefix }]
      write  = [{ bucket = "mlflow", prefix = local.artifact_prefix }]
      delete = [{ bucket = "mlflow", prefix = local.artifact_prefix }]
    }
    # Turns stored reports into metrics.
    exporter = {
      read = [{ bucket = "storage", prefix = local.storage_prefix }], write = [], delete = []
    }
  }

  # Which services are containers of the host, and which are tasks on ECS.
  host_services = toset(["webserver", "daemon", "code-location", "mlflow", "exporter"])
  task_services = toset(["run", "command"])

  # Prefixes as patterns: a folder with everything below it, or the beginning of a name.
  object_patterns = {
    for service, access in local.data_access : service => {
      for verb, places in access : verb => [
        for place in places :
        "arn:${local.partition}:s3:::${local.bucket_names[place.bucket]}/${place.prefix}${endswith(place.prefix, "-") ? "*" : "/*"}"
      ]
    }
  }
  listed_places = {
    for service, access in local.data_access : service => {
      for place in access.read : "${place.bucket}/${place.prefix}" => place
    }
  }
  touched_buckets = {
    for service, access in local.data_access : service => {
      read  = distinct([for place in access.read : "arn:${local.partition}:s3:::${local.bucket_names[place.bucket]}"])
      write = distinct([for place in access.write : "arn:${local.partition}:s3:::${local.bucket_names[place.bucket]}"])
    }
  }
}

resource "aws_iam_role" "service" {
  for_each = local.data_access

  name               = "${local.name}-${each.key}"
  description        = "What the ${each.key} of ${local.name} may do"
  assume_role_policy = contains(local.task_services, each.key) ? data.aws_iam_policy_document.tasks_assume.json : data.aws_iam_policy_document.host_assumes.json
}

# The host hands each container the credentials of its own role, see host/fraud_platform_host.py.
data "aws_iam_policy_document" "host_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.host.arn]
    }
  }
}

data "aws_iam_policy_document" "tasks_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Tasks of another account or region must not be able to borrow the role through ECS.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${var.region}:${var.account_id}:*"]
    }
  }
}

resource "aws_iam_role_policy" "service" {
  # The daemon has no data and so no statement here.
  for_each = { for service, access in local.data_access : service => access if length(access.read) > 0 }

  name   = "data"
  role   = aws_iam_role.service[each.key].id
  policy = data.aws_iam_policy_document.service[each.key].json
}

data "aws_iam_policy_document" "service" {
  for_each = local.data_access

  dynamic "statement" {
    for_each = local.listed_places[each.key]

    content {
      sid       = "List${replace(title(replace(statement.key, "/[^a-z]/", " ")), " ", "")}"
      actions   = ["s3:ListBucket"]
      resources = ["arn:${local.partition}:s3:::${local.bucket_names[statement.value.bucket]}"]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        # Looking for the newest entry of the audit trail begins at the top of its bucket, where nothing else is.
        values = concat([statement.value.prefix, "${statement.value.prefix}/*"], statement.value.bucket == "audit" ? [""] : [])
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.object_patterns[each.key].read) > 0 ? [1] : []

    content {
      sid       = "Read"
      actions   = ["s3:GetObject"]
      resources = local.object_patterns[each.key].read
    }
  }

  dynamic "statement" {
    for_each = length(local.object_patterns[each.key].write) > 0 ? [1] : []

    content {
      sid       = "Write"
      actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
      resources = local.object_patterns[each.key].write
    }
  }

  dynamic "statement" {
    for_each = length(local.object_patterns[each.key].delete) > 0 ? [1] : []

    content {
      sid       = "Delete"
      actions   = ["s3:DeleteObject"]
      resources = local.object_patterns[each.key].delete
    }
  }

  # Only through S3, and only for these buckets: with bucket keys, the encryption context is the bucket.
  dynamic "statement" {
    for_each = { for action, buckets in {
      "kms:Decrypt"         = setunion(local.touched_buckets[each.key].read, local.touched_buckets[each.key].write)
      "kms:GenerateDataKey" = toset(local.touched_buckets[each.key].write)
    } : action => buckets if length(buckets) > 0 }

    content {
      sid       = replace(title(replace(statement.key, ":", " ")), " ", "")
      actions   = [statement.key]
      resources = [aws_kms_key.main["data"].arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${var.region}.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:aws:s3:arn"
        values   = statement.value
      }
    }
  }
}
