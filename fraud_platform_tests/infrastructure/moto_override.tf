# What moto cannot do yet. Terraform reads this beside the configuration, and everything else is applied as it is. What is
# ignored here is still sent when it is made; moto forgets it, so that it would look changed in the next plan.

resource "aws_instance" "host" {
  # MonitorInstances is not implemented.
  monitoring = false

  lifecycle {
    ignore_changes = [ami, maintenance_options]
  }
}

resource "aws_db_instance" "platform" {
  lifecycle {
    ignore_changes = [performance_insights_enabled, performance_insights_kms_key_id, performance_insights_retention_period]
  }
}

resource "aws_db_parameter_group" "platform" {
  lifecycle {
    # Parameters are given back without the word that a user has set them.
    ignore_changes = [parameter]
  }
}

resource "aws_s3_bucket_replication_configuration" "data" {
  lifecycle {
    # The copying of deletions and of what is encrypted with KMS.
    ignore_changes = [rule]
  }
}

# The descriptions of rules that name another security group.

resource "aws_vpc_security_group_ingress_rule" "pages" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_ingress_rule" "tracking" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_to_pages" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_egress_rule" "runs_to_tracking" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  lifecycle {
    ignore_changes = [description]
  }
}
