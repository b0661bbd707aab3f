# PostgreSQL for Dagster's history and MLflow's registry. The host makes the two databases when it starts.

locals {
  database_identifier = local.name
  database_port       = 5432

  # The passwords are elsewhere: in files on the host, and in PGPASSWORD of a task.
  database_urls = {
    for name in local.databases :
    name => "postgresql://${name}@${aws_db_instance.platform.address}:${local.database_port}/${name}?sslmode=require"
  }

  database_administrator_secret_arn = aws_db_instance.platform.master_user_secret[0].secret_arn
}

resource "aws_db_subnet_group" "platform" {
  name       = local.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_db_parameter_group" "platform" {
  name   = "${local.name}-postgres${split(".", var.database.engine_version)[0]}"
  family = "postgres${split(".", var.database.engine_version)[0]}"

  # Connections without TLS are refused.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Who changed the schema, and what took longer than five seconds. Statements with data are not logged.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "5000"
  }

  # A duration would otherwise bring the values of its statement along.
  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "platform" {
  #checkov:skip=CKV_AWS_133:backups are kept for var.database.backup_days, which are 7 at least
  #checkov:skip=CKV_AWS_157:var.database.multi_az is true by default; a test environment may save it
  #checkov:skip=CKV_AWS_161:Dagster and MLflow log in with passwords; IAM tokens expire after 15 minutes
  identifier     = local.database_identifier
  engine         = "postgres"
  engine_version = var.database.engine_version
  instance_class = var.database.instance_class

  allocated_storage     = var.database.storage_gib
  max_allocated_storage = var.database.max_storage_gib
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.main["secrets"].arn

  # RDS makes, keeps and rotates the administrator's password; only the host reads it, to make the databases.
  username                      = "administrator"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.main["secrets"].arn

  multi_az               = var.database.multi_az
  db_subnet_group_name   = aws_db_subnet_group.platform.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  port                   = local.database_port

  parameter_group_name        = aws_db_parameter_group.platform.name
  ca_cert_identifier          = "rds-ca-rsa2048-g1"
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  apply_immediately           = false

  # Before the nightly schedule at 02:00 UTC, and the week's maintenance after it.
  backup_window           = "00:30-01:00"
  maintenance_window      = "sun:05:00-sun:06:00"
  backup_retention_period = var.database.backup_days
  copy_tags_to_snapshot   = true

  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = aws_kms_key.main["secrets"].arn
  performance_insights_retention_period = 7

  deletion_protection       = var.deletion_protection
  delete_automated_backups  = false
  skip_final_snapshot       = false
  final_snapshot_identifier = "${local.database_identifier}-last"

  # RDS would make the log groups itself, for ever and unencrypted.
  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    prevent_destroy = true
  }
}
