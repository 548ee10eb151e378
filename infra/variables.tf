# `eggcrate new cloud` writes terraform.tfvars.json: the answers, and what follows from the
# environments and pipelines that there are. Whatever else is to be said stands in a file of your
# own, *.auto.tfvars, which is read last and wins.

variable "project" {
  description = "Google Cloud project that builds run in and images are kept in"
  type        = string
}

variable "region" {
  description = "Where builds run and images are kept, such as europe-west4"
  type        = string
}

variable "repository" {
  description = "Name of the repository of images in Artifact Registry"
  type        = string
}

variable "connection" {
  description = "Name of Cloud Build's connection to the forge, made once by hand in the same region; empty: no triggers yet"
  type        = string
  default     = ""
}

variable "remote" {
  description = "Address that this repository is cloned from: https://….git"
  type        = string
  default     = ""
}

variable "notify" {
  description = "E-mail addresses that are told of failed builds and pipelines"
  type        = list(string)
  default     = []
}

variable "notification_channels" {
  description = "Channels of Cloud Monitoring that there are already (Slack, PagerDuty): projects/P/notificationChannels/N"
  type        = list(string)
  default     = []
}

variable "administrators" {
  description = "Who may clean the registry up: group:ml-platform@example.com"
  type        = list(string)
  default     = []
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
  description = "Whether Artifact Registry looks for vulnerabilities in new images (it costs)"
  type        = bool
  default     = true
}

variable "immutable_tags" {
  description = "Whether tags of images can never be moved; then `eggcrate promote` cannot move stable"
  type        = bool
  default     = false
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

variable "time_zone" {
  description = "The time zone of both"
  type        = string
  default     = "Etc/UTC"
}
