# Who may talk to whom. Only the load balancer hears the world, and only on 443 (and on 80, to send it to 443).

resource "aws_security_group" "load_balancer" {
  name        = "${local.name}-load-balancer"
  description = "The login page"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-load-balancer" }
}

resource "aws_security_group" "host" {
  name        = "${local.name}-host"
  description = "The compose stack: Dagster, MLflow, Grafana"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-host" }
}

resource "aws_security_group" "runs" {
  #checkov:skip=CKV2_AWS_5:each task is given it when it starts, see local.run_launcher
  name        = "${local.name}-runs"
  description = "Dagster runs and commands on ECS"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-runs" }
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "PostgreSQL of Dagster and MLflow"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-database" }
}

resource "aws_security_group" "endpoints" {
  name        = "${local.name}-endpoints"
  description = "AWS services inside the VPC"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-endpoints" }
}

# In

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = var.allowed_cidrs

  security_group_id = aws_security_group.load_balancer.id
  description       = "people, who then log in"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  #checkov:skip=CKV_AWS_260:port 80 answers only with a redirect to 443
  for_each = var.allowed_cidrs

  security_group_id = aws_security_group.load_balancer.id
  description       = "redirected to 443"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_ingress_rule" "pages" {
  for_each = local.pages

  security_group_id            = aws_security_group.host.id
  description                  = "${each.key} pages, from the load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "tracking" {
  security_group_id            = aws_security_group.host.id
  description                  = "MLflow, from runs"
  referenced_security_group_id = aws_security_group.runs.id
  ip_protocol                  = "tcp"
  from_port                    = local.pages.mlflow.port
  to_port                      = local.pages.mlflow.port
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.clients

  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL, from the ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.clients

  security_group_id            = aws_security_group.endpoints.id
  description                  = "AWS services, from the ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

# Out. The database and the endpoints begin no conversation, so they have no rule at all.

locals {
  clients = {
    host = aws_security_group.host.id
    runs = aws_security_group.runs.id
  }
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_to_pages" {
  for_each = local.pages

  security_group_id            = aws_security_group.load_balancer.id
  description                  = "${each.key} pages"
  referenced_security_group_id = aws_security_group.host.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = {
    load-balancer = { group = aws_security_group.load_balancer.id, why = "the identity provider's endpoints" }
    host          = { group = aws_security_group.host.id, why = "AWS services, images, chat and mail services" }
    runs          = { group = aws_security_group.runs.id, why = "AWS services" }
  }

  security_group_id = each.value.group
  description       = each.value.why
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "ubuntu_packages" {
  security_group_id = aws_security_group.host.id
  description       = "Ubuntu's package archive, whose packages are signed"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "runs_to_tracking" {
  security_group_id            = aws_security_group.runs.id
  description                  = "MLflow"
  referenced_security_group_id = aws_security_group.host.id
  ip_protocol                  = "tcp"
  from_port                    = local.pages.mlflow.port
  to_port                      = local.pages.mlflow.port
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  for_each = local.clients

  security_group_id            = each.value
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
