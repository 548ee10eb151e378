# Without a connection to the forge there are no triggers: all else can be made before it.

locals {
  triggers  = { for key, one in module.plan.triggers : key => one if var.connection != "" }
  scheduled = { for key, one in local.triggers : key => one if one.event == "schedule" }
  forge     = strcontains(var.remote, "github") ? "GITHUB" : "UNKNOWN"
}

resource "google_cloudbuildv2_repository" "this" {
  count = var.connection == "" ? 0 : 1

  project           = var.project
  location          = var.region
  name              = trimsuffix(basename(var.remote), ".git")
  parent_connection = var.connection
  remote_uri        = var.remote

  lifecycle {
    precondition {
      condition     = var.remote != ""
      error_message = "With a connection, say what to clone through it: eggcrate new cloud --remote https://….git"
    }
  }

  depends_on = [google_project_service.all]
}

resource "google_cloudbuild_trigger" "all" {
  for_each = local.triggers

  project         = var.project
  location        = var.region
  name            = each.key
  service_account = google_service_account.all[each.value.account].id
  substitutions   = each.value.substitutions
  ignored_files   = each.value.ignored_files

  # A forge's event builds what it is about, by a file of the same commit …
  filename = each.value.event == "schedule" ? null : each.value.file

  dynamic "repository_event_config" {
    for_each = each.value.event == "schedule" ? [] : [each.value.event]

    content {
      repository = google_cloudbuildv2_repository.this[0].id

      dynamic "pull_request" {
        for_each = repository_event_config.value == "pull-request" ? [true] : []

        content {
          branch          = "^${var.branch}$"
          comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
        }
      }

      dynamic "push" {
        for_each = repository_event_config.value == "push" ? [true] : []

        content {
          branch = "^${var.branch}$"
        }
      }
    }
  }

  # … and the clock builds the head of the main branch.
  dynamic "pubsub_config" {
    for_each = each.value.event == "schedule" ? [each.key] : []

    content {
      topic = google_pubsub_topic.scheduled[pubsub_config.value].id
    }
  }

  dynamic "source_to_build" {
    for_each = each.value.event == "schedule" ? [true] : []

    content {
      repository = google_cloudbuildv2_repository.this[0].id
      ref        = "refs/heads/${var.branch}"
      repo_type  = local.forge
    }
  }

  dynamic "git_file_source" {
    for_each = each.value.event == "schedule" ? [each.value.file] : []

    content {
      path       = git_file_source.value
      repository = google_cloudbuildv2_repository.this[0].id
      revision   = "refs/heads/${var.branch}"
      repo_type  = local.forge
    }
  }
}

# The scheduler says the hour to a topic, which the trigger hears. So nobody needs the right to
# start any build of the project, which there is for whole projects only.
resource "google_pubsub_topic" "scheduled" {
  for_each = local.scheduled

  project = var.project
  name    = "eggcrate-${each.key}"

  depends_on = [google_project_service.all]
}

resource "google_cloud_scheduler_job" "all" {
  for_each = local.scheduled

  project   = var.project
  region    = var.region
  name      = "eggcrate-${each.key}"
  schedule  = each.value.cron
  time_zone = var.time_zone

  pubsub_target {
    topic_name = google_pubsub_topic.scheduled[each.key].id
    data       = base64encode(jsonencode({ trigger = each.key }))
  }
}
