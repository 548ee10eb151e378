# What starts which build, as whom, with which substitutions; and what tells people that it failed.

locals {
  place = merge(
    { _REGION = var.region, _REPOSITORY = var.repository },
    var.builder == "" ? {} : { _BUILDER = var.builder },
  )

  proposing = merge(local.place, {
    _SERVICE_ACCOUNT = local.emails.refresh
    _BASE_BRANCH     = var.branch
    _REMOTE          = var.remote
  })

  triggers = {
    pull-request = {
      event         = "pull-request"
      file          = "cloudbuild.yaml"
      account       = "check"
      cron          = ""
      ignored_files = [] # a check that a forge requires must run for every change
      alert         = false
      substitutions = merge(local.place, { _SERVICE_ACCOUNT = local.emails.check, _PUSH = "false" })
    }
    main = {
      event   = "push"
      file    = "cloudbuild.yaml"
      account = "build"
      cron    = ""
      # What no image, cell or pipeline is made of. Everything else counts: a new folder, too.
      ignored_files = ["docs/**", "infra/**", "CHANGELOG.md", "README.md"]
      alert         = true
      substitutions = merge(local.place, {
        _SERVICE_ACCOUNT = local.emails.build
        _PUSH            = "true"
        _PIPELINES       = local.addresses.pipelines
        _BASE_BRANCH     = var.branch
      }, local.child_builds ? { _ON = "cloud-build" } : {})
    }
    refresh-bases = {
      event         = "schedule"
      file          = "ci/refresh-bases.yaml"
      account       = "refresh"
      cron          = var.nightly
      ignored_files = []
      alert         = true
      substitutions = local.proposing
    }
    refresh-locks = {
      event         = "schedule"
      file          = "ci/refresh-locks.yaml"
      account       = "refresh"
      cron          = var.weekly
      ignored_files = []
      alert         = true
      substitutions = local.proposing
    }
  }

  alerts = {
    builds = {
      metric   = "eggcrate-failed-builds"
      title    = "A build failed"
      resource = "build"
      # The worker ends the log of such a build with a line that is one of these words alone;
      # lines of steps begin with the step's name.
      filter = "resource.type=\"build\" AND (textPayload=\"ERROR\" OR textPayload=\"TIMEOUT\")"
      text   = "A build of the main branch or a refresh failed: https://console.cloud.google.com/cloud-build/builds;region=${var.region}?project=${var.project}"
    }
    pipelines = {
      metric   = "eggcrate-failed-pipelines"
      title    = "A pipeline failed"
      resource = "aiplatform.googleapis.com/PipelineJob"
      filter   = "resource.type=\"aiplatform.googleapis.com/PipelineJob\" AND (jsonPayload.state=\"PIPELINE_STATE_FAILED\" OR severity>=ERROR)"
      text     = "A run on Vertex AI failed: https://console.cloud.google.com/vertex-ai/pipelines/runs?project=${var.project}"
    }
  }
}
