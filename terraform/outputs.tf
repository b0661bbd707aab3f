# What people and workflows need to know of what was built.

output "pages" {
  description = "Where people log in; point these names at load_balancer_name"
  value       = { for page in keys(local.pages) : page => "https://${page}.${var.domain_name}" }
}

output "load_balancer_name" {
  description = "DNS name of the load balancer, for CNAME or alias records"
  value       = aws_lb.main.dns_name
}

output "buckets" {
  description = "Buckets by purpose"
  value       = merge({ for purpose, bucket in aws_s3_bucket.data : purpose => bucket.id }, { access-logs = aws_s3_bucket.access_logs.id })
}

output "bucket_copies" {
  description = "The second copies, in var.replica_region, by purpose"
  value       = { for purpose, bucket in aws_s3_bucket.copy : purpose => bucket.id }
}

output "environment" {
  description = "What every process of the platform is told"
  value       = local.environment
}

output "key_arns" {
  description = "KMS keys by purpose; upstream systems of another account need the data key"
  value       = merge({ for purpose, key in aws_kms_key.main : purpose => key.arn }, { replica = aws_kms_key.replica.arn })
}

output "role_arns" {
  description = "Roles of the services by name"
  value       = { for service, role in aws_iam_role.service : service => role.arn }
}

output "deploy_role_arn" {
  description = "Role that the release workflow on GitHub takes"
  value       = aws_iam_role.deploy.arn
}

output "repository_url" {
  description = "Where the release workflow pushes the image"
  value       = aws_ecr_repository.platform.repository_url
}

output "host_id" {
  description = "Instance of the host, for `aws ssm start-session --target`"
  value       = aws_instance.host.id
}

output "run_launcher" {
  description = "The block run_launcher of Dagster's instance"
  value       = local.run_launcher
}

output "command_task" {
  description = "What `aws ecs run-task` needs to run a fraud-platform command by hand"
  value = {
    cluster         = aws_ecs_cluster.main.name
    task_definition = local.task_families["command"]
    subnets         = [for zone in local.zones : aws_subnet.private[zone].id]
    security_group  = aws_security_group.runs.id
  }
}

output "database_address" {
  description = "PostgreSQL, reachable from the host and from tasks"
  value       = aws_db_instance.platform.address
}

output "orders_document" {
  description = "SSM document through which the workflow gives orders to the installation"
  value       = aws_ssm_document.production.name
}
