# Who and what there is, and who may do what: values alone. No provider is used here, so that
# `terraform test` tries all of it on any machine, without an account.

locals {
  # A service account each, by what it does.
  accounts = {
    build   = { name = "eggcrate-build", title = "Builds, proves and publishes (main branch)" }
    check   = { name = "eggcrate-check", title = "Builds and proves, publishes nothing (pull requests)" }
    refresh = { name = "eggcrate-refresh", title = "Proposes newer bases and locks on branches" }
    run     = { name = "eggcrate-run", title = "What pipelines on Vertex AI run as" }
  }

  emails = {
    for key, one in local.accounts : key => "${one.name}@${var.project}.iam.gserviceaccount.com"
  }

  repositories = {
    images     = { name = var.repository, format = "DOCKER", title = "Images made by Eggcrate" }
    signatures = { name = "${var.repository}-signatures", format = "DOCKER", title = "Signatures of images" }
    pipelines  = { name = "${var.repository}-pipelines", format = "KFP", title = "Compiled pipelines" }
  }

  # Artifacts of runs are kept: models that are in use lie among them. Sources are not.
  buckets = {
    runs    = { name = "${var.project}-eggcrate-runs", delete_after_days = 0, colder_after_days = 90 }
    staging = { name = "${var.project}-eggcrate-staging", delete_after_days = 7, colder_after_days = 0 }
  }

  secrets = { forge = "eggcrate-forge-token" }

  addresses = {
    images     = "${var.region}-docker.pkg.dev/${var.project}/${local.repositories.images.name}"
    signatures = "${var.region}-docker.pkg.dev/${var.project}/${local.repositories.signatures.name}"
    pipelines  = "https://${var.region}-kfp.pkg.dev/${var.project}/${local.repositories.pipelines.name}"
    runs       = "gs://${local.buckets.runs.name}"
    staging    = "gs://${local.buckets.staging.name}"
  }

  child_builds = var.scale_out || length(var.own_machines) > 0

  services = sort(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.vertex ? ["aiplatform.googleapis.com"] : [],
    var.scanning ? ["containeranalysis.googleapis.com", "containerscanning.googleapis.com"] : [],
    var.signing_key == "" ? [] : ["cloudkms.googleapis.com"],
  ))
}
