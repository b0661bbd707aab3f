# Which Terraform and provider this configuration is written for, and where its state lives.

terraform {
  # 1.11 brought write-only arguments, which keep the database passwords out of the state.
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.0 changes resource schemas; moving there is a change of its own.
      version = "~> 5.100"
    }
  }

  # Bucket, key and region are named at `terraform init -backend-config=...`, see README.md.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
