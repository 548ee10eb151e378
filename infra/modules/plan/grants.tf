# The IAM matrix. A role is granted on the thing itself wherever Google Cloud has such a grant; on
# the whole project stands only what has none.

locals {
  always = true
  keyed  = var.signing_key != ""

  matrix = [
    { account = "build", on = "project", role = "roles/logging.logWriter", when = local.always, why = "logs of a build that has an account of its own" },
    { account = "check", on = "project", role = "roles/logging.logWriter", when = local.always, why = "the same" },
    { account = "refresh", on = "project", role = "roles/logging.logWriter", when = local.always, why = "the same" },

    { account = "build", on = "repository/images", role = "roles/artifactregistry.writer", when = local.always, why = "images, the tag stable, results of cells" },
    { account = "check", on = "repository/images", role = "roles/artifactregistry.reader", when = local.always, why = "what is built and proven already" },
    { account = "refresh", on = "repository/images", role = "roles/artifactregistry.reader", when = local.always, why = "the same" },
    { account = "run", on = "repository/images", role = "roles/artifactregistry.reader", when = var.vertex, why = "the images of its tasks" },

    { account = "build", on = "repository/signatures", role = "roles/artifactregistry.writer", when = local.always, why = "signatures and attestations" },
    { account = "check", on = "repository/signatures", role = "roles/artifactregistry.reader", when = local.always, why = "to verify them" },
    { account = "refresh", on = "repository/signatures", role = "roles/artifactregistry.reader", when = local.always, why = "the same" },

    { account = "build", on = "repository/pipelines", role = "roles/artifactregistry.writer", when = local.always, why = "compiled pipelines" },

    { account = "build", on = "bucket/staging", role = "roles/storage.objectViewer", when = local.always, why = "sources of builds by hand, and of their child builds" },
    { account = "run", on = "bucket/runs", role = "roles/storage.objectUser", when = var.vertex, why = "artifacts of runs (pipeline-root)" },

    { account = "refresh", on = "secret/forge", role = "roles/secretmanager.secretAccessor", when = local.always, why = "the token that pushes a branch and opens its pull request" },

    { account = "build", on = "project", role = "roles/cloudbuild.builds.editor", when = local.child_builds, why = "child builds: there is no grant on less than the project" },
    { account = "build", on = "project", role = "roles/logging.viewer", when = local.child_builds, why = "the logs of its children, for one report" },
    { account = "build", on = "account/build", role = "roles/iam.serviceAccountUser", when = local.child_builds, why = "child builds run as their parent does" },

    { account = "build", on = "project", role = "roles/aiplatform.user", when = var.vertex, why = "runs and schedules on Vertex AI" },
    { account = "build", on = "account/run", role = "roles/iam.serviceAccountUser", when = var.vertex, why = "runs have this account" },
    { account = "run", on = "project", role = "roles/aiplatform.user", when = var.vertex, why = "tasks tell Vertex AI of their artifacts" },

    { account = "build", on = "project", role = "roles/containeranalysis.occurrences.viewer", when = var.scanning, why = "findings: eggcrate registry scan" },
    { account = "build", on = "key/signing", role = "roles/cloudkms.signerVerifier", when = local.keyed, why = "signs what it publishes" },
  ]

  grants = {
    for one in local.matrix : "${one.account} ${one.on} ${trimprefix(one.role, "roles/")}" => {
      account = one.account
      kind    = split("/", one.on)[0]
      target  = one.on == "project" ? "" : split("/", one.on)[1]
      role    = one.role
      why     = one.why
    } if one.when
  }
}
