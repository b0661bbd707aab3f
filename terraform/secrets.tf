# The passwords of the two databases' owners. They are made by AWS and written without passing through the state.

locals {
  # Database, owner and secret of each have the same name; deploy/ knows them by it.
  databases = toset(["dagster", "mlflow"])
}

ephemeral "aws_secretsmanager_random_password" "database" {
  for_each = local.databases

  password_length = 40
  # It stands in connection URLs and environment variables.
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "database" {
  #checkov:skip=CKV2_AWS_57:rotation needs a change in PostgreSQL at the same moment; README.md, "Passwords", says how
  for_each = local.databases

  name        = "${local.name}/database/${each.key}"
  description = "Password of the PostgreSQL role ${each.key}"
  kms_key_id  = aws_kms_key.main["secrets"].arn
}

resource "aws_secretsmanager_secret_version" "database" {
  for_each = local.databases

  secret_id        = aws_secretsmanager_secret.database[each.key].id
  secret_string_wo = ephemeral.aws_secretsmanager_random_password.database[each.key].random_password
  # A new number writes a new password.
  secret_string_wo_version = var.database_password_version
}
