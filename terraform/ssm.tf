# The few orders that a workflow may give to the running installation, and no other command on its host.

resource "aws_ssm_document" "production" {
  name            = "${local.name}-production"
  document_type   = "Command"
  document_format = "JSON"

  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Runs deploy/production.sh of the release on the host of ${local.name}"
    parameters = {
      words = {
        type        = "String"
        description = "retrain DAY, promote VERSION WHO REASON, or doctor"
        # Upgrading is not among them: a release is rolled out by Terraform, which also tells the runs.
        allowedPattern = "^(retrain [0-9]{4}-[0-9]{2}-[0-9]{2}|promote [0-9]+[.][0-9]+[.][0-9]+ [A-Za-z0-9._-]+ [A-Za-z0-9._:/@-]+|doctor)$"
      }
    }
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "production"
      inputs = {
        timeoutSeconds = "3000"
        runCommand     = ["/opt/fraud-platform/deploy/production.sh {{ words }}"]
      }
    }]
  })
}
