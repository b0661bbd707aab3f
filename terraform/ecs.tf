# Where Dagster's runs happen: the cluster, and one task definition for each thing the platform's image does there.

resource "aws_ecs_cluster" "main" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

locals {
  # EcsRunLauncher says at each start what `run` executes; alone, it explains itself. `command` is for
  # `fraud-platform ...` by hand, see README.md.
  task_commands = {
    run     = ["dagster", "api", "execute_run", "--help"]
    command = ["fraud-platform", "doctor"]
  }

  task_families = { for task in keys(local.task_commands) : task => "${local.name}-${task}" }

  # The image's user, its home, and what it may write to; everything else is read-only.
  image_user       = "10001"
  image_home       = "/var/lib/fraud-platform"
  writable_folders = { home = local.image_home, scratch = "/tmp" }

  task_log_options = {
    awslogs-group         = aws_cloudwatch_log_group.platform["tasks"].name
    awslogs-region        = var.region
    awslogs-stream-prefix = "task"
  }

  mount_points = [for volume, folder in local.writable_folders : { sourceVolume = volume, containerPath = folder, readOnly = false }]
}

resource "aws_ecs_task_definition" "platform" {
  for_each = local.task_commands

  family                   = local.task_families[each.key]
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.run_size.cpu
  memory                   = var.run_size.memory_mib
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.service[each.key].arn

  # A run that is at work was started from an older revision, and may have to be started again.
  skip_destroy = true

  # With a new trail the revision is a new one; no task, and no host, begins it with the old key.
  depends_on = [aws_secretsmanager_secret_version.signing]

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  ephemeral_storage {
    size_in_gib = var.run_size.scratch_gib
  }

  dynamic "volume" {
    for_each = local.writable_folders

    content {
      name = volume.key
    }
  }

  container_definitions = jsonencode([
    {
      # Fargate hands out volumes that belong to root; the image's user could not write to them.
      name                   = "prepare"
      image                  = local.image
      essential              = false
      user                   = "0"
      readonlyRootFilesystem = true
      memoryReservation      = 64
      command                = concat(["chown", local.image_user], values(local.writable_folders))
      environment            = []
      mountPoints            = local.mount_points
      portMappings           = []
      systemControls         = []
      volumesFrom            = []
      logConfiguration       = { logDriver = "awslogs", options = local.task_log_options }
    },
    {
      name                   = each.key
      image                  = local.image
      essential              = true
      user                   = local.image_user
      readonlyRootFilesystem = true
      # What it begins with; it may take all that the task has.
      memoryReservation = 512
      # It stays where the launcher or a person says another command.
      entryPoint  = ["/opt/fraud-platform/deploy/with_keys.sh"]
      command     = each.value
      dependsOn   = [{ containerName = "prepare", condition = "SUCCESS" }]
      environment = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
      secrets = concat(
        # libpq reads it where the URL names no password.
        [{ name = "PGPASSWORD", valueFrom = aws_secretsmanager_secret.database["dagster"].arn }],
        # The entry point makes files of them.
        [for key in keys(local.signing_keys) : { name = "${upper(key)}_KEY", valueFrom = aws_secretsmanager_secret.signing[key].arn }],
      )
      mountPoints      = local.mount_points
      portMappings     = []
      systemControls   = []
      volumesFrom      = []
      stopTimeout      = 120
      logConfiguration = { logDriver = "awslogs", options = local.task_log_options }
    },
  ])
}
