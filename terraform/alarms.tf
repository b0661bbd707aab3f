# What the stack's own alerts cannot tell, because they run on the host: that the host, the database or the pages are gone.

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.main["logs"].id
}

resource "aws_sns_topic_subscription" "alarms" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  alarms = {
    host-is-unwell = {
      namespace  = "AWS/EC2", metric = "StatusCheckFailed", statistic = "Maximum", operator = "GreaterThanThreshold", limit = 0
      dimensions = { InstanceId = aws_instance.host.id }
      # A host that is gone reports nothing.
      silence = "breaching"
    }
    database-disk-is-full = {
      # 5 GiB: PostgreSQL stops at none, and the disk grows by itself only down to max_storage_gib.
      namespace  = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Minimum", operator = "LessThanThreshold", limit = 5 * pow(1024, 3)
      dimensions = { DBInstanceIdentifier = aws_db_instance.platform.identifier }
      silence    = "breaching"
    }
    page-is-down-dagster = {
      namespace  = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum", operator = "GreaterThanThreshold", limit = 0
      dimensions = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = aws_lb_target_group.page["dagster"].arn_suffix }
      silence    = "breaching"
    }
    page-is-down-mlflow = {
      namespace  = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum", operator = "GreaterThanThreshold", limit = 0
      dimensions = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = aws_lb_target_group.page["mlflow"].arn_suffix }
      silence    = "breaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "See terraform/README.md, \"When an alarm comes\""
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.limit
  dimensions          = each.value.dimensions
  treat_missing_data  = each.value.silence

  # Ten minutes: a host that is replaced by a release is back before that.
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 10

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
