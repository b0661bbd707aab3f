# The host that runs the compose stack. It keeps nothing of value on its system disk, and a new release replaces it.

data "aws_ssm_parameter" "ubuntu" {
  count = var.ami_id == null ? 1 : 0

  # Canonical's current image of the release that has support until 2029.
  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/${var.cpu_architecture == "ARM64" ? "arm64" : "amd64"}/hvm/ebs-gp3/ami-id"
}

locals {
  # What host/fraud_platform_host.py is told. It holds no secret, only where secrets are.
  host_configuration = {
    region                = var.region
    release               = var.image_tag
    image                 = local.image
    releases_bucket       = aws_s3_bucket.data["releases"].id
    role_arns             = { for service in local.host_services : service => aws_iam_role.service[service].arn }
    secret_arns           = { for name in local.databases : name => aws_secretsmanager_secret.database[name].arn }
    signing_key_arns      = { for name in keys(local.signing_keys) : name => aws_secretsmanager_secret.signing[name].arn }
    channel_arns          = { for name in local.channels : name => aws_secretsmanager_secret.channel[name].arn }
    administrator_secret  = local.database_administrator_secret_arn
    database_address      = aws_db_instance.platform.address
    database_port         = local.database_port
    database_urls         = local.database_urls
    artifacts_destination = local.artifacts_url
    environment           = local.environment
    host_address          = local.host_address
    domain_name           = var.domain_name
    runbooks              = "https://github.com/${var.github_repository}/blob/HEAD/docs/runbooks"
    page_ports            = { for page, served in local.pages : page => served.port }
    log_group             = aws_cloudwatch_log_group.platform["services"].name
    run_launcher          = local.run_launcher
  }

  # Dagster's instance on the host starts runs here. Runs get their settings from the task definition.
  run_launcher = {
    module = "dagster_aws.ecs"
    class  = "EcsRunLauncher"
    config = {
      # By name, which means the newest: with a number, which is not known before it is made, no plan could say that a
      # release replaces the host.
      task_definition             = local.task_families["run"]
      container_name              = "run"
      use_current_ecs_task_config = false
      # Without a tag the launcher asks for no secrets; the task definition names those it needs.
      secrets_tag = null
      run_task_kwargs = {
        cluster       = aws_ecs_cluster.main.arn
        launchType    = "FARGATE"
        propagateTags = "TASK_DEFINITION"
        networkConfiguration = {
          awsvpcConfiguration = {
            subnets        = [for zone in local.zones : aws_subnet.private[zone].id]
            securityGroups = [aws_security_group.runs.id]
            assignPublicIp = "DISABLED"
          }
        }
      }
    }
  }

  cloud_config = templatefile("${path.module}/host/cloud-config.yaml.tftpl", {
    configuration = base64encode(jsonencode(local.host_configuration))
    program       = base64gzip(file("${path.module}/host/fraud_platform_host.py"))
    data_volume   = aws_ebs_volume.data.id
  })
}

# The address outlives the host, too.
resource "aws_network_interface" "host" {
  subnet_id       = aws_subnet.private[local.host_zone].id
  private_ips     = [local.host_address]
  security_groups = [aws_security_group.host.id]

  tags = { Name = "${local.name}-host" }
}

resource "aws_instance" "host" {
  ami                  = var.ami_id == null ? nonsensitive(data.aws_ssm_parameter.ubuntu[0].value) : var.ami_id
  instance_type        = var.instance_type
  iam_instance_profile = aws_iam_instance_profile.host.name

  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.host.id
  }

  user_data_base64            = base64gzip(local.cloud_config)
  user_data_replace_on_change = true

  ebs_optimized = true
  monitoring    = true

  # Version 2 of the metadata service, and one hop: the host itself, none of its containers. What they may do, they
  # are handed.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.host_disk_gib.system
    encrypted   = true
    kms_key_id  = aws_kms_key.main["secrets"].arn
  }

  maintenance_options {
    auto_recovery = "default"
  }

  tags = { Name = "${local.name}-host" }

  # The daemon looks for the newest task definition when it starts.
  depends_on = [aws_ecs_task_definition.platform]

  lifecycle {
    # A newer image of the same Ubuntu is taken at the next release, not by the next unrelated apply.
    ignore_changes = [ami]
  }
}

# What the stack's named volumes hold (metrics, dashboards) outlives the host.
resource "aws_ebs_volume" "data" {
  availability_zone = local.host_zone
  type              = "gp3"
  size              = var.host_disk_gib.data
  encrypted         = true
  kms_key_id        = aws_kms_key.main["secrets"].arn

  tags = { Name = "${local.name}-data" }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.host.id
  # Databases on it must have closed their files.
  stop_instance_before_detaching = true
}
