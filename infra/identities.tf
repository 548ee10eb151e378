# One resource for each kind of thing that a role can be granted on; which grants there are is
# decided in modules/plan/grants.tf.

resource "google_service_account" "all" {
  for_each = module.plan.accounts

  project      = var.project
  account_id   = each.value.name
  display_name = each.value.title

  depends_on = [google_project_service.all]
}

locals {
  grants = {
    for kind in ["project", "repository", "bucket", "secret", "account", "key"] : kind => {
      for key, one in module.plan.grants : key => one if one.kind == kind
    }
  }
}

resource "google_project_iam_member" "all" {
  for_each = local.grants["project"]

  project = var.project
  role    = each.value.role
  member  = google_service_account.all[each.value.account].member
}

resource "google_artifact_registry_repository_iam_member" "all" {
  for_each = local.grants["repository"]

  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.all[each.value.target].name
  role       = each.value.role
  member     = google_service_account.all[each.value.account].member
}

resource "google_artifact_registry_repository_iam_member" "administrators" {
  for_each = toset(var.administrators)

  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.all["images"].name
  role       = "roles/artifactregistry.repoAdmin"
  member     = each.value
}

resource "google_storage_bucket_iam_member" "all" {
  for_each = local.grants["bucket"]

  bucket = google_storage_bucket.all[each.value.target].name
  role   = each.value.role
  member = google_service_account.all[each.value.account].member
}

resource "google_service_account_iam_member" "all" {
  for_each = local.grants["account"]

  service_account_id = google_service_account.all[each.value.target].name
  role               = each.value.role
  member             = google_service_account.all[each.value.account].member
}

resource "google_kms_crypto_key_iam_member" "all" {
  for_each = local.grants["key"]

  crypto_key_id = var.signing_key
  role          = each.value.role
  member        = google_service_account.all[each.value.account].member
}

# The value is put in by hand, so that it is in no state: gcloud secrets versions add
resource "google_secret_manager_secret" "all" {
  for_each = module.plan.secrets

  project   = var.project
  secret_id = each.value

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.all]
}

resource "google_secret_manager_secret_iam_member" "all" {
  for_each = local.grants["secret"]

  project   = var.project
  secret_id = google_secret_manager_secret.all[each.value.target].secret_id
  role      = each.value.role
  member    = google_service_account.all[each.value.account].member
}
