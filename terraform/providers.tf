# The account's two regions. Endpoints are AWS's own unless AWS_ENDPOINT_URL says otherwise.

provider "aws" {
  region = var.region
  # The wrong credentials must not build this in another account.
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = local.tags
  }
}

provider "aws" {
  alias               = "replica"
  region              = var.replica_region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = local.tags
  }
}
