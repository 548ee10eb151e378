# No clean-up policies: "keep the last N" deletes what a compiled pipeline pins. Eggcrate cleans up
# by use: eggcrate registry cleanup.

resource "google_artifact_registry_repository" "all" {
  for_each = module.plan.repositories

  project       = var.project
  location      = var.region
  repository_id = each.value.name
  format        = each.value.format
  description   = each.value.title

  dynamic "docker_config" {
    for_each = each.key == "images" ? [true] : []

    content {
      immutable_tags = var.immutable_tags
    }
  }

  dynamic "vulnerability_scanning_config" {
    for_each = each.value.format == "DOCKER" ? [true] : []

    content {
      enablement_config = each.key == "images" && var.scanning ? "INHERITED" : "DISABLED"
    }
  }

  lifecycle {
    prevent_destroy = true # pipelines pin images by digest
  }

  depends_on = [google_project_service.all]
}
