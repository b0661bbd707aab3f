# The workflow on GitHub: it publishes a release (pushes the image and uploads the bundle, both under a new name), and gives
# the orders of ssm.tf. Rolling a release out is a `terraform apply` that a person has read.

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_oidc_provider_arn == null ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "deploy" {
  name                 = "${local.name}-deploy"
  description          = "Publishes releases of ${local.name} from ${var.github_repository}"
  assume_role_policy   = data.aws_iam_policy_document.github_assumes.json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "github_assumes" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.github_oidc_provider_arn == null ? aws_iam_openid_connect_provider.github[0].arn : var.github_oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    # One repository, and only in the environment whose reviewers have agreed; a fork or a pull request is neither.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.github_repository}:environment:${var.github_environment}"]
    }
  }
}

resource "aws_iam_role_policy" "deploy" {
  name   = "publish"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.deploy.json
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid = "PushTheImage"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [aws_ecr_repository.platform.arn]
  }

  statement {
    sid       = "UploadTheBundle"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.data["releases"].arn}/*"]
  }

  statement {
    sid       = "EncryptTheBundle"
    actions   = ["kms:GenerateDataKey"]
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
    sid       = "GiveTheOrdersOfTheDocument"
    actions   = ["ssm:SendCommand"]
    resources = [aws_ssm_document.production.arn]
  }

  # The host changes with each release; its name does not.
  statement {
    sid       = "GiveOrdersToTheHost"
    actions   = ["ssm:SendCommand"]
    resources = ["arn:${local.partition}:ec2:${var.region}:${var.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "ssm:resourceTag/Name"
      values   = ["${local.name}-host"]
    }
  }

  # These two actions know no resources.
  statement {
    sid       = "SeeWhatBecameOfThem"
    actions   = ["ssm:ListCommandInvocations"]
    resources = ["*"]
  }

  statement {
    sid       = "LogInToTheRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
}
