# What one project of Google Cloud needs to run this repository's CI. Names, rights and triggers
# are decided in modules/plan; the files beside this one make them.
#
#   registry.tf    repositories of Artifact Registry      buckets.tf   buckets
#   identities.tf  service accounts and their rights      triggers.tf  what starts builds
#   alerts.tf      failures that people are told of

module "plan" {
  source = "./modules/plan"

  project      = var.project
  region       = var.region
  repository   = var.repository
  remote       = var.remote
  branch       = var.branch
  builder      = var.builder
  own_machines = var.own_machines
  scale_out    = var.scale_out
  vertex       = var.vertex
  scanning     = var.scanning
  signing_key  = var.signing_key
  nightly      = var.nightly
  weekly       = var.weekly
}

resource "google_project_service" "all" {
  for_each = toset(module.plan.services)

  project            = var.project
  service            = each.value
  disable_on_destroy = false # others may use it
}
