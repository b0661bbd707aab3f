# Who did what: every management event of the account, and every read and write of an object in the data buckets.

locals {
  trail_name = local.name
  trail_arn  = "arn:${local.partition}:cloudtrail:${var.region}:${var.account_id}:trail/${local.trail_name}"

  # The trail's own bucket is left out: each delivery would be an event that is delivered.
  watched_buckets = concat(
    [for purpose, name in local.bucket_names : name if !contains(["trail", "access-logs"], purpose)],
    [for purpose, name in local.replica_names : name if purpose != "trail"],
  )
}

resource "aws_cloudtrail" "main" {
  #checkov:skip=CKV_AWS_252:nobody waits for each delivery; alarms.tf tells people what needs them
  name           = local.trail_name
  s3_bucket_name = aws_s3_bucket.data["trail"].id
  kms_key_id     = aws_kms_key.main["logs"].arn

  is_multi_region_trail         = true
  include_global_service_events = true
  # A digest an hour, signed by AWS: a log file that was changed or removed is found out.
  enable_log_file_validation = true

  cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.platform["trail"].arn}:*"
  cloud_watch_logs_role_arn  = aws_iam_role.trail.arn

  advanced_event_selector {
    name = "Management events"

    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  advanced_event_selector {
    name = "Reads and writes of data"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }

    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }

    field_selector {
      field       = "resources.ARN"
      starts_with = [for name in sort(local.watched_buckets) : "arn:${local.partition}:s3:::${name}/"]
    }
  }

  depends_on = [aws_s3_bucket_policy.data, aws_iam_role_policy.trail]
}
