variable "project" {
  description = "Google Cloud project that builds run in and images are kept in"
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Where builds run and images are kept, such as europe-west4"
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is written like europe-west4."
  }
}

variable "repository" {
  description = "Name of the repository of images in Artifact Registry"
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$", var.repository))
    error_message = "A repository's name has at most 52 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "remote" {
  description = "Address that this repository is cloned from: https://….git; empty: not known yet"
  type        = string
  default     = ""

  validation {
    condition     = var.remote == "" || can(regex("^https://[^/@]+/.+[.]git$", var.remote))
    error_message = "Cloud Build takes an address like https://github.com/acme/ml.git."
  }
}

variable "branch" {
  description = "The main branch"
  type        = string
  default     = "main"
}

variable "builder" {
  description = "Image of the steps, such as a copy of python:3.11 in a registry of one's own; empty: the build file's"
  type        = string
  default     = ""
}

variable "own_machines" {
  description = "Environments that cannot be built on the machine of the build itself, and why"
  type        = map(string)
  default     = {}
}

variable "scale_out" {
  description = "Whether builds may start further builds to share out their work"
  type        = bool
  default     = false
}

variable "vertex" {
  description = "Whether CI submits pipelines to Vertex AI"
  type        = bool
  default     = false
}

variable "scanning" {
  description = "Whether Artifact Registry looks for vulnerabilities in new images"
  type        = bool
  default     = true
}

variable "signing_key" {
  description = "Key of Cloud KMS that signs images: projects/P/locations/L/keyRings/R/cryptoKeys/K; empty: none"
  type        = string
  default     = ""
}

variable "nightly" {
  description = "When bases are refreshed, as cron writes it"
  type        = string
  default     = "0 2 * * *"
}

variable "weekly" {
  description = "When locks are refreshed, as cron writes it"
  type        = string
  default     = "0 4 * * 1"
}
