# What an installation must or may say. Required values stand first; terraform.tfvars.example shows a full set.

# Who and where

variable "account_id" {
  description = "AWS account that everything is built in; other credentials are refused"
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has twelve digits."
  }
}

variable "domain_name" {
  description = "Domain below which the web pages are served: dagster.<domain>, mlflow.<domain>, grafana.<domain>"
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name is a lower-case DNS name, such as fraud.example.com."
  }
}

variable "certificate_arn" {
  description = "ACM certificate in var.region for *.<domain_name>"
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "certificate_arn is the ARN of an ACM certificate."
  }
}

variable "oidc" {
  description = "The OpenID Connect client that people log in with; its redirect URLs are https://<page>.<domain_name>/oauth2/idpresponse"
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
  })

  validation {
    condition = alltrue([
      for endpoint in [var.oidc.issuer, var.oidc.authorization_endpoint, var.oidc.token_endpoint, var.oidc.user_info_endpoint] :
      startswith(endpoint, "https://")
    ])
    error_message = "Every OIDC endpoint begins with https://."
  }
}

variable "oidc_client_secret" {
  description = "Secret of the OIDC client; the load balancer needs it in clear, so it is in the (encrypted) state: set TF_VAR_oidc_client_secret"
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.oidc_client_secret) > 0
    error_message = "oidc_client_secret must not be empty."
  }
}

variable "image_tag" {
  description = "Release to run: the tag of the platform's image and the name of its bundle; a new value replaces the host"
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag names one release; 'latest' names none."
  }
}

variable "start_date" {
  description = "FRAUD_START_DATE: the first partition day (YYYY-MM-DD, UTC)"
  type        = string

  validation {
    condition     = can(formatdate("YYYY-MM-DD", "${var.start_date}T00:00:00Z"))
    error_message = "start_date is a day, written YYYY-MM-DD."
  }
}

variable "github_repository" {
  description = "OWNER/NAME of the GitHub repository whose workflow may publish releases"
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository is written OWNER/NAME."
  }
}

variable "project" {
  description = "First part of every name"
  type        = string
  default     = "fraud-platform"

  validation {
    # A load balancer's name holds 32 characters, which project and environment share.
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.project))
    error_message = "project has 3 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "environment" {
  description = "Second part of every name; one state per environment"
  type        = string
  default     = "production"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,10}$", var.environment))
    error_message = "environment has 2 to 11 lower-case letters and digits."
  }
}

variable "region" {
  description = "Region of everything but the replicas"
  type        = string
  default     = "eu-central-1"
}

variable "replica_region" {
  description = "Region that holds a second copy of the data"
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = var.replica_region != var.region
    error_message = "replica_region must differ from region, or the copy is lost with the original."
  }
}

variable "github_environment" {
  description = "GitHub deployment environment a workflow must run in to publish; protect it with required reviewers"
  type        = string
  default     = "production"
}

variable "github_oidc_provider_arn" {
  description = "The account's OIDC provider for token.actions.githubusercontent.com; null creates it"
  type        = string
  default     = null
}

# The platform

variable "settings" {
  description = "Further FRAUD_* variables of the platform, as docs/operations.md lists them"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^FRAUD_[A-Z0-9_]+$", name))])
    error_message = "Every setting is a FRAUD_* variable."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["FRAUD_HOME", "FRAUD_LANDING", "FRAUD_STORAGE", "FRAUD_AUDIT", "FRAUD_START_DATE", "FRAUD_POSTGRES_URL", "FRAUD_POSTGRES_PASSWORD_FILE", "FRAUD_MODEL_KEY_FILE", "FRAUD_AUDIT_KEY_FILE"])) == 0
    error_message = "Places, keys and the database follow from what is built here, FRAUD_START_DATE from start_date."
  }
}

variable "landing_writer_arns" {
  description = "IAM principals of the upstream systems that put files into the landing zone"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.landing_writer_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "Every landing writer is the ARN of one role or user."
  }
}

# Retention

variable "retention_days" {
  description = "Days after which S3 removes objects; storage is tidied by the platform's own job `retention`"
  type = object({
    landing      = optional(number, 2557)
    compute_logs = optional(number, 365)
    access_logs  = optional(number, 365)
    trail        = optional(number, 2557)
  })
  # 2557 days are seven years, as in the platform's own FRAUD_RETENTION_*.
  default = {}

  validation {
    condition     = alltrue([for days in values(var.retention_days) : days >= 90])
    error_message = "Every period is 90 days or more: an investigation, and the next training, need what is younger."
  }
}

variable "noncurrent_days" {
  description = "Days an overwritten or deleted object can be brought back; an erased person's rows are gone after as many days"
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 30
    error_message = "noncurrent_days is 1 to 30: the GDPR grants a month to erase."
  }
}

variable "log_retention_days" {
  description = "Days CloudWatch keeps logs"
  type        = number
  default     = 365

  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557], var.log_retention_days)
    error_message = "log_retention_days is one of the periods that CloudWatch offers, 90 at least."
  }
}

# Network

variable "vpc_cidr" {
  description = "Address range of the VPC"
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && tonumber(split("/", var.vpc_cidr)[1]) <= 20
    error_message = "vpc_cidr is an IPv4 range of /20 or larger."
  }
}

variable "zone_letters" {
  description = "Availability zones with subnets, by the last letter of their names; the host lives in the first"
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = contains([2, 3], length(distinct(var.zone_letters))) && alltrue([for letter in var.zone_letters : can(regex("^[a-f]$", letter))])
    error_message = "The load balancer and the database need 2 or 3 zones, such as [\"a\", \"b\"]."
  }
}

variable "allowed_cidrs" {
  description = "IPv4 ranges that reach the login page; the bank's own, where they are known"
  type        = set(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for range in var.allowed_cidrs : can(cidrnetmask(range))])
    error_message = "allowed_cidrs are IPv4 ranges, such as 192.0.2.0/24."
  }
}

variable "nat_gateway_per_zone" {
  description = "One NAT gateway in every zone instead of one in all: costs more, survives the loss of a zone"
  type        = bool
  default     = false
}

variable "interface_endpoints" {
  description = "AWS services reached inside the VPC instead of through the NAT gateway, such as ecr.api, ecr.dkr, ecs, logs, secretsmanager, sts, kms"
  type        = set(string)
  default     = []
}

# Machines

variable "instance_type" {
  description = "EC2 type of the host that runs the compose stack"
  type        = string
  default     = "c6i.2xlarge"
}

variable "ami_id" {
  description = "Ubuntu 24.04 image of the host; null takes Canonical's current one at the first apply"
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id is written ami-0123456789abcdef0."
  }
}

variable "host_disk_gib" {
  description = "GiB of the host's disks: the system with its images, and what the compose stack's volumes hold"
  type = object({
    system = optional(number, 60)
    data   = optional(number, 50)
  })
  default = {}
}

variable "run_size" {
  description = "What one Dagster run gets on Fargate: CPU units, MiB of memory, GiB of scratch disk"
  type = object({
    cpu         = optional(number, 4096)
    memory_mib  = optional(number, 16384)
    scratch_gib = optional(number, 40)
  })
  default = {}

  validation {
    condition     = contains([1024, 2048, 4096, 8192, 16384], var.run_size.cpu)
    error_message = "run_size.cpu is 1024, 2048, 4096, 8192 or 16384."
  }

  validation {
    condition     = var.run_size.memory_mib >= 2 * var.run_size.cpu && var.run_size.memory_mib <= 8 * var.run_size.cpu
    error_message = "Fargate gives 2 to 8 MiB of memory per CPU unit."
  }

  validation {
    condition     = var.run_size.scratch_gib >= 21 && var.run_size.scratch_gib <= 200
    error_message = "run_size.scratch_gib is 21 to 200."
  }
}

variable "cpu_architecture" {
  description = "What the image is built for: X86_64 or ARM64 (with an instance_type to match)"
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture is X86_64 or ARM64."
  }
}

variable "database" {
  description = "The PostgreSQL server of Dagster and MLflow"
  type = object({
    instance_class  = optional(string, "db.t4g.medium")
    engine_version  = optional(string, "17")
    storage_gib     = optional(number, 50)
    max_storage_gib = optional(number, 500)
    multi_az        = optional(bool, true)
    backup_days     = optional(number, 35)
  })
  default = {}

  validation {
    condition     = var.database.max_storage_gib > var.database.storage_gib
    error_message = "database.max_storage_gib must exceed storage_gib, so that the disk can grow."
  }

  validation {
    condition     = var.database.backup_days >= 7 && var.database.backup_days <= 35
    error_message = "database.backup_days is 7 to 35."
  }
}

# Watching and protecting

variable "alarm_email" {
  description = "Address told when the host, the database or the load balancer is unwell; null tells nobody"
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database and the load balancer"
  type        = bool
  default     = true
}

variable "database_password_version" {
  description = "Raise it to give both databases new passwords, see README.md"
  type        = number
  default     = 1

  validation {
    condition     = var.database_password_version >= 1 && floor(var.database_password_version) == var.database_password_version
    error_message = "database_password_version is 1, 2, 3, ..."
  }
}

variable "model_key_version" {
  description = "Raise it to sign models with a new key, see README.md"
  type        = number
  default     = 1

  validation {
    condition     = var.model_key_version >= 1 && floor(var.model_key_version) == var.model_key_version
    error_message = "model_key_version is 1, 2, 3, ..."
  }
}

variable "audit_key_version" {
  description = "Raise it to begin a new audit trail with a new key, see README.md"
  type        = number
  default     = 1

  validation {
    condition     = var.audit_key_version >= 1 && floor(var.audit_key_version) == var.audit_key_version
    error_message = "audit_key_version is 1, 2, 3, ..."
  }
}
