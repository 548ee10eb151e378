locals {
  channels = concat(
    [for address in var.notify : google_monitoring_notification_channel.email[address].id],
    var.notification_channels,
  )

  # A failed pull request is its author's to see; the others nobody looks at.
  watched = [
    for key, one in local.triggers : google_cloudbuild_trigger.all[key].trigger_id if one.alert
  ]
  only_watched = length(local.watched) == 0 ? "" : format(
    " AND resource.labels.build_trigger_id=(%s)", join(" OR ", formatlist("\"%s\"", local.watched)),
  )
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.notify)

  project      = var.project
  display_name = "Eggcrate: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.all]
}

resource "google_logging_metric" "all" {
  for_each = module.plan.alerts

  project     = var.project
  name        = each.value.metric
  description = each.value.title
  filter      = each.key == "builds" ? "${each.value.filter}${local.only_watched}" : each.value.filter

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = each.value.title
  }

  depends_on = [google_project_service.all]
}

resource "google_monitoring_alert_policy" "all" {
  for_each = module.plan.alerts

  project               = var.project
  display_name          = each.value.title
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.all[each.key].name}\" AND resource.type=\"${each.value.resource}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "1800s"
  }

  documentation {
    content   = each.value.text
    mime_type = "text/markdown"
  }
}
