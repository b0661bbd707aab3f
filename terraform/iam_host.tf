# The EC2 host: fetches the release and its secrets, hands out the services' roles, and can be reached through Session
# Manager. It reads no data itself.

resource "aws_iam_role" "host" {
  name               = "${local.name}-host"
  description        = "The EC2 host of ${local.name}"
  assume_role_policy = data.aws_iam_policy_document.ec2_assumes.json
}

resource "aws_iam_instance_profile" "host" {
  name = aws_iam_role.host.name
  role = aws_iam_role.host.name
}

data "aws_iam_policy_document" "ec2_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "host" {
  name   = "host"
  role   = aws_iam_role.host.id
  policy = data.aws_iam_policy_document.host.json
}

data "aws_iam_policy_document" "host" {
  #checkov:skip=CKV_AWS_356:the agent's messages know no resources; they end in this instance's own sessions
  #checkov:skip=CKV_AWS_111:see the line above
  statement {
    sid       = "HandOutTheServicesRoles"
    actions   = ["sts:AssumeRole"]
    resources = [for service in local.host_services : "arn:${local.partition}:iam::${var.account_id}:role/${local.name}-${service}"]
  }

  statement {
    sid       = "FetchTheRelease"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.data["releases"].arn}/*"]
  }

  statement {
    sid       = "DecryptTheRelease"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main["data"].arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = [aws_s3_bucket.data["releases"].arn]
    }
  }

  statement {
    sid       = "PullTheImage"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [aws_ecr_repository.platform.arn]
  }

  statement {
    sid       = "ReadTheDatabasesPasswords"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = concat([for secret in aws_secretsmanager_secret.database : secret.arn], [local.database_administrator_secret_arn])
  }

  statement {
    sid       = "ReadTheKeysThatSign"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for secret in aws_secretsmanager_secret.signing : secret.arn]
  }

  statement {
    sid       = "ReadWhereAlertsGo"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for secret in aws_secretsmanager_secret.channel : secret.arn]
  }

  statement {
    sid       = "DecryptTheSecrets"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main["secrets"].arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "KeepWhatContainersPrint"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.platform["services"].arn}:log-stream:*"]
  }

  statement {
    sid = "LetPeopleInThroughSessionManager"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  # This action knows no resources.
  statement {
    sid       = "LogInToTheRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
}
