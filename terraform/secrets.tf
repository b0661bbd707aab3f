# The passwords of the two databases' owners and the keys that sign, made by AWS and written without passing through the
# state; and where alerts go, which people put in.

locals {
  # Database, owner and secret of each have the same name; deploy/ knows them by it.
  databases = toset(["dagster", "mlflow"])

  # What each key signs, with the number of its value. Files of deploy/secrets, as model_key and audit_key.
  signing_keys = { model = var.model_key_version, audit = var.audit_key_version }

  # Files of deploy/secrets, by their names there.
  channels = toset(["alert_urls", "alertmanager_chat_url", "alertmanager_mail_login", "alertmanager_pager_key"])
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

ephemeral "aws_secretsmanager_random_password" "signing" {
  for_each = local.signing_keys

  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "signing" {
  #checkov:skip=CKV2_AWS_57:what was signed with it must be signed again, or begin anew; README.md, "Keys that sign", says how
  for_each = local.signing_keys

  name        = "${local.name}/signing/${each.key}_key"
  description = "Key that signs: ${each.key}_key of deploy/secrets"
  kms_key_id  = aws_kms_key.main["secrets"].arn
}

resource "aws_secretsmanager_secret_version" "signing" {
  for_each = local.signing_keys

  secret_id                = aws_secretsmanager_secret.signing[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.signing[each.key].random_password
  secret_string_wo_version = each.value
}

# Without a value, which would stand in the state: README.md, "Alerts", says how one is put in. A new host finds it here.
resource "aws_secretsmanager_secret" "channel" {
  #checkov:skip=CKV2_AWS_57:what a chat, a mail server or a pager has given out is renewed there, and put in by a person
  for_each = local.channels

  name        = "${local.name}/alerts/${each.key}"
  description = "Where alerts go: ${each.key} of deploy/secrets"
  kms_key_id  = aws_kms_key.main["secrets"].arn
}
