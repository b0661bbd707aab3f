# Runs are tasks: the daemon starts, watches and ends them, the webserver ends them when somebody says so.

resource "aws_iam_role_policy" "runs" {
  for_each = toset(["daemon", "webserver"])

  name   = "runs"
  role   = aws_iam_role.service[each.key].id
  policy = data.aws_iam_policy_document.runs[each.key].json
}

data "aws_iam_policy_document" "runs" {
  for_each = toset(["daemon", "webserver"])

  # This action knows no resources; it shows names and settings, no secret.
  statement {
    sid       = "KnowTheTaskDefinition"
    actions   = ["ecs:DescribeTaskDefinition"]
    resources = ["*"]
  }

  statement {
    sid       = "WatchAndEnd"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = ["arn:${local.partition}:ecs:${var.region}:${var.account_id}:task/${aws_ecs_cluster.main.name}/*"]
  }

  dynamic "statement" {
    for_each = each.key == "daemon" ? [1] : []

    content {
      sid       = "Start"
      actions   = ["ecs:RunTask"]
      resources = ["arn:${local.partition}:ecs:${var.region}:${var.account_id}:task-definition/${local.task_families["run"]}:*"]

      condition {
        test     = "ArnEquals"
        variable = "ecs:cluster"
        values   = [aws_ecs_cluster.main.arn]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "daemon" ? [1] : []

    content {
      sid       = "NameWhatIsStarted"
      actions   = ["ecs:TagResource"]
      resources = ["arn:${local.partition}:ecs:${var.region}:${var.account_id}:task/${aws_ecs_cluster.main.name}/*"]

      condition {
        test     = "StringEquals"
        variable = "ecs:CreateAction"
        values   = ["RunTask"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "daemon" ? [1] : []

    content {
      sid       = "HandOverTheRunsRoles"
      actions   = ["iam:PassRole"]
      resources = [aws_iam_role.service["run"].arn, aws_iam_role.execution.arn]

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["ecs-tasks.amazonaws.com"]
      }
    }
  }

  # What a task that failed has printed goes into the run's history.
  dynamic "statement" {
    for_each = each.key == "daemon" ? [1] : []

    content {
      sid       = "ReadWhatFailed"
      actions   = ["logs:GetLogEvents"]
      resources = ["${aws_cloudwatch_log_group.platform["tasks"].arn}:log-stream:*"]
    }
  }
}
