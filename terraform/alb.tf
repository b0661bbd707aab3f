# The door: TLS and a login with the bank's identity provider before every page, because Dagster and MLflow ask nobody.

resource "aws_lb" "main" {
  #checkov:skip=CKV2_AWS_28:no request reaches a page without a login, so there is nothing for a web application firewall to sort out
  name               = local.name
  load_balancer_type = "application"
  internal           = false
  subnets            = [for subnet in aws_subnet.public : subnet.id]
  security_groups    = [aws_security_group.load_balancer.id]

  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  # Dagster's pages keep a connection open and hear of news on it.
  idle_timeout = 300

  access_logs {
    bucket  = aws_s3_bucket.access_logs.id
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.access_logs]
}

resource "aws_lb_target_group" "page" {
  #checkov:skip=CKV_AWS_378:between load balancer and host the VPC's own network carries it; the two groups talk to nobody else
  for_each = local.pages

  # A prefix, of at most six characters: AWS adds to it, so that a successor can exist beside what it replaces.
  name_prefix = "${substr(each.key, 0, 5)}-"
  vpc_id      = aws_vpc.main.id
  target_type = "instance"
  protocol    = "HTTP"
  port        = each.value.port

  deregistration_delay = 30

  health_check {
    path    = each.value.health_path
    matcher = "200"
  }

  tags = { Name = "${local.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_target_group_attachment" "page" {
  for_each = local.pages

  target_group_arn = aws_lb_target_group.page[each.key].arn
  target_id        = aws_instance.host.id
  port             = each.value.port
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.main.arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = var.certificate_arn
  # TLS 1.2 with forward secrecy, and 1.3.
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  routing_http_response_strict_transport_security_header_value = "max-age=31536000"
  routing_http_response_x_content_type_options_header_value    = "nosniff"
  routing_http_response_x_frame_options_header_value           = "SAMEORIGIN"
  routing_http_response_server_enabled                         = false

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
      message_body = "no such page"
    }
  }
}

# A page elsewhere must not act with the login of whoever visits it: both servers take orders by plain requests.
resource "aws_lb_listener_rule" "no_orders_from_elsewhere" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "403"
      message_body = "not from another site"
    }
  }

  condition {
    http_header {
      http_header_name = "Sec-Fetch-Site"
      values           = ["cross-site", "same-site"]
    }
  }

  condition {
    http_request_method {
      values = ["POST", "PUT", "PATCH", "DELETE"]
    }
  }
}

resource "aws_lb_listener_rule" "page" {
  for_each = { for index, page in sort(keys(local.pages)) : page => 10 + index }

  listener_arn = aws_lb_listener.https.arn
  priority     = each.value

  action {
    type  = "authenticate-oidc"
    order = 1

    authenticate_oidc {
      issuer                     = var.oidc.issuer
      authorization_endpoint     = var.oidc.authorization_endpoint
      token_endpoint             = var.oidc.token_endpoint
      user_info_endpoint         = var.oidc.user_info_endpoint
      client_id                  = var.oidc.client_id
      client_secret              = var.oidc_client_secret
      scope                      = "openid"
      on_unauthenticated_request = "authenticate"
      # A working day.
      session_timeout = 36000
    }
  }

  action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.page[each.key].arn
  }

  condition {
    host_header {
      values = ["${each.key}.${var.domain_name}"]
    }
  }
}
